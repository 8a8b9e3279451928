"""Tools of the client, and clients of others: LangChain's, and the official one without a wait."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from openai import AsyncOpenAI, OpenAI
from pydantic import SecretStr

from tests.server.openai.conftest import Brain
from tests.server.served import Served
from weft.testing.providers import FakeProvider, Request, ToolCall, Turn, calls, say

pytestmark = pytest.mark.slow
MODEL = "openai/gpt-4o-mini"
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather somewhere.",
        "parameters": {"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]},
    },
}


def forecaster(request: Request) -> Turn:
    results = [one["content"] for one in request.body["messages"] if one["role"] == "tool"]
    if results:
        return say(f"It is {' and '.join(results)}.")
    return calls(ToolCall("weather", {"at": "Ulm"}), ToolCall("weather", {"at": "Bern"}))


def test_a_model_asks_the_client_for_tools(client: OpenAI, brain: Brain, provider: FakeProvider) -> None:
    brain.reply = forecaster
    messages: list[Any] = [{"role": "user", "content": "Weather in Ulm and Bern?"}]
    first = client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER], tool_choice="auto")
    choice = first.choices[0]
    assert choice.finish_reason == "tool_calls"
    assert [one.function.arguments for one in choice.message.tool_calls or ()] == ['{"at":"Ulm"}', '{"at":"Bern"}']
    assert provider.requests[-1].body["tools"][0]["function"]["name"] == "weather"
    messages.append(choice.message)
    for one, said in zip(choice.message.tool_calls or (), ("wet", "dry"), strict=True):
        messages.append({"role": "tool", "tool_call_id": one.id, "content": said})
    second = client.chat.completions.with_raw_response.create(model=MODEL, messages=messages, tools=[WEATHER])
    assert second.parse().choices[0].message.content == "It is wet and dry."
    assert second.headers["x-session-id"] == first.id.removeprefix("chatcmpl-")


def test_the_official_helper_puts_streamed_calls_together(client: OpenAI, brain: Brain) -> None:
    brain.reply = forecaster
    with client.chat.completions.stream(
        model=MODEL, messages=[{"role": "user", "content": "Weather?"}], tools=[WEATHER]
    ) as stream:
        for _ in stream:
            pass
        message = stream.get_final_completion().choices[0].message
    assert [one.function.arguments for one in message.tool_calls or ()] == ['{"at":"Ulm"}', '{"at":"Bern"}']


async def test_the_official_client_without_a_wait(aclient: AsyncOpenAI) -> None:
    stream = await aclient.chat.completions.create(
        model="desk/writer", messages=[{"role": "user", "content": "looms"}], stream=True
    )
    said = "".join([one.choices[0].delta.content or "" async for one in stream if one.choices])
    assert said == "Of looms: all is well."


async def test_langchain_talks_streams_and_calls_tools(service: Served, brain: Brain) -> None:
    @tool
    def weather(at: str) -> str:
        """The weather somewhere."""
        return f"wet at {at}"

    chat = ChatOpenAI(base_url=f"{service.url}/v1", api_key=SecretStr("unused"), model=MODEL, stream_usage=True)
    assert (await chat.ainvoke("looms")).content == "Of looms: all is well."
    agent = ChatOpenAI(base_url=f"{service.url}/v1", api_key=SecretStr("unused"), model="desk", stream_usage=True)
    pieces = [one async for one in agent.astream("felt")]
    assert "".join(str(one.content) for one in pieces) == "Of Write of Of felt: all is well.: all is well."
    assert any(one.usage_metadata for one in pieces)
    brain.reply = forecaster
    bound = chat.bind_tools([weather])
    asked = await bound.ainvoke([HumanMessage("Weather?")])
    results = [await weather.ainvoke(one) for one in asked.tool_calls]
    answered = await bound.ainvoke([HumanMessage("Weather?"), asked, *results])
    assert answered.content == "It is wet at Ulm and wet at Bern."


def test_a_form_is_asked_of_the_model(client: OpenAI, brain: Brain, provider: FakeProvider) -> None:
    brain.reply = lambda _: say('{"name": "Ada"}')
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    wanted: Any = {"type": "json_schema", "json_schema": {"name": "person", "schema": schema, "strict": True}}
    answered = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Who?"}], response_format=wanted
    )
    assert answered.choices[0].message.content == '{"name": "Ada"}'
    assert provider.requests[-1].body["response_format"]["json_schema"]["name"] == "person"


def test_a_picture_is_passed_on_and_an_address_is_not_fetched(client: OpenAI, provider: FakeProvider) -> None:
    picture = "data:image/png;base64,iVBORw0KGgo="
    parts: Any = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": picture}}]
    client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": parts}])
    assert picture in provider.requests[-1].text
    parts[1]["image_url"]["url"] = "http://169.254.169.254/latest"
    with pytest.raises(Exception, match="addresses are not fetched"):
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": parts}])


def test_an_agent_waits_for_the_tools_of_the_client_also_through_a_crash(
    client: OpenAI, brain: Brain, provider: FakeProvider, service: Served
) -> None:
    brain.reply = forecaster
    chat = client.chat.completions.with_raw_response
    messages: list[Any] = [{"role": "user", "content": "Weather in Ulm and Bern?"}]
    first = chat.create(model="desk/reader", messages=messages, tools=[WEATHER])
    choice = first.parse().choices[0]
    assert choice.finish_reason == "tool_calls"
    asked = choice.message.tool_calls or []
    assert [json.loads(one.function.arguments) for one in asked] == [{"at": "Ulm"}, {"at": "Bern"}]
    run_id = first.headers["x-run-id"]
    assert service.run(run_id)["status"] == "waiting"
    service.restart()
    messages.append(choice.message)
    messages += [
        {"role": "tool", "tool_call_id": one.id, "content": said}
        for one, said in zip(asked, ("wet", "dry"), strict=True)
    ]
    second = chat.create(model="desk/reader", messages=messages, tools=[WEATHER])
    assert second.parse().choices[0].message.content == "It is wet and dry."
    assert second.headers["x-run-id"] == run_id
    assert len(provider.requests) == 2
    again = chat.create(model="desk/reader", messages=messages, tools=[WEATHER])
    assert again.parse().choices[0].message.content == "It is wet and dry."
    assert len(provider.requests) == 2
    messages[-1]["content"] = "other"
    with pytest.raises(openai.ConflictError):
        chat.create(model="desk/reader", messages=messages, tools=[WEATHER])
    messages[-1]["tool_call_id"] = "call_" + "0" * 32
    with pytest.raises(openai.NotFoundError):
        chat.create(model="desk/reader", messages=messages, tools=[WEATHER])


def test_an_agent_asks_for_tools_of_the_client_in_a_stream(client: OpenAI, brain: Brain) -> None:
    brain.reply = forecaster
    messages: list[Any] = [{"role": "user", "content": "Weather, streamed?"}]
    with client.chat.completions.stream(model="desk/reader", messages=messages, tools=[WEATHER]) as stream:
        for _ in stream:
            pass
        message = stream.get_final_completion().choices[0].message
    messages.append(message)
    for one in message.tool_calls or ():
        messages.append({"role": "tool", "tool_call_id": one.id, "content": "wet"})
    answer = client.chat.completions.create(model="desk/reader", messages=messages, tools=[WEATHER], stream=True)
    assert "".join(one.choices[0].delta.content or "" for one in answer if one.choices) == "It is wet and wet."


def test_a_response_of_an_agent_asks_for_tools_of_the_client(client: OpenAI, brain: Brain) -> None:
    brain.reply = forecaster
    tool: Any = {"type": "function", **WEATHER["function"]}
    first = client.responses.create(model="desk/reader", input="Weather, as a response?", tools=[tool])
    results: Any = [
        {"type": "function_call_output", "call_id": one.call_id, "output": "wet"}
        for one in first.output
        if one.type == "function_call"
    ]
    assert len(results) == 2
    second = client.responses.create(model="desk/reader", input=results, previous_response_id=first.id, tools=[tool])
    assert second.output_text == "It is wet and wet."
    assert client.responses.retrieve(first.id).output[0].type == "function_call"


def test_several_agents_have_no_use_for_tools_of_the_client(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="several agents"):
        client.chat.completions.create(model="desk", messages=[{"role": "user", "content": "x"}], tools=[WEATHER])


def test_what_an_agent_says_before_a_call_is_no_part_of_its_answer(client: OpenAI, brain: Brain) -> None:
    def reply(request: Request) -> Turn:
        results = [one["content"] for one in request.body["messages"] if one["role"] == "tool"]
        return (
            say("It is 42.")
            if results
            else Turn(text="Let me see.", calls=(ToolCall("calculator", {"expression": "6*7"}),))
        )

    brain.reply = reply
    chunks = list(
        client.chat.completions.create(
            model="sums", messages=[{"role": "user", "content": "What is six times seven?"}], stream=True
        )
    )
    assert "".join(one.choices[0].delta.content or "" for one in chunks) == "It is 42."
    thoughts = "".join(getattr(one.choices[0].delta, "reasoning_content", "") for one in chunks)
    assert thoughts == "Let me see."
