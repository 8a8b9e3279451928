from __future__ import annotations

import asyncio
import importlib
import subprocess
import sys
import warnings
from dataclasses import replace
from typing import Any

import pytest
from provider_cases import CASES, Case
from pydantic_ai.messages import ModelRequest
from pydantic_ai.models import ModelRequestParameters

from weft.core.errors import AuthError, InputError, ProviderError, UnsupportedError
from weft.models.providers.ollama import base_url
from weft.models.ref import OFFLINE, ModelRef
from weft.models.registry import PROVIDERS, ModelPool, check_credentials
from weft.testing.providers import FakeProvider, say


async def request(pool: ModelPool, ref: ModelRef) -> str:
    messages = [ModelRequest.user_text_prompt("hello")]
    return (await pool.open(ref).request(messages, None, ModelRequestParameters())).text or ""


@pytest.mark.parametrize("model_id", ["gpt-4o", "", "/x", "openai/", " / "])
def test_a_model_id_needs_a_provider_and_a_name(model_id: str) -> None:
    with pytest.raises(InputError, match="provider/name"):
        ModelRef.parse(model_id)


def test_a_model_name_may_hold_slashes_and_colons() -> None:
    ref = ModelRef.parse("openai/org/llama:8b", base_url="http://localhost:1/v1")
    assert (ref.provider, ref.name, ref.id) == ("openai", "org/llama:8b", "openai/org/llama:8b")


@pytest.mark.parametrize(
    ("model_id", "variable"),
    [
        ("openai/gpt-4o", "OPENAI_API_KEY"),
        ("azure/gpt-4o", "AZURE_OPENAI_API_KEY"),
        ("anthropic/claude-sonnet-5", "ANTHROPIC_API_KEY"),
        ("google/gemini-2.5-flash", "GOOGLE_API_KEY or GEMINI_API_KEY"),
        ("bedrock/x", "AWS_REGION"),
    ],
)
async def test_a_missing_credential_is_named_and_offline_offered(
    model_id: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(AuthError) as caught:
        ModelPool(environ={}).open(ModelRef.parse(model_id))
    assert variable in f"{caught.value.message} {caught.value.fix}"
    assert "--offline" in caught.value.fix


def test_azure_needs_an_endpoint_too() -> None:
    with pytest.raises(AuthError, match="AZURE_OPENAI_ENDPOINT"):
        check_credentials(ModelRef.parse("azure/gpt-4o"), {"AZURE_OPENAI_API_KEY": "k"})
    check_credentials(ModelRef.parse("azure/gpt-4o", base_url="http://x"), {"AZURE_OPENAI_API_KEY": "k"})


def test_either_of_googles_variables_will_do() -> None:
    ref = ModelRef.parse("google/gemini-2.5-flash")
    check_credentials(ref, {"GEMINI_API_KEY": "k"})
    check_credentials(ref, {"GOOGLE_API_KEY": "k"})


async def test_a_compatible_server_needs_no_key() -> None:
    with FakeProvider("openai", say("local")) as fake:
        pool = ModelPool(environ={})
        assert await request(pool, ModelRef.parse("openai/local", base_url=fake.base_url)) == "local"
        by_variable = ModelPool(environ={"OPENAI_BASE_URL": fake.base_url})
        assert await request(by_variable, ModelRef.parse("openai/local")) == "local"
        await pool.aclose()
        await by_variable.aclose()


@pytest.mark.slow
async def test_a_key_reaches_the_provider_and_a_wrong_one_is_refused() -> None:
    with FakeProvider("anthropic", say("in"), key="right-key-123") as fake:
        ref = ModelRef.parse("anthropic/claude-sonnet-5", base_url=fake.base_url)
        good, bad = (
            ModelPool(environ={"ANTHROPIC_API_KEY": "right-key-123"}),
            ModelPool(environ={"ANTHROPIC_API_KEY": "no"}),
        )
        assert await request(good, ref) == "in"
        with pytest.raises(AuthError, match="ANTHROPIC_API_KEY|key"):
            await request(bad, ref)
        await good.aclose()
        await bad.aclose()


async def test_an_aged_model_is_asked_without_a_warning() -> None:
    with FakeProvider("anthropic", say("still here")) as fake:
        ref = ModelRef.parse("anthropic/claude-sonnet-4-20250514", base_url=fake.base_url)
        pool = ModelPool(environ={"ANTHROPIC_API_KEY": "k"})
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert await request(pool, ref) == "still here"
        assert fake.requests[0].body["model"] == "claude-sonnet-4-20250514"
        await pool.aclose()


@pytest.mark.parametrize("model_id", ["acme/gpt", "offline/think"])
async def test_an_unknown_model_is_unsupported(model_id: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        ModelPool(environ={}).open(ModelRef.parse(model_id))
    assert caught.value.fix


async def test_a_missing_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    module = PROVIDERS["anthropic"].module
    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, "anthropic", None)
    for name in [name for name in sys.modules if name.startswith("pydantic_ai") and name.endswith("anthropic")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(UnsupportedError) as caught:
        ModelPool(environ={"ANTHROPIC_API_KEY": "k"}).open(ModelRef.parse("anthropic/claude-sonnet-5"))
    assert "pip install 'weft[anthropic]'" in caught.value.fix


async def test_a_model_is_opened_once_and_its_connection_kept() -> None:
    with FakeProvider("openai", say("again")) as fake:
        pool = ModelPool(environ=fake.environ)
        ref = ModelRef.parse("openai/gpt-4o-mini")
        assert pool.open(ref) is pool.open(replace(ref))
        assert pool.open(ref) is not pool.open(replace(ref, api="responses"))
        for _ in range(5):
            await request(pool, ref)
        assert len(fake.requests) == 5
        assert fake.connections == 1
        await pool.aclose()


def test_each_event_loop_has_its_own_clients() -> None:
    ref = ModelRef.parse("openai/gpt-4o-mini")
    with FakeProvider("openai", say("hi")) as fake:
        pool = ModelPool(environ=fake.environ)

        async def once() -> str:
            try:
                return await request(pool, ref)
            finally:
                await pool.aclose()

        assert [asyncio.run(once()) for _ in range(2)] == ["hi", "hi"]


async def test_the_offline_model_needs_nothing() -> None:
    pool = ModelPool(environ={})
    assert "offline/extract" in await request(pool, OFFLINE)
    assert pool.open(OFFLINE).model_name == "offline/extract"


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("http://localhost:11434", "http://localhost:11434/v1"),
        ("0.0.0.0:11434", "http://127.0.0.1:11434/v1"),
        ("box.local", "http://box.local:11434/v1"),
        ("https://ollama.example", "https://ollama.example/v1"),
        ("http://localhost:11434/v1/", "http://localhost:11434/v1"),
    ],
)
def test_an_ollama_host_is_read_as_people_write_it(host: str, url: str) -> None:
    assert base_url(host) == url


