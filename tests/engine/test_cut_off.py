"""What is written counts, whoever was cut off just then: it is undone, and it is not lost."""

from __future__ import annotations

import asyncio

import pytest

from tests.engine.world import LateWriter, World, as_plan, call, chain, simulated
from weft.engine.replay import replay
from weft.plan.nodes import Block, Child, Gate, Plan
from weft.testing.scripted import ScriptedPerformer, Trouble

BODY = chain(call("a"), call("slow"), name="in")
BLOCK = Block(name="saga", body=BODY, compensations={"a": call("undo")})
SAGA = chain(BLOCK)
LIMITED = chain(Block(name="limit", body=BLOCK, timeout_s=5))


def world_of() -> World:
    return World(ScriptedPerformer({path: Trouble(seconds=100) for path in ("/saga/in/slow", "/limit/saga/in/slow")}))


def undone(world: World) -> list[str]:
    """What was undone, each once."""
    return [path for path, times in world.performer.started.items() if "$undo" in path and times == 1]


@simulated
async def test_a_step_is_undone_when_its_process_died_before_it_was_written_that_it_can_be():
    world = world_of()
    run_id = await world.die_after("step.completed", "/saga/in/a", SAGA)
    assert "node.undoable" not in world.kinds(run_id)
    world.engine = world.new_engine()
    assert await world.engine.cancel(run_id)
    assert world.journal.runs.get(run_id).status == "cancelled"
    assert undone(world) == ["/saga/$undo[a]"]
    await world.close()


@simulated
async def test_so_it_is_when_time_runs_out_meanwhile():
    world = world_of()
    run_id = await world.die_after("step.completed", "/limit/saga/in/a", LIMITED)
    await asyncio.sleep(10)
    result = await world.resume(run_id)
    assert (result.status, result.error.code) == ("failed", "timeout")
    assert undone(world) == ["/limit/saga/$undo[a]"]
    await world.close()


@pytest.mark.parametrize("plan", [SAGA, LIMITED], ids=["cancelled", "out of time"])
@simulated
async def test_a_step_that_is_just_being_written_is_undone(plan):
    slow = Trouble(seconds=100)
    world = World(
        ScriptedPerformer(
            {"/limit/saga/in/a": Trouble(seconds=4.98), "/saga/in/slow": slow, "/limit/saga/in/slow": slow}
        )
    )
    world.journal.writer = LateWriter(world.journal, at=0, when="before")
    run_id = await world.engine.start(as_plan(plan), {})
    drive = asyncio.ensure_future(world.engine.drive(run_id))
    if plan is SAGA:
        while not world.performer.effects:
            await asyncio.sleep(0.001)
        assert await world.engine.cancel(run_id)
    result = await drive
    assert result.status == ("cancelled" if plan is SAGA else "failed")
    assert [path.rsplit("/", 1)[1] for path in undone(world)] == ["$undo[a]"]
    await world.close()


def test_a_run_that_was_cancelled_and_has_undone_what_it_did_comes_out_again():
    kept = {}

    @simulated
    async def run():
        world = world_of()
        plan = as_plan(SAGA)
        run_id = await world.engine.start(plan, {})
        drive = asyncio.ensure_future(world.engine.drive(run_id))
        await asyncio.sleep(1)
        await world.engine.cancel(run_id)
        assert (await drive).status == "cancelled"
        kept["events"], kept["plan"] = world.journal.events(run_id), plan
        await world.close()

    run()
    events = kept["events"]
    assert "node.undoing" in [event.kind for event in events]
    for last in range(1, len(events) + 1):
        assert replay("r", kept["plan"], events[:last]).difference is None
    forged = [event for event in events if event.kind != "node.undoing"]
    assert replay("r", kept["plan"], forged).difference is not None


@simulated
async def test_the_deadline_of_a_question_below_keeps_no_process_waiting():
    world = World()
    inner = Plan(workflow="inner", root=chain(Gate(name="ok", prompt="Go on?", deadline_s=50)))
    plan = Plan(workflow="outer", root=chain(Child(name="sub", plan="inner")), children={"inner": inner})
    began = asyncio.get_running_loop().time()
    result = await world.run(plan)
    assert (result.status, [wait["kind"] for wait in result.waits]) == ("waiting", ["child"])
    assert asyncio.get_running_loop().time() - began < 5
    await asyncio.sleep(60)
    assert (await world.engine.drive(result.run_id)).error.code == "timeout"
    await world.close()
