"""The pattern `plan`: a plan is made while the run goes, and carried out by a child."""

from __future__ import annotations

import pytest

from tests.agents.cast import HEAD, Cast, stage
from weft.core.canonical import dumps
from weft.plan.codec import from_json, plan_hash
from weft.spec.load import check_text

CONFIG = """
type: plan
config:
  request: "Research {{ topic }}, collect photos of {{ topic }}, and then write an article."
"""
AGENTS = "researcher photographer writer boss"
CARDS = {
    '"You are researcher."': '"You are researcher.", card: {capabilities: [research]}',
    '"You are photographer."': '"You are photographer.", card: {capabilities: [photos]}',
    '"You are writer."': '"You are writer.", card: {capabilities: [write articles]}',
    '"You are boss."': '"You are boss.", card: {description: Decides.}',
}
LINES = {"researcher": "facts", "photographer": "pictures", "writer": "article"}


def work(s):
    """The events of the child run."""
    child = s.studio.journal.runs.children(s.run_id)[0]
    return child, s.studio.journal.events(child.id)


def made(s):
    return next(event.data["value"] for event in s.events("step.completed") if event.path == "/plan/make")


async def test_a_request_becomes_a_plan_that_a_child_carries_out(tmp_path):
    cast = Cast(**LINES)
    async with stage(tmp_path, cast, CONFIG, AGENTS, prompts=CARDS) as s:
        result = await s.run()
        plan, (child, events) = made(s), work(s)
        stored = from_json(s.studio.journal.plans.get(plan["hash"]))
    assert result.outputs["response"] == "article"
    assert child.plan_hash == plan["hash"] == plan_hash(stored)
    assert plan["by"] == "rules"
    assert plan["steps"][2]["after"] == ["researcher", "photographer"]
    prompt = cast.prompts("writer")[0]
    assert "Result of Research ships.\nfacts" in prompt
    assert "pictures" in prompt
    assert [event.data["number"] for event in events if event.kind == "milestone.reached"] == [1, 2]


async def test_several_results_are_put_together(tmp_path):
    config = CONFIG.replace(", and then write an article", "")
    async with stage(tmp_path, Cast(**LINES), config, AGENTS, prompts=CARDS) as s:
        result = await s.run()
    assert result.outputs["response"] == "## Research ships.\n\nfacts\n\n## Collect photos of ships.\n\npictures"


async def test_braces_in_a_request_are_only_text(tmp_path):
    cast = Cast(**LINES)
    config = CONFIG.replace("Research {{ topic }}, collect", "Research {{ '{{ secret }} {% x' }}, collect")
    async with stage(tmp_path, cast, config, AGENTS, prompts=CARDS) as s:
        assert (await s.run()).status == "completed"
    assert "Research {{ secret }} {% x" in cast.prompts("researcher")[0]


async def test_the_prompts_of_agents_see_the_inputs_in_the_plan_too(tmp_path):
    prompts = CARDS | {'"You are writer.",': '"You are writer. About {{ topic }} in {{ name }}.",'}
    cast = Cast(**LINES)
    async with stage(tmp_path, cast, CONFIG, AGENTS, prompts=prompts) as s:
        assert (await s.run()).status == "completed"
        child, _events = work(s)
        assert set(child.inputs) == {"inputs", "topic", "name"}
    assert "About ships in play." in cast.heard["writer"][0].text


async def test_a_plan_is_made_once_for_the_same_request(tmp_path):
    async with stage(tmp_path, Cast(**LINES), CONFIG, AGENTS, prompts=CARDS) as s:
        await s.run()
        first = made(s)
        await s.run()
        second = made(s)
    assert (first["by"], second["by"]) == ("rules", "cache")
    assert first["hash"] == second["hash"]


async def test_nothing_is_kept_when_it_should_not_be(tmp_path):
    async with stage(tmp_path, Cast(**LINES), f"{CONFIG}  cache_s: 0\n", AGENTS, prompts=CARDS) as s:
        await s.run()
        await s.run()
        assert made(s)["by"] == "rules"


async def test_what_no_agent_can_do_is_named(tmp_path):
    config = CONFIG.replace("write an article", "bake a cake")
    async with stage(tmp_path, Cast(), config, AGENTS, prompts=CARDS) as s:
        error = (await s.run()).error
    assert error.code == "rejected"
    assert error.ids["missing"] == ["bake a cake"]
    assert "researcher" in error.fix


TWINS = CARDS | {'"You are boss."': '"You are boss.", card: {capabilities: [write articles]}'}


async def test_a_person_says_who_is_meant(tmp_path):
    cast = Cast(**LINES, boss="essay")
    async with stage(tmp_path, cast, CONFIG, AGENTS, prompts=TWINS) as s:
        assert (await s.run()).status == "waiting"
        gate = s.events("gate.opened")[0].data
        assert gate["choices"] == ["boss", "writer", "none of these"]
        assert (await s.answer("boss")).outputs["response"] == "essay"


