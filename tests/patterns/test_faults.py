"""Patterns that die at every append, are cancelled in every place or run out of steps: nothing is done twice, nothing hangs."""

from __future__ import annotations

import pytest

from tests.engine.world import simulated
from tests.patterns.flows import Doer, FlowWorld, compiled
from tests.patterns.reference import FLOWS
from weft.engine.answering import NewSignal
from weft.plan.nodes import Block, Budget, Plan
from weft.testing.failpoints import Crash, CrashingWriter, bury

STRIDE = 5
"""The fast tests die at every so-manieth append, the slow ones at each."""


def plan_of(name: str, **settings) -> Plan:
    kind, config, _ = FLOWS[name]
    plan = compiled(kind, config)
    root = Block(name="", body=plan.root, **settings) if settings else plan.root
    return Plan(workflow=plan.workflow, root=root, definitions=plan.definitions)


async def start(world: FlowWorld, name: str, plan: Plan | None = None) -> str:
    run_id = await world.engine.start(plan or plan_of(name), {})
    for place, (signal, data) in enumerate(FLOWS[name][2]):
        await world.engine.signal(run_id, NewSignal(name=signal, data=data, key=f"k{place}"))
    return run_id


async def whole(name: str) -> tuple[object, list[str], int]:
    world = FlowWorld(Doer())
    run_id = await start(world, name)
    writer = world.journal.writer = CrashingWriter(world.journal, at=0, when="before")
    result = await world.engine.drive(run_id)
    assert result.status == "completed", result.error
    outputs = world.state(run_id).outputs
    await world.close()
    return outputs, sorted(world.performer.effects), writer.appends


async def die(name: str, outputs: object, effects: list[str], *, at: int, when: str) -> None:
    world = FlowWorld(Doer())
    run_id = await start(world, name)
    writer = world.journal.writer = CrashingWriter(world.journal, at=at, when=when)
    try:
        await world.engine.drive(run_id)
    except Crash:
        bury(world.engine, world.journal)
    assert writer.fired, f"there is no append {at}"
    if not world.journal.runs.get(run_id).ended:
        await world.resume(run_id)
    state = world.state(run_id)
    assert state.status == "completed", (at, when, state.error)
    assert state.outputs == outputs, (at, when)
    assert world.journal.verify(run_id).intact
    assert sorted(world.performer.effects) == effects
    await world.close()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", FLOWS)
@simulated
@pytest.mark.slow
async def test_death_at_an_append_changes_nothing(name, when):
    outputs, effects, appends = await whole(name)
    for at in range(1 + (when == "after"), appends + 1, STRIDE):
        await die(name, outputs, effects, at=at, when=when)


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", FLOWS)
@simulated
async def test_death_at_any_append_changes_nothing(name, when):
    outputs, effects, appends = await whole(name)
    for at in range(1, appends + 1):
        await die(name, outputs, effects, at=at, when=when)


@pytest.mark.parametrize("name", FLOWS)
@simulated
@pytest.mark.slow
async def test_a_cancel_between_any_two_steps_ends_the_run_and_starts_nothing_more(name):
    _, _, appends = await whole(name)
    for at in range(2, appends, STRIDE):
        world = FlowWorld(Doer())
        run_id = await start(world, name)
        world.journal.writer = CrashingWriter(world.journal, at=at, when="after")
        try:
            await world.engine.drive(run_id)
        except Crash:
            bury(world.engine, world.journal)
        if world.journal.runs.get(run_id).ended:
            continue
        world.engine = world.new_engine()
        await world.engine.cancel(run_id, reason="enough")
        asked = len(world.performer.asked)
        if not world.journal.runs.get(run_id).ended:
            await world.engine.drive(run_id)
        assert world.journal.runs.get(run_id).status == "cancelled"
        assert all(name.startswith("undo") for name in world.performer.asked[asked:])
        await world.close()


@pytest.mark.parametrize("name", FLOWS)
@simulated
@pytest.mark.slow
async def test_a_budget_that_runs_out_anywhere_fails_the_run_and_is_not_taken_for_a_failure_inside(name):
    world = FlowWorld(Doer())
    run_id = await start(world, name)
    await world.engine.drive(run_id)
    events = world.journal.events(run_id)
    calls = sum(1 for event in events if event.data.get("call") and "$undo" not in event.path)
    await world.close()
    for limit in range(1, calls):
        world = FlowWorld(Doer())
        run_id = await start(world, name, plan_of(name, budget=Budget(max_steps=limit)))
        result = await world.engine.drive(run_id)
        assert (result.status, result.error and result.error.code) == ("failed", "budget"), limit
        await world.close()
