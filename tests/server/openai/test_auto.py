"""``weft/auto``: who answers is found out from what is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI

from tests.server.openai.conftest import Brain, echo
from weft.testing.providers import FakeProvider, say

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


@pytest.fixture(autouse=True)
def _calm(brain: Brain) -> Iterator[None]:
    brain.reply = echo
    yield