async def test_azure_with_a_dated_version_calls_the_deployment() -> None:
    with FakeProvider("azure", say("deployed")) as fake:
        pool = ModelPool(environ={**fake.environ, "OPENAI_API_VERSION": "2024-10-21"})
        assert await request(pool, ModelRef.parse("azure/my-gpt")) == "deployed"
        assert fake.requests[0].path == "/openai/deployments/my-gpt/chat/completions"
        assert fake.requests[0].query["api-version"] == ["2024-10-21"]
        await pool.aclose()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind)
@pytest.mark.slow
async def test_the_fakes_variables_lead_every_client_to_it(case: Case) -> None:
    with FakeProvider(case.kind, say("here")) as fake:
        pool = ModelPool(environ=fake.environ)
        assert await request(pool, case.ref) == "here"
        await pool.aclose()
        assert await request(pool, case.ref) == "here", "a closed pool opens anew"
        await pool.aclose()


async def test_a_bedrock_key_is_used_as_a_token_and_only_over_https() -> None:
    with FakeProvider("bedrock", say("never")) as fake:
        environ = {"AWS_BEARER_TOKEN_BEDROCK": "bedrock-key-1", "AWS_REGION": "eu-west-1"}
        ref = ModelRef.parse("bedrock/amazon.nova-lite-v1:0", base_url=fake.base_url)
        with pytest.raises(ProviderError, match="HTTPS") as caught:
            await request(ModelPool(environ=environ), ref)
        assert "bedrock-key-1" not in caught.value.message
        assert fake.requests == []


@pytest.mark.parametrize("entry", PROVIDERS.values(), ids=list(PROVIDERS))
def test_every_provider_of_the_table_can_be_imported(entry: Any) -> None:
    assert callable(importlib.import_module(entry.module).open_model)


def test_the_table_is_read_without_the_agent_library() -> None:
    code = (
        "import sys, weft.models.registry; print([m for m in sys.modules if m in ('pydantic_ai', 'httpx2', 'openai')])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
