"""What is sent to do harm, or by mistake, is refused in OpenAI's form; nothing brings the service down."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.server.served import Served

pytestmark = pytest.mark.slow
SAID = [{"role": "user", "content": "looms"}]
CHAT = {"model": "desk/reader", "messages": SAID}
DEEP = "[" * 100_000


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"\xff\xfe",
        DEEP.encode(),
        json.dumps({**CHAT, "messages": "x"}).encode(),
        json.dumps({**CHAT, "messages": [{"role": "king", "content": "x"}]}).encode(),
        json.dumps({**CHAT, "messages": SAID * 1_001}).encode(),
        json.dumps({**CHAT, "temperature": "hot"}).encode(),
        json.dumps({**CHAT, "weft": {"session": "x" * 300}}).encode(),
        json.dumps({**CHAT, "weft": {"session": "会話"}}).encode(),
        json.dumps({**CHAT, "weft": {"inputs": {"topic": float("nan")}}}).encode(),
        json.dumps({**CHAT, "model": "openai/gpt-4o-mini", "presence_penalty": float("inf")}).encode(),
        json.dumps({**CHAT, "model": "openai/gpt-4o-mini", "n": 2}).encode(),
        json.dumps({**CHAT, "model": "openai/gpt-4o-mini", "tools": [{"type": "computer"}]}).encode(),
        json.dumps({**CHAT, "model": "openai/gpt-4o-mini", "messages": [{"role": "tool", "content": "x"}]}).encode(),
        json.dumps({**CHAT, "model": "desk", "tools": [{"type": "function", "function": {"name": "f"}}]}).encode(),
        json.dumps({**CHAT, "model": "\ud800"}).encode(),
        json.dumps({**CHAT, "model": "../../etc/passwd"}).encode(),
    ],
    ids=range(19),
)
def test_chat_refuses(service: Served, body: bytes) -> None:
    answered = httpx.post(
        f"{service.url}/v1/chat/completions", content=body, headers={"Content-Type": "application/json"}, timeout=20
    )
    assert answered.status_code in {400, 404}, answered.text
    error = answered.json()["error"]
    assert set(error) == {"message", "type", "param", "code", "weft"}
    assert "Traceback" not in answered.text


@pytest.mark.parametrize(
    "body",
    [
        {"model": "desk/reader"},
        {"model": "desk/reader", "input": []},
        {"model": "desk/reader", "input": [{"type": "computer_call"}]},
        {"model": "desk/reader", "input": [{"role": "king", "content": "x"}]},
        {"model": "desk/reader", "input": "x", "previous_response_id": "resp_x"},
        {"model": "desk", "input": "x", "text": {"format": {"type": "json_schema"}}, "tools": [{"name": "f"}]},
        {"model": "openai/gpt-4o-mini", "input": "x", "tools": [{"type": "web_search"}]},
        {"model": "asks", "input": [{"type": "mcp_approval_response", "approval_request_id": "x", "approve": True}]},
    ],
    ids=range(8),
)
def test_responses_refuse(service: Served, body: dict[str, object]) -> None:
    answered = httpx.post(f"{service.url}/v1/responses", json=body, timeout=20)
    assert answered.status_code in {400, 404}, answered.text
    assert answered.json()["error"]["code"]


def test_what_utf8_cannot_carry_is_no_reason_to_fail(service: Served) -> None:
    body = json.dumps({**CHAT, "messages": [{"role": "user", "content": "a\ud800b"}]})
    answered = httpx.post(
        f"{service.url}/v1/chat/completions", content=body, headers={"Content-Type": "application/json"}, timeout=20
    )
    assert answered.status_code == 200
    assert answered.json()["choices"][0]["message"]["content"] == "Of a?b: all is well."


def test_other_addresses_and_methods_are_refused_in_the_same_form(service: Served) -> None:
    assert httpx.get(f"{service.url}/v1/assistants", timeout=60).json()["error"]["code"] == "not-found"
    refused = httpx.get(f"{service.url}/v1/chat/completions", timeout=60)
    assert (refused.status_code, refused.json()["error"]["type"]) == (405, "invalid_request_error")
    foreign = httpx.get(f"{service.url}/v1/models", headers={"Host": "evil.example"}, timeout=60)
    assert (foreign.status_code, foreign.json()["error"]["code"]) == (403, "policy")
    large = httpx.post(f"{service.url}/v1/embeddings", content=b"x" * 11_000_000, timeout=60)
    assert (large.status_code, large.json()["error"]["code"]) == (413, "input")


def test_without_the_token_there_is_nothing(serve) -> None:
    locked = serve({}, WEFT_SERVER__TOKEN="s3cret-token")
    refused = httpx.get(f"{locked.url}/v1/models", timeout=60)
    assert (refused.status_code, refused.json()["error"]["type"]) == (401, "authentication_error")
    let_in = httpx.get(f"{locked.url}/v1/models", headers={"Authorization": "Bearer s3cret-token"}, timeout=60)
    assert let_in.json() == {"object": "list", "data": []}