async def test_nobody_is_meant(tmp_path):
    async with stage(tmp_path, Cast(**LINES), CONFIG, AGENTS, prompts=TWINS) as s:
        await s.run()
        assert (await s.answer("none of these")).error.code == "rejected"


@pytest.mark.parametrize(("rule", "end"), [("reject", "failed"), ("first", "completed")])
async def test_a_request_that_is_not_clear_without_people(tmp_path, rule, end):
    config = f"{CONFIG}  ambiguous: {rule}\n"
    async with stage(tmp_path, Cast(**LINES, boss="essay"), config, AGENTS, prompts=TWINS) as s:
        result = await s.run()
    assert result.status == end
    if result.error:
        assert "boss, writer" in result.error.message


APPROVED = f"{CONFIG}  approve: true\n  alternatives: 3\n"


async def test_a_person_approves_the_plan(tmp_path):
    async with stage(tmp_path, Cast(**LINES), APPROVED, AGENTS, prompts=CARDS) as s:
        assert (await s.run()).status == "waiting"
        gate = s.events("gate.opened")[0].data
        assert "tokens" in gate["show"]
        assert "agent: writer" in gate["given"]["steps"]
        assert (await s.answer("approve")).outputs["response"] == "article"


async def test_a_person_takes_another_plan(tmp_path):
    async with stage(tmp_path, Cast(**LINES), APPROVED, AGENTS, prompts=CARDS) as s:
        await s.run()
        assert (await s.answer("approve", values={"alternative": 2})).status == "completed"
        plan = made(s)
    assert plan["why"].startswith("one after the other")
    assert plan["steps"][1]["after"] == ["researcher"]


async def test_a_person_edits_the_plan_and_is_told_what_is_wrong(tmp_path):
    async with stage(tmp_path, Cast(**LINES), APPROVED, AGENTS, prompts=CARDS) as s:
        await s.run()
        wrong = {"steps": "- {id: a, agent: nobody, task: Do it}"}
        assert (await s.answer("approve", values=wrong)).status == "waiting"
        assert "there is no agent 'nobody'" in s.events("gate.opened")[-1].data["show"]
        right = {"steps": "- {id: a, agent: writer, task: Write it}"}
        assert (await s.answer("approve", values=right)).outputs["response"] == "article"
        plan = made(s)
    assert (plan["by"], [step["id"] for step in plan["steps"]]) == ("person", ["a"])


async def test_a_rejected_plan_is_not_carried_out(tmp_path):
    cast = Cast(**LINES)
    async with stage(tmp_path, cast, APPROVED, AGENTS, prompts=CARDS) as s:
        await s.run()
        assert (await s.answer("reject")).error.code == "rejected"
    assert cast.heard == {}


WRITTEN = f"{CONFIG}  writer: boss\n"
GOOD = dumps({"steps": [{"id": "all", "agent": "writer", "task": "Write."}]}).decode()
BAD = dumps({"steps": [{"id": "all", "agent": "ghost", "task": "Write."}]}).decode()


async def test_a_model_writes_the_plan(tmp_path):
    cast = Cast(**LINES, boss=GOOD)
    async with stage(tmp_path, cast, WRITTEN, AGENTS, prompts=CARDS) as s:
        result = await s.run()
        assert made(s)["by"] == "model"
        await s.run()
        assert made(s)["by"] == "cache"
    assert result.outputs["response"] == "article"
    assert len(cast.heard["boss"]) == 1
    assert '"capabilities":["photos"]' in cast.prompts("boss")[0]


async def test_a_plan_of_a_model_is_mended(tmp_path):
    cast = Cast(**LINES, boss=["no plan at all", BAD, GOOD])
    async with stage(tmp_path, cast, WRITTEN, AGENTS, prompts=CARDS) as s:
        await s.run()
        assert made(s)["by"] == "model"
    assert "there is no list `steps`" in cast.prompts("boss")[1]
    assert "there is no agent 'ghost'" in cast.prompts("boss")[2]


async def test_the_rules_stand_in_when_a_model_cannot_mend_its_plan(tmp_path):
    cast = Cast(**LINES, boss=BAD)
    async with stage(tmp_path, cast, WRITTEN, AGENTS, prompts=CARDS) as s:
        assert (await s.run()).status == "completed"
        plan = made(s)
    assert len(cast.heard["boss"]) == 3
    assert plan["by"] == "rules"
    assert "ghost" in plan["repaired"][0]


def test_agents_that_are_not_there_are_found_before_a_run():
    text = HEAD.format(agents='writer: {prompt: "You write."}') + "  type: plan\n  config:\n    request: Write.\n"
    assert check_text(text, "play.yaml").problems == ()
    wrong = f"{text}    agents: [riter]\n    writer: bos\n"
    assert {problem.place.pointer for problem in check_text(wrong, "play.yaml").problems} == {
        "/pattern/config/agents/0",
        "/pattern/config/writer",
    }
