"""Chat completions with the official client."""

from __future__ import annotations

import openai
import pytest
from openai import OpenAI

from tests.server.served import Served

pytestmark = pytest.mark.slow
ASK = [{"role": "user", "content": "looms"}]


def test_what_is_served_is_listed_as_models(client: OpenAI) -> None:
    names = {model.id for model in client.models.list()}
    assert {"desk", "desk/reader", "desk/writer", "asks", "weft/auto", "openai/gpt-4o-mini"} <= names
    assert client.models.retrieve("desk/reader").id == "desk/reader"
    with pytest.raises(openai.NotFoundError) as refused:
        client.models.retrieve("nobody")
    assert refused.value.code == "not-found"


def test_a_workflow_answers(client: OpenAI, service: Served) -> None:
    answered = client.chat.completions.with_raw_response.create(model="desk", messages=ASK)
    completion = answered.parse()
    assert completion.choices[0].message.content == "Of Write of Of looms: all is well.: all is well."
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage is not None
    assert completion.usage.total_tokens > 0
    run = service.run(answered.headers["x-run-id"])
    assert run["status"] == "completed"
    assert completion.id == f"chatcmpl-{run['id']}"


def test_a_stream_says_the_answer_and_names_who_speaks(client: OpenAI) -> None:
    stream = client.chat.completions.create(
        model="desk", messages=ASK, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    said = "".join(one.choices[0].delta.content or "" for one in chunks if one.choices)
    assert said == "Of Write of Of looms: all is well.: all is well."
    thought = "".join(getattr(one.choices[0].delta, "reasoning_content", "") for one in chunks if one.choices)
    assert thought == "Of looms: all is well."
    speakers = {one.weft["agent"] for one in chunks if one.choices and one.choices[0].delta.content}
    assert speakers == {"writer"}
    assert [one.choices[0].finish_reason for one in chunks if one.choices][-1] == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens > 0


def test_a_model_is_asked_as_it_stands(client: OpenAI, provider) -> None:
    answered = client.chat.completions.create(
        model="openai/gpt-4o-mini",
        messages=[{"role": "system", "content": "Be brief."}, *ASK],
        temperature=0.3,
        max_tokens=50,
        seed=7,
        stop=["END"],
    )
    assert answered.choices[0].message.content == "Of looms: all is well."
    asked = provider.requests[-1].body
    assert asked["messages"][0] == {"role": "system", "content": "Be brief."}
    assert (asked["temperature"], asked["max_tokens"], asked["seed"], asked["stop"]) == (0.3, 50, 7, ["END"])
    assert "tools" not in asked


def test_a_model_that_is_not_allowed_is_not_there(client: OpenAI, provider) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        client.chat.completions.create(model="openai/gpt-5", messages=ASK)
    assert refused.value.body["code"] == "not-found"
    assert provider.requests == []
