"""Which run answers a request: in its session, once, and only as long as somebody waits for it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Callable

import httpx
import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from tests.server.openai.conftest import Brain, echo
from tests.server.served import Served
from tests.waiting import coming
from weft.testing.providers import FakeProvider, Request, Turn, fail, say

pytestmark = pytest.mark.slow
ASK = [{"role": "user", "content": "looms"}]


def slowly(seconds: float) -> Callable[[Request], Turn]:
    return lambda request: say(f"Of {request.prompt[:80]}: all is well.", delay_s=seconds)


def endless(_: Request) -> Turn:
    return say("word " * 2_000, pause_s=0.02)


def ended(service: Served, run_id: str, within: float = 30) -> dict[str, object]:
    until = time.monotonic() + within
    while (run := service.run(run_id))["status"] in {"queued", "running"}:
        assert time.monotonic() < until, run
        time.sleep(0.05)
    return run


def test_a_history_that_is_sent_again_goes_on_in_its_session(client: OpenAI) -> None:
    chat = client.chat.completions.with_raw_response
    first = chat.create(model="desk/reader", messages=ASK)
    said = first.parse().choices[0].message.content
    more = [*ASK, {"role": "assistant", "content": said}, {"role": "user", "content": "more"}]
    second = chat.create(model="desk/reader", messages=more)
    assert second.headers["x-session-id"] == first.headers["x-session-id"]
    assert second.headers["x-run-id"] != first.headers["x-run-id"]
    made_up = [*ASK, {"role": "assistant", "content": "Nobody said so."}, {"role": "user", "content": "more"}]
    third = chat.create(model="desk/reader", messages=made_up)
    assert third.headers["x-session-id"] != first.headers["x-session-id"]


def test_an_agent_is_given_what_was_said_before(client: OpenAI, provider: FakeProvider) -> None:
    history = [*ASK, {"role": "assistant", "content": "Looms weave."}, {"role": "user", "content": "more"}]
    client.chat.completions.create(model="desk/reader", messages=history)
    roles = [(one["role"], one["content"]) for one in provider.requests[-1].body["messages"]]
    assert roles[-3:] == [("user", "looms"), ("assistant", "Looms weave."), ("user", "more")]


def test_the_session_may_be_named(client: OpenAI) -> None:
    chat = client.chat.completions.with_raw_response
    answers = [
        chat.create(model="desk/reader", messages=ASK, extra_headers={"X-Session-ID": "mine"}),
        chat.create(
            model="desk/reader", messages=[{"role": "user", "content": "b"}], extra_body={"weft": {"session": "mine"}}
        ),
        chat.create(model="desk/reader", messages=[{"role": "user", "content": "c"}], metadata={"session_id": "mine"}),
    ]
    assert {one.headers["x-session-id"] for one in answers} == {"mine"}
    assert len({one.headers["x-run-id"] for one in answers}) == 3


async def test_a_repeat_attaches_to_the_run_that_is_there(
    aclient: AsyncOpenAI, brain: Brain, provider: FakeProvider
) -> None:
    brain.reply = slowly(2)
    chat = aclient.chat.completions.with_raw_response
    both = await asyncio.gather(*(chat.create(model="desk/reader", messages=ASK) for _ in range(2)))
    assert len({one.headers["x-run-id"] for one in both}) == 1
    assert len(provider.requests) == 1
    brain.reply = echo
    keyed = [
        await chat.create(model="desk/reader", messages=ASK, extra_headers={"Idempotency-Key": key}) for key in "aab"
    ]
    assert len({one.headers["x-run-id"] for one in keyed}) == 2
    with pytest.raises(openai.ConflictError) as refused:
        await chat.create(
            model="desk/reader", messages=[{"role": "user", "content": "x"}], extra_headers={"Idempotency-Key": "a"}
        )
    assert refused.value.response.headers["x-should-retry"] == "false"


def test_a_run_that_failed_is_not_started_again_by_the_client(
    client: OpenAI, brain: Brain, provider: FakeProvider
) -> None:
    brain.reply = lambda _: fail(401, "no such key")
    with pytest.raises(openai.APIStatusError) as failed:
        client.chat.completions.create(model="openai/gpt-4o-mini", messages=ASK)
    assert failed.value.body["code"] == "auth"
    assert failed.value.response.headers["x-should-retry"] == "false"
    assert len(provider.requests) == 1


async def test_one_turn_of_a_session_at_a_time(
    aclient: AsyncOpenAI, brain: Brain, service: Served, provider: FakeProvider
) -> None:
    brain.reply = slowly(3)
    chat = aclient.chat.completions.with_raw_response
    named = {"X-Session-ID": "s"}
    first = asyncio.ensure_future(chat.create(model="desk/reader", messages=ASK, extra_headers=named))
    await coming(lambda: provider.requests)
    brain.reply = echo
    more = [{"role": "user", "content": "more"}]
    with pytest.raises(openai.ConflictError) as refused:
        await chat.create(model="desk/reader", messages=more, extra_headers=named)
    assert refused.value.response.headers["x-should-retry"] == "false"
    queued = await chat.create(
        model="desk/reader", messages=more, extra_headers=named, extra_body={"weft": {"queue": True}}
    )
    begun = await first
    assert queued.headers["x-run-id"] != begun.headers["x-run-id"]
    runs = [service.run(one.headers["x-run-id"]) for one in (begun, queued)]
    assert runs[0]["updated_at"] <= runs[1]["created_at"]


def test_a_client_that_goes_away_in_a_stream_cancels_the_run(client: OpenAI, brain: Brain, service: Served) -> None:
    brain.reply = endless
    stream = client.chat.completions.create(model="desk/reader", messages=ASK, stream=True)
    next(iter(stream))
    run_id = next(iter(stream)).weft["run_id"]
    stream.close()
    assert ended(service, run_id)["status"] == "cancelled"
    brain.reply = echo
    again = client.chat.completions.create(model="desk/reader", messages=ASK)
    assert again.choices[0].message.content == "Of looms: all is well."


async def test_a_client_that_goes_away_while_it_waits_cancels_the_run(
    brain: Brain, service: Served, provider: FakeProvider
) -> None:
    brain.reply = slowly(60)
    body = {"model": "desk/reader", "messages": ASK}
    async with httpx.AsyncClient(timeout=60) as client:
        waiting = asyncio.ensure_future(
            client.post(f"{service.url}/v1/chat/completions", json=body, headers={"X-Session-ID": "gone"})
        )
        await coming(lambda: provider.requests)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    run_id = service.latest()
    assert run_id is not None
    assert ended(service, run_id)["status"] == "cancelled"


def test_a_run_in_the_background_goes_on(client: OpenAI, brain: Brain, service: Served) -> None:
    brain.reply = lambda _: say("word " * 60, pause_s=0.01)
    stream = client.chat.completions.create(
        model="desk/reader", messages=ASK, stream=True, extra_body={"weft": {"background": True}}
    )
    run_id = next(iter(stream)).weft["run_id"]
    stream.close()
    assert ended(service, run_id)["status"] == "completed"


def test_a_run_that_waits_for_somebody_ends_the_turn(client: OpenAI, service: Served) -> None:
    for stream in (False, True):
        messages = [{"role": "user", "content": f"looms {stream}"}]
        answered = client.chat.completions.create(model="asks", messages=messages, stream=stream)
        if stream:
            chunks = list(answered)
            said = "".join(one.choices[0].delta.content or "" for one in chunks)
            finish, weft = chunks[-1].choices[0].finish_reason, chunks[-1].weft
        else:
            said, finish, weft = answered.choices[0].message.content, answered.choices[0].finish_reason, answered.weft
        assert finish == "stop"
        assert "Send it?" in said
        assert f"{service.url}/api/v1/gates/{weft['gate']['id']}" in said
        assert weft["gate"]["choices"] == ["send", "reject"]
        assert service.run(weft["run_id"])["status"] == "waiting"


def test_a_run_outlives_the_service(client: OpenAI, brain: Brain, service: Served, provider: FakeProvider) -> None:
    """Killed in the middle of a request, the official client asks again and gets the answer of the same run."""
    brain.reply = slowly(1.5)
    answered = client.with_options(max_retries=8).chat.completions.with_raw_response

    async def both() -> tuple[str, str]:
        asking = asyncio.to_thread(answered.create, model="desk", messages=ASK)
        task = asyncio.ensure_future(asking)
        while not any(one.prompt.startswith("Write of") for one in provider.requests):
            await asyncio.sleep(0.05)
        before = service.latest()
        await asyncio.to_thread(service.restart)
        brain.reply = echo
        found = await task
        assert "all is well" in found.parse().choices[0].message.content
        return before, found.headers["x-run-id"]

    before, after = asyncio.run(both())
    assert before == after
    readers = [one for one in provider.requests if one.prompt == "looms"]
    assert len(readers) == 1


def test_curl_streams_and_is_told_what_is_wrong(service: Served) -> None:
    body = json.dumps({"model": "desk/reader", "messages": ASK, "stream": True, "made_up": 1})
    curl = ["curl", "-sN", f"{service.url}/v1/chat/completions", "-H", "Content-Type: application/json", "-d"]
    out = subprocess.run([*curl, body], capture_output=True, text=True, check=True, timeout=30).stdout  # noqa: S603
    lines = [line for line in out.splitlines() if line]
    assert lines[-1] == "data: [DONE]"
    assert all(line.startswith("data: ") for line in lines)
    for wrong in ('{"model": "desk"}', '{"model": "desk", "messages": []}', "[1", '{"model": 3, "messages": "x"}'):
        out = subprocess.run([*curl, wrong], capture_output=True, text=True, check=True, timeout=30).stdout  # noqa: S603
        error = json.loads(out)["error"]
        assert (error["type"], error["code"]) == ("invalid_request_error", "input")


def test_a_stream_that_the_service_dies_in_is_had_again_whole(
    client: OpenAI, brain: Brain, service: Served, provider: FakeProvider
) -> None:
    brain.reply = lambda _: say("alpha beta gamma delta " * 8, pause_s=0.05)
    asked = {"model": "desk/writer", "messages": [{"role": "user", "content": "stream"}], "stream": True}
    stream = client.chat.completions.create(**asked)
    run_id = next(iter(stream)).weft["run_id"]
    with pytest.raises((openai.APIError, httpx.HTTPError)):
        for number, _ in enumerate(stream):
            if number == 8:
                service.kill()
    service.start()
    again = list(client.chat.completions.create(**asked, extra_headers={"x-stainless-retry-count": "1"}))
    assert again[0].weft["run_id"] == run_id
    assert "".join(one.choices[0].delta.content or "" for one in again) == "alpha beta gamma delta " * 8


def test_a_service_that_stops_ends_its_streams_and_leaves_the_run(
    client: OpenAI, brain: Brain, service: Served
) -> None:
    brain.reply = lambda _: say("word " * 40, pause_s=0.05)
    stream = client.chat.completions.create(
        model="desk/writer", messages=[{"role": "user", "content": "stop"}], stream=True
    )
    first = next(iter(stream))
    assert service.process is not None
    service.process.terminate()
    said = "".join(one.choices[0].delta.content or "" for one in stream)
    assert said == "word " * 40, "running work is finished within server.drain_s"
    assert service.process.wait(timeout=30) == 0
    service.start()
    assert service.run(first.weft["run_id"])["status"] == "completed"
