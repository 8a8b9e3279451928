from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from provider_cases import CASES, Case, pool_for
from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.messages import ModelRequest, ModelResponse
from pydantic_ai.models import Model, ModelRequestParameters

from weft.core.errors import (
    AuthError,
    ProviderError,
    RateLimitError,
    StepTimeoutError,
    TransientError,
    WeftError,
)
from weft.models.prices import usage_of
from weft.models.registry import ModelPool
from weft.testing.providers import FakeProvider, Script, ToolCall, call, calls, fail, garbage, half, hang, say

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind)]


class City(BaseModel):
    name: str
    people: int


async def ask(model: Model[Any], prompt: str = "hello", **settings: Any) -> ModelResponse:
    return await model.request([ModelRequest.user_text_prompt(prompt)], settings or None, ModelRequestParameters())


async def listen(model: Model[Any], prompt: str = "hello") -> ModelResponse:
    messages = [ModelRequest.user_text_prompt(prompt)]
    async with model.request_stream(messages, None, ModelRequestParameters()) as stream:
        async for _ in stream:
            pass
    return stream.get()


@pytest.fixture
async def opened() -> AsyncIterator[Any]:
    pools: list[ModelPool] = []

    def open_(case: Case, fake: FakeProvider, **rest: Any) -> Model[Any]:
        pools.append(pool_for(fake, **rest))
        return pools[-1].open(case.at(fake))

    yield open_
    for pool in pools:
        await pool.aclose()


async def test_a_text_answer_and_its_usage_arrive(case: Case, opened: Any) -> None:
    with FakeProvider(case.kind, say("Bonjour, le monde.", input_tokens=1000, output_tokens=100)) as fake:
        response = await ask(opened(case, fake), "Say hello in French.")
    assert response.text == "Bonjour, le monde."
    assert (response.usage.input_tokens, response.usage.output_tokens) == (1000, 100)
    assert len(fake.requests) == 1
    assert "Say hello in French." in fake.requests[0].prompt
    assert fake.requests[0].model == case.ref.name
    used = usage_of(response, case.ref)
    assert used.tokens == 1100
    if case.kind == "ollama":
        assert (used.cost, used.unpriced) == (Decimal(0), 1)
    else:
        assert used.cost > 0
        assert used.unpriced == 0


async def test_a_stream_arrives_in_pieces_and_whole(case: Case, opened: Any) -> None:
    with FakeProvider(case.kind, say("one two three four", input_tokens=7, output_tokens=4)) as fake:
        agent = Agent(opened(case, fake))
        async with agent.run_stream("count") as stream:
            deltas = [delta async for delta in stream.stream_text(delta=True, debounce_by=None)]
    assert "".join(deltas) == "one two three four"
    assert len(deltas) > 2
    assert (stream.usage.input_tokens, stream.usage.output_tokens) == (7, 4)
    assert fake.requests[0].stream


async def test_a_tool_is_called_and_its_result_goes_back(case: Case, opened: Any) -> None:
    script = Script(call("add", {"a": 2, "b": 40}), say("It is 42."))
    with FakeProvider(case.kind, script) as fake:
        agent = Agent(opened(case, fake))

        @agent.tool_plain
        def add(a: int, b: int) -> int:
            """Add two numbers."""
            return a + b

        result = await agent.run("What is 2 and 40?")
    assert result.output == "It is 42."
    assert len(fake.requests) == 2
    assert "42" in fake.requests[1].prompt


async def test_tools_are_called_over_a_stream_too(case: Case, opened: Any) -> None:
    script = Script(calls(ToolCall("name", {"of": "Zoë Ümlaut"}), ToolCall("name", {"of": "b c"})), say("done"))
    seen: list[str] = []
    with FakeProvider(case.kind, script) as fake:
        agent = Agent(opened(case, fake))

        @agent.tool_plain
        def name(of: str) -> str:
            """Name it."""
            seen.append(of)
            return of

        async with agent.run_stream("go") as stream:
            assert await stream.get_output() == "done"
    assert sorted(seen) == ["Zoë Ümlaut", "b c"]


async def test_typed_output_is_filled_and_corrected(case: Case, opened: Any) -> None:
    script = Script(
        call("final_result", {"name": "Bonn", "people": "many"}),
        call("final_result", {"name": "Bonn", "people": 330_000}),
    )
    with FakeProvider(case.kind, script) as fake:
        result = await Agent(opened(case, fake), output_type=City).run("Bonn?")
    assert result.output == City(name="Bonn", people=330_000)
    assert len(fake.requests) == 2


