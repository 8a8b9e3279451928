"""What stands inside something else finds what it would find by itself."""

from __future__ import annotations

from tests.engine.world import simulated
from tests.patterns.flows import compiled, run, tool
from tests.patterns.playing import World
from tests.patterns.samples import plan_of
from weft.core.canonical import digest
from weft.engine.shelf import Shelf
from weft.plan.codec import plan_hash, to_json


@simulated
async def test_a_pattern_that_begins_a_map_begins_with_the_item():
    inner = {"pattern": {"type": "debate", "config": {"agents": ["a", "b"], "rounds": 1}}}
    plan = plan_of(f"type: map\nconfig: {{items: [tea], as: of, do: {str(inner).replace(chr(39), '')}}}")
    world = World()
    run_id = await world.begin(plan)
    result = await world.to_its_end(run_id)
    assert result.status == "completed", result.error
    asked = [event.data["prompt"] for event in world.journal.events(run_id) if event.kind == "step.input"]
    assert all(prompt.startswith("tea") for prompt in asked)
    await world.close()


@simulated
async def test_a_child_run_has_its_own_defaults_and_what_every_run_can_read():
    plan = plan_of("type: chain\nconfig: {steps: [{workflow: part.yaml}]}")
    world = World()
    run_id = await world.begin(plan)
    assert (await world.to_its_end(run_id)).status == "completed"
    (child,) = world.journal.runs.children(run_id)
    assert child.inputs == {"of": "all"}
    scope = world.state(child.id).scope
    assert (scope["of"], scope["inputs"], scope["name"]) == ("all", {"of": "all"}, "part")
    assert scope["execution_context"]["session_id"] == child.session
    await world.close()


@simulated
async def test_a_stored_plan_keeps_the_order_in_which_models_are_asked():
    plan = plan_of("type: evaluator_optimizer\nconfig: {producer: a, evaluator: {agent: b}, accept: {min_score: 1}}")
    world = World()
    run_id = await world.begin(plan)
    stored = Shelf(world.journal).load(world.journal.runs.get(run_id).plan_hash)
    assert str(to_json(stored)) == str(to_json(plan))
    assert plan_hash(stored) == plan_hash(plan) == digest(to_json(plan))
    await world.close()


@simulated
async def test_a_pattern_that_begins_a_chain_begins_as_the_chain_would():
    result, doer = await run("chain", {"steps": [{"pattern": {"type": "chain", "config": {"steps": [tool("x")]}}}]})
    assert (result.status, doer.asked) == ("completed", ["x"])
    assert compiled("chain", {"steps": [{"pattern": {"type": "chain", "config": {"steps": [{"agent": "unused"}]}}}]})
