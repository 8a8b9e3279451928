"""What an agent learns from tools that fail, how often it may go on, and skills that it loads."""

from pathlib import Path
from typing import Any

import pytest

from tests.agents.studio import ask, plan_of, studio
from weft.agents.correction import ALL_FAILURES, TOOL_FAILURES
from weft.core.errors import NotFoundError, ToolError
from weft.testing.providers import Script, call, say
from weft.tools.port import ToolSpec
from weft.tools.skills import SkillTool


class Failing:
    """Fails with `error` until it was called `until` times."""

    def __init__(self, name: str, error: Exception, until: int = 10_000) -> None:
        self.spec = ToolSpec(name=name, description="Tries.", input_schema={"type": "object"}, effect="pure")
        self.error, self.until, self.calls = error, until, 0

    def effect_of(self, args):
        return "pure"

    async def call(self, args, context):
        self.calls += 1
        if self.calls <= self.until:
            raise self.error
        return "good"

    async def check(self, key, context):
        return None


def answers(request: Any) -> list[str]:
    return [message["content"] for message in request.body["messages"] if message["role"] == "tool"]


async def test_a_failure_comes_with_what_it_means_and_what_to_change(tmp_path: Path) -> None:
    tool = Failing("look", NotFoundError("no such page"), until=1)
    async with studio(
        Script(call("look", {"n": 1}), call("look", {"n": 2}), say("ok")), tmp_path, tools={"look": tool}
    ) as s:
        result = await s.run(plan_of(ask("a", "q"), tools=["look"]))
        first, second = answers(s.fake.requests[-1])
    assert result.outputs["response"] == "ok"
    assert "no such page" in first
    assert "it is not there. Look for what is there first" in first
    assert f"Attempt 1 of {TOOL_FAILURES}; 4 left" in first
    assert second == "good"


async def test_a_tool_that_keeps_failing_is_not_called_again_and_others_are(tmp_path: Path) -> None:
    bad, good = Failing("bad", ToolError("broken")), Failing("good", ToolError("x"), until=0)
    script = Script(*[call("bad", {"n": n}) for n in range(TOOL_FAILURES + 2)], call("good"), say("done"))
    async with studio(script, tmp_path, tools={"bad": bad, "good": good}) as s:
        result = await s.run(plan_of(ask("a", "q"), tools=["bad", "good"]))
        told = answers(s.fake.requests[-1])
        failed = [event for event in s.journal.events(result.run_id) if event.kind == "step.failed"]
    assert (bad.calls, good.calls) == (TOOL_FAILURES, 1)
    assert "last attempt" in told[TOOL_FAILURES - 1]
    assert "not called again" in told[TOOL_FAILURES]
    assert told[-1] == "good"
    # What was refused is in the journal as well, so that the count can be shown.
    assert len(failed) == TOOL_FAILURES + 2
    assert failed[-1].data["error"]["ids"]["cause"] == "attempts"


@pytest.mark.slow
async def test_all_failures_together_are_limited_and_each_call_counts_anew(tmp_path: Path) -> None:
    tools = {f"t{n}": Failing(f"t{n}", ToolError("broken")) for n in range(5)}
    turns = [call(f"t{n % 5}") for n in range(ALL_FAILURES + 3)]
    async with studio(Script(*turns, say("first"), call("t0"), say("second")), tmp_path, tools=tools) as s:
        result = await s.run(plan_of(ask("a", "q"), ask("b", "r"), tools=list(tools)))
    assert result.outputs["response"] == "second"
    assert sum(tool.calls for tool in tools.values()) == ALL_FAILURES + 1


async def test_a_skill_is_loaded_once_in_a_conversation_and_anew_in_another(tmp_path: Path) -> None:
    skills = {"pdf": {"description": "Reads PDF.", "text": "Turn pages.", "modules": {"tables": "Row by row."}}}
    tool = SkillTool("Skill", skills)
    wanted = ["pdf", "pdf/tables", "pdf", "nope", "pdf/nope"]
    script = Script(
        *[call("Skill", {"skill_id": one}) for one in wanted], say("ok"), call("Skill", {"skill_id": "pdf"}), say("ok")
    )
    async with studio(script, tmp_path, tools={"Skill": tool}) as s:
        plan = plan_of(ask("a", "q"), ask("b", "r", agent="b", conversation="b"))
        plan.definitions["tools"] = {"Skill": {"kind": "skills", "skills": skills}}  # type: ignore[index]
        plan.definitions["common_tools"] = ["Skill"]  # type: ignore[index]
        await s.run(plan)
        first, last = s.fake.requests[5], s.fake.requests[-1]
    assert "- pdf: Reads PDF." in first.body["messages"][0]["content"]
    told = answers(first)
    assert told[0] == "# Skill: pdf\n\nTurn pages.\n\nModules, to be loaded in the same way: pdf/tables"
    assert told[1] == "# Skill: pdf/tables\n\nRow by row."
    assert "already loaded" in told[2]
    assert "skills are: pdf" in told[3]
    assert "modules are: tables" in told[4]
    assert answers(last) == [told[0]]