@pytest.mark.filterwarnings("ignore:Sampling parameters")  # newer Claude models take none, and say so
async def test_sampling_settings_are_accepted(case: Case, opened: Any) -> None:
    with FakeProvider(case.kind, say("fine")) as fake:
        response = await ask(opened(case, fake), temperature=0.2, top_p=0.9, max_tokens=77)
    assert response.text == "fine"
    assert "77" in fake.requests[0].text
    assert ("0.2" in fake.requests[0].text) is (case.kind != "anthropic")


@pytest.mark.parametrize("way", [ask, listen])
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, ProviderError),
        (401, AuthError),
        (403, AuthError),
        (404, ProviderError),
        (429, RateLimitError),
        (500, TransientError),
        (503, TransientError),
    ],
)
async def test_an_error_status_has_its_class_and_is_sent_once(
    case: Case, opened: Any, way: Any, status: int, error: type[WeftError]
) -> None:
    with FakeProvider(case.kind, fail(status, "the reason in words")) as fake:
        with pytest.raises(error, match="the reason in words") as caught:
            await way(opened(case, fake))
    assert type(caught.value) is error
    assert len(fake.requests) == 1, "the client library must not retry"
    assert caught.value.ids["model"] == case.ref.id


async def test_a_rate_limit_says_how_long_to_wait(case: Case, opened: Any) -> None:
    with FakeProvider(case.kind, fail(429, "slow down", retry_after="7")) as fake:
        with pytest.raises(RateLimitError) as caught:
            await ask(opened(case, fake))
    assert caught.value.retry_after == 7


async def test_a_refused_request_never_shows_the_key(case: Case, opened: Any) -> None:
    with FakeProvider(case.kind, fail(401, "Incorrect API key provided: test-key-0123456789.")) as fake:
        with pytest.raises(AuthError) as caught:
            await ask(opened(case, fake))
    kept = "test-key-0123456789" not in fake.environ.values()
    assert ("test-key" in str(caught.value)) is kept, "what was sent as a key is taken out; other words are left alone"
    assert "--offline" in caught.value.fix


async def test_a_long_message_is_cut(case: Case, opened: Any) -> None:
    with FakeProvider(case.kind, fail(400, "x" * 5000)) as fake:
        with pytest.raises(ProviderError) as caught:
            await ask(opened(case, fake))
    assert len(str(caught.value)) < 700


async def test_garbage_is_an_error_of_the_provider(case: Case, opened: Any) -> None:
    with FakeProvider(case.kind, garbage()) as fake:
        with pytest.raises(ProviderError):
            await ask(opened(case, fake))


async def test_garbage_in_a_stream_never_passes_for_an_answer(case: Case, opened: Any) -> None:
    with FakeProvider(case.kind, garbage(b"data: {not json\n\n" + b"\x00" * 64)) as fake:
        with pytest.raises((ProviderError, TransientError)):
            await listen(opened(case, fake))


async def test_half_an_answer_is_transient(case: Case, opened: Any) -> None:
    with FakeProvider(case.kind, half()) as fake:
        with pytest.raises(TransientError):
            await ask(opened(case, fake))


@pytest.mark.parametrize("after", [0, 2, 4])
async def test_half_a_stream_is_transient(case: Case, opened: Any, after: int) -> None:
    with FakeProvider(case.kind, half(after=after)) as fake:
        with pytest.raises(TransientError):
            await listen(opened(case, fake))


@pytest.mark.parametrize("way", [ask, listen])
async def test_an_empty_answer_is_transient(case: Case, opened: Any, way: Any) -> None:
    with FakeProvider(case.kind, say("")) as fake:
        with pytest.raises(TransientError):
            await way(opened(case, fake))


@pytest.mark.parametrize("way", [ask, listen])
async def test_silence_ends_in_a_timeout(case: Case, opened: Any, way: Any) -> None:
    with FakeProvider(case.kind, hang()) as fake:
        with pytest.raises(StepTimeoutError):
            await way(opened(case, fake, timeout_s=0.3))
    assert len(fake.requests) == 1


async def test_a_closed_port_is_transient(case: Case, opened: Any) -> None:
    with FakeProvider(case.kind, say("never")) as fake:
        model = opened(case, fake)
    with pytest.raises(TransientError):
        await ask(model)


async def test_a_fault_passes_and_the_same_client_goes_on(case: Case, opened: Any) -> None:
    with FakeProvider(case.kind, Script(fail(500), half(), say("back"))) as fake:
        model = opened(case, fake)
        for _ in range(2):
            with pytest.raises(TransientError):
                await ask(model)
        assert (await ask(model)).text == "back"
