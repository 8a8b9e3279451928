"""Long conversations: when they are shortened, what an agent then sees, what that costs, and that a resumed run sees the same."""

from pathlib import Path
from typing import Any

import pytest

from tests.agents.studio import ask, plan_of, studio
from weft.agents.compaction import cut_before
from weft.agents.tokens import estimate, text_tokens
from weft.core.usage import Usage
from weft.plan.nodes import Plan
from weft.testing.failpoints import Crash, CrashingWriter, bury
from weft.testing.providers import Script, call, fail, say
from weft.tools.port import ToolSpec

LONG = "word " * 1000
POLICY = {"when_tokens_over": 1500, "summary_ratio": 0.2, "preserve_recent_messages": 2, "enabled": True}


class Echo:
    spec = ToolSpec(
        name="echo",
        description="Says it.",
        input_schema={"type": "object", "properties": {"text": {"type": "string"}}},
        effect="pure",
    )

    def effect_of(self, args):
        return "pure"

    async def call(self, args, context):
        return args["text"]

    async def check(self, key, context):
        return None


def long_plan(*children: Any, **policy: Any) -> Plan:
    plan = plan_of(*children, tools=["echo"])
    plan.definitions["context_policy"] = {"compaction": {**POLICY, **policy}}  # type: ignore[index]
    return plan


def brain(seen: list[Any]) -> Any:
    """Answers at length, summarises in short, and remembers what it was sent."""

    def answer(request: Any) -> Any:
        seen.append(request.body)
        if "You shorten a conversation" in request.text:
            return say("They counted words.", input_tokens=900, output_tokens=5)
        return say(f"{LONG} {len(seen)}")

    return answer


async def test_before_a_request_grows_too_long_its_oldest_part_gives_way_to_a_summary(tmp_path: Path) -> None:
    seen: list[Any] = []
    async with studio(brain(seen), tmp_path, tools={"echo": Echo()}) as s:
        result = await s.run(long_plan(*(ask(f"s{n}", f"question {n}") for n in range(4))))
        paths = [path for kind, path in s.kinds(result.run_id) if kind == "step.completed"]
        told = [event.data for event in s.journal.events(result.run_id) if event.kind == "context.compacted"]
        usage = s.journal.runs.get(result.run_id).usage
    assert result.status == "completed"
    summaries = [path for path in paths if "summary" in path]
    assert summaries == ["/s2/agent/summary[0]", "/s3/agent/summary[0]"]
    texts = [[message["content"] for message in body["messages"]] for body in seen if "shorten" not in str(body)]
    assert [len(one) for one in texts] == [2, 4, 4, 4]
    assert "They counted words." in texts[2][1]
    assert texts[2][-1] == "question 2"
    assert "question 0" not in str(texts[2])
    # The second summary was made of the first one and what came after it.
    again = [body for body in seen if "shorten" in str(body)][1]
    assert "They counted words." in str(again)
    assert told[0]["tokens_after"] < told[0]["tokens"] * 0.7
    # Every request is counted, those for summaries too.
    assert isinstance(usage, Usage)
    assert usage.requests == len(seen) == 6


async def test_a_summary_that_spares_too_little_is_not_taken(tmp_path: Path) -> None:
    def answer(request: Any) -> Any:
        return say(LONG * 2 if "You shorten a conversation" in request.text else LONG)

    async with studio(answer, tmp_path) as s:
        plan = long_plan(*(ask(f"s{n}", f"question {n}") for n in range(3)))
        plan.definitions["agents"]["a"]["tools"] = []
        result = await s.run(plan)
        kept = [event.data for event in s.journal.events(result.run_id) if event.kind == "context.kept"]
        last = s.fake.requests[-1].text
    assert result.status == "completed"
    assert "spared too little" in kept[0]["reason"]
    assert "question 0" in last


async def test_a_summary_that_fails_leaves_the_conversation_as_it_is(tmp_path: Path) -> None:
    def answer(request: Any) -> Any:
        return fail(400, "no") if "You shorten a conversation" in request.text else say(LONG)

    async with studio(answer, tmp_path, tools={"echo": Echo()}) as s:
        result = await s.run(long_plan(*(ask(f"s{n}", f"question {n}") for n in range(3))))
        assert "question 0" in s.fake.requests[-1].text
    assert result.status == "completed"


