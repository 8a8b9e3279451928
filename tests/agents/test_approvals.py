"""Approval before a tool call: the agent waits without its process, and goes on with what a person said."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tests.agents.studio import Studio, ask, plan_of, studio
from weft.core.errors import InputError
from weft.engine.questions import Answer
from weft.plan.nodes import Plan
from weft.testing.providers import Script, calls, say
from weft.testing.providers.script import ToolCall
from weft.tools.port import ToolSpec

YES = Answer(by="ada", verdict="approve")
NO = Answer(by="ada", verdict="reject", why="too much")


@dataclass
class Paying:
    effect: Any = "once"
    paid: Counter[int] = field(default_factory=Counter)

    @property
    def spec(self) -> ToolSpec:
        schema = {"type": "object", "properties": {"euros": {"type": "integer", "maximum": 100}}, "required": ["euros"]}
        return ToolSpec(name="pay", description="Pay.", input_schema=schema, effect=self.effect)

    def effect_of(self, args):
        return self.effect

    async def call(self, args, context):
        self.paid[args["euros"]] += 1
        return f"paid {args['euros']}"

    async def check(self, key, context):
        return None


def paying(rule: Any = "always", **agent: Any) -> Plan:
    plan = plan_of(ask("step", "go"), tools=["pay"], **agent)
    plan.definitions["tools"] = {"pay": {"kind": "python", "approval": rule}}
    return plan


async def asked(s: Studio, plan: Plan) -> str:
    result = await s.run(plan)
    assert result.status == "waiting", result
    return result.run_id


async def go_on(s: Studio, run_id: str):
    """Another process takes the run up."""
    await s.engine.close()
    s.engine = s.new_engine()
    return await s.engine.drive(run_id)


def answers(s: Studio) -> list[str]:
    return [m["content"] for m in s.fake.requests[-1].body["messages"] if m["role"] == "tool"]


async def test_an_approved_call_is_made_once_and_no_request_is_repeated(tmp_path: Path) -> None:
    pay = Paying()
    async with studio(Script(calls(ToolCall("pay", {"euros": 5})), say("done")), tmp_path, tools={"pay": pay}) as s:
        run_id = await asked(s, paying())
        (gate,) = s.journal.gates.of(run_id)
        assert gate.path == "/step/agent/model[0]/tool[0]/gate"
        assert (gate.request["prompt"], gate.request["given"]) == ("Let a call pay?", {"euros": 5})
        assert not pay.paid
        await s.engine.decide(run_id, None, YES)
        assert (await go_on(s, run_id)).outputs["response"] == "done"
        assert (pay.paid, len(s.fake.requests)) == ({5: 1}, 2)
        assert answers(s) == ["paid 5"]


async def test_a_rejected_call_is_not_made_and_the_agent_hears_why(tmp_path: Path) -> None:
    pay = Paying()
    async with studio(Script(calls(ToolCall("pay", {"euros": 5})), say("sorry")), tmp_path, tools={"pay": pay}) as s:
        run_id = await asked(s, paying())
        await s.engine.decide(run_id, None, NO)
        assert (await go_on(s, run_id)).outputs["response"] == "sorry"
        assert "ada rejected this call of 'pay': too much" in answers(s)[0]
        assert not pay.paid


async def test_arguments_can_be_edited_and_are_held_to_the_tools_schema(tmp_path: Path) -> None:
    pay = Paying()
    async with studio(Script(calls(ToolCall("pay", {"euros": 99})), say("ok")), tmp_path, tools={"pay": pay}) as s:
        run_id = await asked(s, paying())
        with pytest.raises(InputError, match="euros"):
            await s.engine.decide(run_id, None, Answer(by="ada", choice="approve", values={"euros": 500}))
        await s.engine.decide(run_id, None, Answer(by="ada", choice="approve", values={"euros": 9}))
        assert (await go_on(s, run_id)).status == "completed"
        assert (pay.paid, answers(s)) == ({9: 1}, ["paid 9"])


async def test_all_calls_of_one_response_are_asked_about_at_once(tmp_path: Path) -> None:
    pay = Paying()
    three = calls(*(ToolCall("pay", {"euros": n}) for n in (1, 2, 50)))
    async with studio(Script(three, say("done")), tmp_path, tools={"pay": pay}) as s:
        result = await s.run(paying({"when": "arguments.euros < 10", "assignees": ["ada"], "deadline_s": 3600}))
        gates = [f"/step/agent/model[0]/tool[{n}]/gate" for n in (0, 1)]
        assert [wait["path"] for wait in result.waits] == gates
        assert pay.paid == {50: 1}
        await s.engine.decide(result.run_id, gates[1], NO)
        again = await go_on(s, result.run_id)
        assert [wait["path"] for wait in again.waits] == gates[:1]
        await s.engine.decide(result.run_id, None, YES)
        assert (await go_on(s, result.run_id)).outputs["response"] == "done"
        assert pay.paid == {50: 1, 1: 1}
        assert len(s.fake.requests) == 2


async def test_an_agents_own_rule_goes_over_that_of_the_tool(tmp_path: Path) -> None:
    script = Script(calls(ToolCall("pay", {"euros": 5})), say("done"))
    async with studio(script, tmp_path, tools={"pay": Paying()}) as s:
        assert (await s.run(paying("always", approval={"pay": "never"}))).status == "completed"


async def test_a_condition_that_cannot_be_read_denies_the_call(tmp_path: Path) -> None:
    pay = Paying()
    async with studio(Script(calls(ToolCall("pay", {"euros": 5})), say("done")), tmp_path, tools={"pay": pay}) as s:
        assert (await s.run(paying({"when": "arguments.cents > 10"}))).status == "completed"
        assert not pay.paid


async def test_a_persons_time_is_not_the_calls_time(tmp_path: Path) -> None:
    pay = Paying()
    async with studio(Script(calls(ToolCall("pay", {"euros": 5})), say("done")), tmp_path, tools={"pay": pay}) as s:
        plan = paying()
        body = plan.root.body
        limited = replace(body, children=(replace(body.children[0], timeout_s=5.0),))
        run_id = await asked(s, replace(plan, root=replace(plan.root, body=limited)))
        await s.engine.decide(run_id, None, YES)
        assert (await go_on(s, run_id)).status == "completed"
