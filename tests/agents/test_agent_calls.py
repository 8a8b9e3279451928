"""An agent call: its steps in the journal, its conversation, its output, its failures."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic_ai.messages import ModelRequest

from tests.agents.studio import Graph, ask, plan_of, studio
from weft.agents.conversation import history
from weft.core.errors import ToolError
from weft.engine.fold import fold
from weft.plan.nodes import Block, Budget, Plan, Sequence
from weft.testing.failpoints import Crash, CrashingWriter, bury
from weft.testing.providers import Script, call, calls, fail, garbage, half, say
from weft.testing.providers.script import ToolCall
from weft.tools.port import ToolSpec

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "title": "Answer"}


@dataclass
class Counting:
    """A tool that counts what it did, by idempotency key."""

    effect: Any = "idempotent"
    broken: bool = False
    done: Counter[str] = field(default_factory=Counter)

    @property
    def spec(self) -> ToolSpec:
        schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
        return ToolSpec(name="double", description="Twice n.", input_schema=schema, effect=self.effect)

    def effect_of(self, args):
        return self.effect

    async def call(self, args, context):
        self.done[context.key] += 1
        if self.broken:
            raise ToolError("the tool is broken")
        return args["n"] * 2

    async def check(self, key, context):
        return 42 if self.done[key] else None


@pytest.mark.slow
async def test_each_request_and_each_tool_call_is_a_step_keyed_by_its_place(tmp_path: Path) -> None:
    script = Script(calls(ToolCall("double", {"n": 1}), ToolCall("double", {"n": 2})), say("done"))
    async with studio(script, tmp_path, tools={"double": Counting()}) as s:
        result = await s.run(plan_of(ask("draft", "go"), tools=["double"]))
        done = [path for kind, path in s.kinds(result.run_id) if kind == "step.completed"]
    assert result.outputs["response"] == "done"
    assert sorted(done) == [
        "/draft",
        "/draft/agent/model[0]",
        "/draft/agent/model[0]/tool[0]",
        "/draft/agent/model[0]/tool[1]",
        "/draft/agent/model[1]",
    ]


async def test_consecutive_steps_of_one_agent_share_their_messages(tmp_path: Path) -> None:
    async with studio(Script(say("first"), say("second")), tmp_path) as s:
        await s.run(plan_of(ask("one", "q1"), ask("two", "q2")))
        texts = [[m.get("content") for m in r.body["messages"] if m["role"] != "system"] for r in s.fake.requests]
    assert texts == [["q1"], ["q1", "first", "q2"]]


async def test_a_step_without_conversation_starts_afresh(tmp_path: Path) -> None:
    async with studio(say("x"), tmp_path) as s:
        await s.run(plan_of(ask("one", "q1"), ask("two", "q2", conversation=None)))
        assert "q1" not in s.fake.requests[1].text


async def test_parallel_branches_never_see_each_others_messages(tmp_path: Path) -> None:
    root = Sequence(
        name="",
        children=(
            ask("first", "before"),
            Graph(name="both", children=(ask("l", "left"), ask("r", "right")), into="branches"),
            ask("last", "after"),
        ),
    )
    async with studio(say("x"), tmp_path) as s:
        await s.run(plan_of(root=root))
        by_prompt = {r.prompt: r.text for r in s.fake.requests}
    assert "right" not in by_prompt["left"]
    assert "left" not in by_prompt["right"]
    assert "before" in by_prompt["left"]
    assert by_prompt["after"].index("left") < by_prompt["after"].index("right")


async def test_typed_output_is_corrected_at_most_three_times(tmp_path: Path) -> None:
    wrong = call("final_result", {"n": "many"})
    async with studio(Script(wrong, call("final_result", {"n": 3})), tmp_path) as s:
        result = await s.run(plan_of(ask("one", "q"), output_schema=SCHEMA))
        assert result.outputs["response"] == {"n": 3}
        assert "is not of type" in s.fake.requests[1].text
    async with studio(wrong, tmp_path / "2") as s:
        result = await s.run(plan_of(ask("one", "q"), output_schema=SCHEMA))
        assert result.status == "failed"
        assert result.error.code == "provider"
        assert len(s.fake.requests) == 4


async def test_a_failing_tool_is_an_observation(tmp_path: Path) -> None:
    script = Script(call("double", {"n": 1}), say("I could not"))
    async with studio(script, tmp_path, tools={"double": Counting(broken=True)}) as s:
        result = await s.run(plan_of(ask("one", "q"), tools=["double"]))
        assert result.outputs["response"] == "I could not"
        assert "the tool is broken" in s.fake.requests[1].text
        assert ("step.failed", "/one/agent/model[0]/tool[0]") in s.kinds(result.run_id)


async def test_wrong_arguments_go_back_to_the_agent(tmp_path: Path) -> None:
    tool = Counting()
    async with studio(Script(call("double", {"m": 1}), say("sorry")), tmp_path, tools={"double": tool}) as s:
        result = await s.run(plan_of(ask("one", "q"), tools=["double"]))
    assert result.status == "completed"
    assert not tool.done


@pytest.mark.parametrize(
    ("turns", "status", "code", "requests"),
    [
        ((fail(429, retry_after="0.05"), say("ok")), "completed", None, 2),
        ((fail(500), fail(503), say("ok")), "completed", None, 3),
        ((fail(500),), "failed", "transient", 3),
        ((fail(401),), "failed", "auth", 1),
        ((fail(400, "no such model"),), "failed", "provider", 1),
        ((garbage(),), "failed", "provider", 1),
        ((half(), say("ok")), "completed", None, 2),
    ],
)
@pytest.mark.slow
async def test_what_a_provider_does_decides_what_happens(tmp_path: Path, turns, status, code, requests) -> None:
    async with studio(Script(*turns), tmp_path, streaming=True) as s:
        result = await s.run(plan_of(ask("one", "q")))
        assert result.status == status
        assert (result.error.code if result.error else None) == code
        assert len(s.fake.requests) == requests
        assert "test-key" not in str(s.journal.events(result.run_id))


async def test_text_is_shown_as_it_comes_in(tmp_path: Path) -> None:
    async with studio(say("one two three four five six"), tmp_path, streaming=True) as s:
        result = await s.run(plan_of(ask("one", "q")))
        assert "".join(s.deltas.texts) == result.outputs["response"]
        assert len(s.deltas.texts) > 1


async def test_usage_and_cost_are_summed_over_the_run(tmp_path: Path) -> None:
    async with studio(say("x", input_tokens=100, output_tokens=10), tmp_path) as s:
        result = await s.run(plan_of(ask("one", "q"), ask("two", "q")))
        row = s.journal.runs.get(result.run_id)
    assert (result.usage.requests, result.usage.input_tokens, result.usage.output_tokens) == (2, 200, 20)
    assert result.usage.cost > 0
    assert result.usage.unpriced == 0
    assert row.usage == result.usage


async def test_a_token_budget_stops_before_the_next_request(tmp_path: Path) -> None:
    chain = Sequence(name="", children=tuple(ask(f"s{i}", "q") for i in range(5)))
    base = plan_of()
    plan = Plan(
        workflow="b", root=Block(name="", body=chain, budget=Budget(max_tokens=250)), definitions=base.definitions
    )
    async with studio(say("x", input_tokens=90, output_tokens=10), tmp_path) as s:
        result = await s.run(plan)
        assert result.error.code == "budget"
        assert len(s.fake.requests) == 3
        assert [kind for kind, _ in s.kinds(result.run_id)].count("budget.warning") == 1


async def test_a_doubtful_tool_call_waits_for_a_person(tmp_path: Path) -> None:
    tool = Counting(effect="once")
    async with studio(Script(call("double", {"n": 1}), say("done")), tmp_path, tools={"double": tool}) as s:
        run_id = await s.engine.start(plan_of(ask("one", "q"), tools=["double"]), {})
        original = tool.call

        async def dies(args, context):
            await original(args, context)
            raise Crash

        tool.call = dies
        with pytest.raises(Crash):
            await s.engine.drive(run_id)
        tool.call = original
        bury(s.engine, s.journal)
        engine = s.new_engine()
        result = await engine.drive(run_id)
        assert result.status == "waiting"
        assert result.waits[0]["kind"] == "doubt"
        path = result.waits[0]["path"]
        await engine.settle(run_id, path, did=True)
        result = await engine.drive(run_id)
        await engine.close()
    assert result.status == "completed"
    assert sum(tool.done.values()) == 1


async def crash_everywhere(tmp_path: Path, tool: Counting, *, when: str) -> list[tuple[Any, int, Counter[str]]]:
    """Run once for each append, dying there, and resume; what came out, requests sent, and effects by key."""
    found = []
    at = 1
    while True:
        tool.done.clear()
        script = Script(call("double", {"n": 21}), say("42"))

        def brain(request):
            # A resent request gets the answer that fits what it holds, as a real model's would.
            return (
                say("42") if any(m["role"] == "tool" for m in request.body["messages"]) else call("double", {"n": 21})
            )

        del script
        async with studio(brain, tmp_path / f"{when}{at}", tools={"double": tool}) as s:
            s.journal.writer = writer = CrashingWriter(s.journal, at=at, when=when)
            result = None
            try:
                run_id = await s.engine.start(plan_of(ask("one", "q"), ask("two", "again"), tools=["double"]), {})
                result = await s.engine.drive(run_id)
            except Crash:
                pass
            bury(s.engine, s.journal)
            runs = s.journal.runs.list()
            if result is None and runs and not runs[0].ended:
                engine = s.new_engine()
                result = await engine.drive(runs[0].id)
                await engine.close()
                assert s.journal.verify(runs[0].id).intact
            if result is not None:
                found.append((result.outputs["response"], len(s.fake.requests), Counter(tool.done)))
        if not writer.fired:
            return found
        at += 1


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.slow
async def test_a_crash_at_any_append_of_an_agent_loop_changes_nothing_that_is_recorded(
    tmp_path: Path, when: str
) -> None:
    tool = Counting(effect="reconcile")
    found = await crash_everywhere(tmp_path, tool, when=when)
    assert len(found) > 3
    for response, requests, effects in found:
        assert response == "42"
        assert requests <= 5
        assert set(effects.values()) <= {1}


@pytest.mark.slow
async def test_the_journal_of_a_conversation_grows_by_what_is_new(tmp_path: Path) -> None:
    async with studio(say("y" * 100), tmp_path) as s:
        result = await s.run(plan_of(*(ask(f"s{i}", "x" * 100) for i in range(30))))
        sizes = {
            index: sum(
                len(str(event.data))
                for event in s.journal.events(result.run_id)
                if event.path.startswith(f"/s{index}")
                and (event.path == f"/s{index}" or event.path.startswith(f"/s{index}/"))
            )
            for index in (5, 29)
        }
    assert sizes[29] <= sizes[5] * 1.1


async def test_the_instructions_of_a_call_are_kept_once_and_belong_to_each_of_its_requests(tmp_path: Path) -> None:
    script = Script(
        calls(ToolCall("double", {"n": 1})), calls(ToolCall("double", {"n": 2})), say("first"), say("second")
    )
    async with studio(script, tmp_path, tools={"double": Counting()}) as s:
        plan = plan_of(ask("one", "q1"), ask("two", "q2"), tools=["double"], prompt="You are called Ariadne.")
        result = await s.run(plan)
        assert result.status == "completed", result.error
        state = fold(s.journal.events(result.run_id))
        kept = [entry for entry in state.outcomes["/one"].value["messages"] if entry.get("kind") == "request"]
        context = SimpleNamespace(history=("/one",), recorded=lambda path: state.outcomes[path].value)
        asked = [message for message in history(context) if isinstance(message, ModelRequest)]
    assert len(kept) == 3
    assert str(kept).count("Ariadne") == 1
    assert all("Ariadne" in message.instructions for message in asked)
    assert len(asked) == 3
    assert all("Ariadne" in request.body["messages"][0]["content"] for request in s.fake.requests)


async def test_an_answer_that_asks_for_very_many_tools_calls_none_of_them(tmp_path: Path) -> None:
    tool = Counting()
    script = Script(calls(*(ToolCall("double", {"n": n}) for n in range(257))), say("done"))
    async with studio(script, tmp_path, tools={"double": tool}) as s:
        result = await s.run(plan_of(ask("one", "q"), tools=["double"]))
        assert result.status == "failed"
        assert "asked for 257 tools at once" in result.error.message
        assert result.usage.requests == 1, "what was answered was paid for"
        assert not tool.done
