"""Responses with the official client."""

from __future__ import annotations

import time
from typing import Any

import openai
import pytest
from openai import OpenAI

from tests.server.openai.conftest import Brain
from tests.server.served import Served
from weft.testing.providers import FakeProvider, call, say

pytestmark = pytest.mark.slow
WHOLE = "Of Write of Of looms: all is well.: all is well."


def events_of(client: OpenAI, response_id: str, after: int = 0) -> list[Any]:
    return list(client.responses.retrieve(response_id, stream=True, starting_after=after))


def until_done(client: OpenAI, response_id: str, within: float = 30) -> Any:
    until = time.monotonic() + within
    while (found := client.responses.retrieve(response_id)).status in {"queued", "in_progress"}:
        assert time.monotonic() < until
        time.sleep(0.05)
    return found


def test_a_response_is_answered_and_kept(client: OpenAI) -> None:
    made = client.responses.create(model="desk", input="looms", metadata={"a": "b"})
    assert (made.status, made.output_text) == ("completed", WHOLE)
    assert made.usage is not None
    assert made.usage.total_tokens > 0
    again = client.responses.retrieve(made.id)
    assert again.output_text == WHOLE
    assert again.metadata == {"a": "b"}
    items = client.responses.input_items.list(made.id)
    assert [item.content[0].text for item in items.data] == ["looms"]
    client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)


def test_the_helper_accepts_the_stream(client: OpenAI) -> None:
    with client.responses.stream(model="desk", input="looms") as stream:
        seen = [event.type for event in stream]
        final = stream.get_final_response()
    assert final.output_text == WHOLE
    own = [one for one in seen if one.startswith("response.") and one != "response.output_text.delta"]
    assert own == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert "weft.event" in seen


def test_a_conversation_goes_on(client: OpenAI, provider: FakeProvider) -> None:
    first = client.responses.create(model="openai/gpt-4o-mini", input="looms", instructions="Be brief.")
    second = client.responses.create(model="openai/gpt-4o-mini", input="more", previous_response_id=first.id)
    asked = [(one["role"], one["content"]) for one in provider.requests[-1].body["messages"]]
    assert asked == [("user", "looms"), ("assistant", "Of looms: all is well."), ("user", "more")]
    assert second.weft["session"] == first.weft["session"]
    assert provider.requests[0].body["messages"][0] == {"role": "system", "content": "Be brief."}


def test_what_is_not_to_be_stored_is_not_there(client: OpenAI) -> None:
    made = client.responses.create(model="openai/gpt-4o-mini", input="secret", store=False)
    assert made.output_text
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)
    for guessed in ("resp_1", "resp_" + "0" * 32, made.id + "_9"):
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(guessed)


def test_in_the_background_it_goes_on_and_can_be_cancelled(client: OpenAI, brain: Brain) -> None:
    brain.reply = lambda _: say("word " * 100, pause_s=0.01)
    made = client.responses.create(model="desk/reader", input="looms", background=True)
    assert made.status in {"queued", "in_progress"}
    assert until_done(client, made.id).output_text == "word " * 100
    brain.reply = lambda _: say("late", delay_s=30)
    made = client.responses.create(model="desk/reader", input="other", background=True)
    client.responses.cancel(made.id)
    assert until_done(client, made.id).status == "cancelled"