async def test_another_model_may_summarise(tmp_path: Path) -> None:
    seen: list[Any] = []
    async with studio(brain(seen), tmp_path, tools={"echo": Echo()}) as s:
        plan = long_plan(*(ask(f"s{n}", "q") for n in range(3)), summarization_model="gpt-4o-nano")
        await s.run(plan)
    assert [body["model"] for body in seen if "shorten" in str(body)] == ["gpt-4o-nano"]


async def test_within_one_call_calls_and_results_of_tools_stay_together(tmp_path: Path) -> None:
    seen: list[Any] = []

    def answer(request: Any) -> Any:
        seen.append(request.body)
        if "You shorten a conversation" in request.text:
            return say("They echoed.")
        turns = sum(message["role"] == "assistant" for message in request.body["messages"])
        return call("echo", {"text": LONG}) if len(seen) < 9 and turns < 6 else say("done")

    async with studio(answer, tmp_path, tools={"echo": Echo()}) as s:
        result = await s.run(long_plan(ask("work", "go")))
    assert result.outputs["response"] == "done"
    assert any("shorten" in str(body) for body in seen)
    for body in seen:
        asked = {one["id"] for message in body["messages"] for one in message.get("tool_calls") or ()}
        answered = {message["tool_call_id"] for message in body["messages"] if message["role"] == "tool"}
        assert asked == answered


def stable(seen: list[Any], request: Any) -> Any:
    """Answers the same to the same."""
    seen.append(request.body)
    return say("They counted words." if "You shorten a conversation" in request.text else LONG)


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
async def test_after_a_crash_at_any_append_the_same_is_seen_and_nothing_is_paid_twice(
    tmp_path: Path, when: Any
) -> None:
    plan = long_plan(*(ask(f"s{n}", f"question {n}") for n in range(3)))
    seen: list[Any] = []
    (tmp_path / "whole").mkdir()
    async with studio(lambda request: stable(seen, request), tmp_path / "whole", tools={"echo": Echo()}) as s:
        whole = await s.run(plan)
    expected = [str(body["messages"]) for body in seen]
    assert len(expected) == 4
    at = 0
    while True:
        at += 1
        again: list[Any] = []
        (tmp_path / f"c{at}").mkdir()
        async with studio(lambda request: stable(again, request), tmp_path / f"c{at}", tools={"echo": Echo()}) as s:
            s.journal.writer = writer = CrashingWriter(s.journal, at=at, when=when)
            result = None
            try:
                result = await s.engine.drive(await s.engine.start(plan, {}))
            except Crash:
                pass
            bury(s.engine, s.journal)
            runs = s.journal.runs.list()
            if result is None and runs and not runs[0].ended:
                engine = s.new_engine()
                result = await engine.drive(runs[0].id)
                await engine.close()
            if not writer.fired:
                break
        if result is not None:
            assert result.outputs["response"] == whole.outputs["response"]
            # A request whose answer was not recorded is sent again, letter by letter; every other one once.
            assert {str(body["messages"]) for body in again} == set(expected)
            assert len(again) <= len(expected) + 1
    assert at >= 5


def test_an_estimate_needs_no_tokenizer_and_knows_scripts() -> None:
    assert text_tokens("") == 0
    assert text_tokens("word " * 100) == 125
    assert text_tokens("слово " * 100) > 500
    assert estimate([]) == 0


def test_where_to_cut(tmp_path: Path) -> None:
    from pydantic_ai.messages import ModelRequest, ModelResponse, TextPart, ToolCallPart, ToolReturnPart, UserPromptPart

    def user(text: str) -> ModelRequest:
        return ModelRequest(parts=[UserPromptPart(content=text)])

    def said(text: str) -> ModelResponse:
        return ModelResponse(parts=[TextPart(content=text)])

    asks = ModelResponse(parts=[ToolCallPart(tool_name="t", args={}, tool_call_id="1")])
    gets = ModelRequest(parts=[ToolReturnPart(tool_name="t", content="x", tool_call_id="1")])
    messages = [user("a"), said("b"), user("c"), asks, gets, said("d")]
    assert [cut_before(messages, recent) for recent in range(1, 8)] == [5, 3, 3, 1, 1, 0, 0]


@pytest.mark.parametrize("script", [Script(say("x"))])
async def test_a_short_conversation_is_left_alone(script: Any, tmp_path: Path) -> None:
    async with studio(script, tmp_path, tools={"echo": Echo()}) as s:
        result = await s.run(long_plan(*(ask(f"s{n}", "q") for n in range(5))))
        assert not [path for _, path in s.kinds(result.run_id) if "summary" in path]
