"""``weft/auto``: who answers is found out from what is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI

from tests.server.openai.conftest import Brain, echo
from tests.server.openai.test_tools import WEATHER
from tests.server.served import Served
from weft.testing.providers import FakeProvider, ToolCall, calls, say

pytestmark = pytest.mark.slow


def ask(client: OpenAI, text: str, mode: str = "auto", **more: Any) -> list[Any]:
    stream = client.chat.completions.create(
        model="weft/auto",
        messages=[{"role": "user", "content": text}],
        stream=True,
        stream_options={"include_usage": True},
        extra_body={"weft": {"mode": mode}},
        **more,
    )
    return list(stream)


def said(chunks: list[Any]) -> str:
    return "".join(one.choices[0].delta.content or "" for one in chunks if one.choices)


def test_several_tasks_are_planned_and_the_streams_merged(client: OpenAI, brain: Brain) -> None:
    def reply(request: Any) -> Any:
        writing = "Write an article" in request.prompt
        return say("An article of looms." if writing else "Three facts.", pause_s=0.002)

    brain.reply = reply
    chunks = ask(client, "Research looms, then write an article.")
    assert chunks[0].weft["mode"] == "orchestration"
    assert said(chunks) == "An article of looms."
    pieces = [one for one in chunks if one.choices and one.choices[0].delta.content]
    assert len(pieces) > 2, "the last agent's answer streams"
    assert {one.weft["agent"] for one in pieces[1:]} == {"writer"}
    thoughts = [one for one in chunks if one.choices and getattr(one.choices[0].delta, "reasoning_content", None)]
    assert {one.weft["agent"] for one in thoughts} == {"reader"}
    children = {one.weft["agent"] for one in chunks if one.choices and one.weft.get("kind") == "child"}
    assert {"desk/reader", "desk/writer"} <= children
    assert chunks[-1].usage.weft["requests"] == 2


def test_one_task_goes_to_the_agent_that_fits(client: OpenAI) -> None:
    chunks = ask(client, "Find sources about looms.")
    assert (chunks[0].weft["mode"], chunks[0].weft["target"]) == ("reasoning", "desk/reader")
    assert said(chunks) == "Of Find sources about looms.: all is well."


def test_what_fits_nobody_goes_to_a_model_as_it_stands(client: OpenAI, provider: FakeProvider) -> None:
    chunks = ask(client, "xyzzy plugh")
    assert (chunks[0].weft["mode"], chunks[0].weft["target"]) == ("pass-through", "openai/gpt-4o-mini")
    assert len(provider.requests[-1].body["messages"]) == 1


def test_a_mode_that_is_asked_for_is_kept(client: OpenAI) -> None:
    assert ask(client, "Find sources.", "pass-through")[0].weft["target"] == "openai/gpt-4o-mini"
    assert ask(client, "Find sources.", "orchestration")[0].weft["target"] == "weft/auto"
    with pytest.raises(openai.ConflictError) as refused:
        ask(client, "xyzzy plugh", "reasoning")
    assert refused.value.code == "rejected"


def test_a_response_may_be_automatic_too(client: OpenAI) -> None:
    made = client.responses.create(model="weft/auto", input="Research looms and then write an article.")
    assert made.status == "completed"
    assert "all is well" in made.output_text


def researcher(request: Any) -> Any:
    """Asks for the weather while it finds facts, and writes of what it was told."""
    results = [one["content"] for one in request.body["messages"] if one["role"] == "tool"]
    if results:
        return say(f"It is {results[0]}.")
    if "Write an article" in request.prompt:
        return say("An article of the weather.")
    return calls(ToolCall("weather", {"at": "Ulm"}))


def test_the_agents_of_a_plan_may_call_tools_of_the_client_also_through_a_crash(
    client: OpenAI, brain: Brain, provider: FakeProvider, service: Served
) -> None:
    brain.reply = researcher
    chat = client.chat.completions.with_raw_response
    messages: list[Any] = [{"role": "user", "content": "Research looms, then write an article."}]
    asked = chat.create(model="weft/auto", messages=messages, tools=[WEATHER])
    choice = asked.parse().choices[0]
    assert choice.finish_reason == "tool_calls"
    (call,) = choice.message.tool_calls or []
    assert (call.function.name, call.function.arguments) == ("weather", '{"at": "Ulm"}')
    service.restart()
    messages += [choice.message, {"role": "tool", "tool_call_id": call.id, "content": "wet"}]
    answered = chat.create(model="weft/auto", messages=messages, tools=[WEATHER])
    assert answered.parse().choices[0].message.content == "An article of the weather."
    assert answered.headers["x-run-id"] == asked.headers["x-run-id"]
    assert "It is wet." in provider.requests[-1].text
    assert [one["function"]["name"] for one in provider.requests[-1].body["tools"]] == ["weather"]


def test_tools_of_the_client_stream_out_of_a_plan_and_go_where_one_agent_is_enough(
    client: OpenAI, brain: Brain
) -> None:
    brain.reply = researcher
    chunks = ask(client, "Research felt, then write an article.", tools=[WEATHER])
    assert chunks[0].weft["mode"] == "orchestration"
    finished = [one.choices[0].finish_reason for one in chunks if one.choices]
    assert finished[-1] == "tool_calls"
    named = [call.function.name for one in chunks if one.choices for call in one.choices[0].delta.tool_calls or ()]
    assert named == ["weather"]
    alone = ask(client, "Find sources about felt.", tools=[WEATHER])
    assert alone[0].weft["target"] == "desk/reader"
    assert [one.choices[0].finish_reason for one in alone if one.choices][-1] == "tool_calls"
    made = client.responses.create(
        model="weft/auto",
        input="Research wool, then write an article.",
        tools=[{"type": "function", "strict": False, **WEATHER["function"]}],
    )
    (call,) = [one for one in made.output if one.type == "function_call"]
    result: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "dry"}
    rest = client.responses.create(model="weft/auto", previous_response_id=made.id, input=[result])
    assert rest.output_text == "An article of the weather."


@pytest.fixture(autouse=True)
def _calm(brain: Brain) -> Iterator[None]:
    brain.reply = echo
    yield