def test_a_stream_is_resumed_where_it_broke_off_also_by_another_process(
    client: OpenAI, brain: Brain, service: Served
) -> None:
    brain.reply = lambda request: say("one two three four five six " * 10, pause_s=0.01)
    stream = client.responses.create(model="desk/writer", input="looms", background=True, stream=True)
    whole = [event for event in stream if event.type.startswith("response.")]
    id_ = whole[0].response.id
    text = "".join(one.delta for one in whole if one.type == "response.output_text.delta")
    assert text == "one two three four five six " * 10
    service.restart()
    for place in (0, 1, 3, len(whole) // 2, len(whole) - 3):
        seen = whole[: place + 1]
        rest = [one for one in events_of(client, id_, seen[-1].sequence_number) if one.type.startswith("response.")]
        said = "".join(one.delta for one in [*seen, *rest] if one.type == "response.output_text.delta")
        assert said == text
        assert rest[-1].type == "response.completed"
        assert rest[-1].sequence_number == whole[-1].sequence_number
        numbers = [one.sequence_number for one in [*seen, *rest]]
        assert numbers == sorted(set(numbers))


def test_killed_in_the_middle_the_stream_is_resumed_and_whole(client: OpenAI, brain: Brain, service: Served) -> None:
    brain.reply = lambda _: say("alpha beta gamma delta " * 8, pause_s=0.04)
    stream = client.responses.create(model="desk/writer", input="kill", background=True, stream=True)
    seen: list[Any] = []
    for event in stream:
        seen += [event] if event.type.startswith("response.") else []
        if len(seen) > 12:
            break
    service.restart()
    rest = [
        one
        for one in events_of(client, seen[0].response.id, seen[-1].sequence_number)
        if one.type.startswith("response.")
    ]
    said = "".join(one.delta for one in [*seen, *rest] if one.type == "response.output_text.delta")
    assert said == "alpha beta gamma delta " * 8
    assert rest[-1].type == "response.completed"


def test_tools_of_the_client_are_asked_for_and_answered(client: OpenAI, brain: Brain, provider: FakeProvider) -> None:
    tool: Any = {
        "type": "function",
        "name": "weather",
        "parameters": {"type": "object", "properties": {"at": {"type": "string"}}},
    }
    brain.reply = lambda request: (
        say("It rains.") if request.body["messages"][-1]["role"] == "tool" else call("weather", {"at": "Ulm"})
    )
    with client.responses.stream(model="openai/gpt-4o-mini", input="Weather?", tools=[tool]) as stream:
        list(stream)
        first = stream.get_final_response()
    asked = first.output[0]
    assert (asked.type, asked.name, asked.arguments) == ("function_call", "weather", '{"at":"Ulm"}')
    answer: Any = [{"type": "function_call_output", "call_id": asked.call_id, "output": "rain"}]
    second = client.responses.create(
        model="openai/gpt-4o-mini", input=answer, previous_response_id=first.id, tools=[tool]
    )
    assert second.output_text == "It rains."
    assert [one["role"] for one in provider.requests[-1].body["messages"]] == ["user", "assistant", "tool"]


def test_an_approval_is_asked_for_and_given_in_the_response(client: OpenAI, service: Served) -> None:
    first = client.responses.create(model="asks", input="looms")
    assert first.status == "completed"
    asked = first.output[-1]
    assert (asked.type, asked.server_label) == ("mcp_approval_request", "weft")
    forged: Any = [{"type": "mcp_approval_response", "approval_request_id": "mcpr_" + "0" * 32, "approve": True}]
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model="asks", input=forged, previous_response_id=first.id)
    service.restart()
    answer: Any = [
        {"type": "mcp_approval_response", "approval_request_id": asked.id, "approve": True, "arguments": "{}"}
    ]
    second = client.responses.create(model="asks", input=answer, previous_response_id=first.id)
    assert second.output_text == "Of It was send.: all is well."
    assert second.id != first.id
    assert client.responses.retrieve(second.id).output_text == second.output_text
    assert client.responses.retrieve(first.id).output[-1].type == "mcp_approval_request"
    run = service.run(first.weft["run_id"])
    assert run["status"] == "completed"


def test_a_rejection_ends_the_run(client: OpenAI) -> None:
    first = client.responses.create(model="asks", input="felt")
    answer: Any = [
        {"type": "mcp_approval_response", "approval_request_id": first.output[-1].id, "approve": False, "reason": "no"}
    ]
    second = client.responses.create(model="asks", input=answer, previous_response_id=first.id)
    assert (second.status, second.error.code) == ("failed", "rejected")
