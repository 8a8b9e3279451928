"""Die at every append and at every effect boundary of the reference workflows: the resumed run is as if nothing had happened."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

import pytest

from tests.engine.world import World, simulated
from tests.faults.reference import WORKFLOWS
from weft.core.ids import path_key
from weft.testing.failpoints import Crash, CrashingWriter, bury
from weft.testing.scripted import ScriptedPerformer


class Doomed(CrashingWriter):
    """Dies at an append, or when the performer says so; the dead write nothing more."""

    def __init__(self, journal, *, at=0, when="before"):
        super().__init__(journal, at=at, when=when)

    def die(self):
        self.fired = True
        raise Crash


@dataclass
class Mortal(ScriptedPerformer):
    """Dies at its `boundary`-th effect boundary: there is one before and one after each effect."""

    boundary: int = 0
    passed: int = 0
    writer: Doomed | None = None
    classes: dict[str, str] = field(default_factory=dict)

    async def perform(self, call, scope, context):
        self.classes[context.key] = call.effect
        self.cross()
        done = await ScriptedPerformer.perform(self, call, scope, context)
        self.cross()
        return done

    def cross(self):
        self.passed += 1
        if self.passed == self.boundary:
            self.writer.die()


def mortal(name, **how):
    # A once step of which a person says that it happened has no value, so here it never has one.
    return Mortal(
        WORKFLOWS[name][1],
        act=lambda call, scope, context: None if call.effect == "once" else {"response": context.path},
        **how,
    )


async def finish(world, run_id):
    """Drive as often as it takes; whoever is asked about a doubtful step looks at the world and tells the truth."""
    for _ in range(20):
        if world.journal.runs.get(run_id).ended:
            return world.state(run_id)
        recorded = set(world.state(run_id).outcomes)
        counted = Counter(world.performer.started)
        try:
            result = await world.resume(run_id)
            again = [path for path in recorded if world.performer.started[path] != counted[path]]
            assert not again, f"recorded steps were performed again: {again}"
            for wait in result.waits:
                happened = world.performer.effects[path_key(run_id, wait["path"])] > 0
                await world.engine.settle(run_id, wait["path"], did=happened)
            await world.engine.close()
        except Crash:
            bury(world.engine, world.journal)
    raise AssertionError("the run never ends")


def check(world, run_id, state, whole):
    assert state.status == whole["status"]
    assert state.outputs == whole["outputs"]
    assert world.journal.verify(run_id).intact
    for key, times in world.performer.effects.items():
        allowed = 1 if world.performer.classes[key] in {"reconcile", "once"} else 1 + world.deaths
        assert times <= allowed, f"{world.performer.paths[key]} happened {times} times"
    ends = Counter(e.path for e in world.journal.events(run_id) if e.kind in {"step.completed", "step.failed"})
    assert set(ends.values()) == {1}


async def whole_run(name):
    world = World(mortal(name))
    writer = world.journal.writer = Doomed(world.journal)
    result = await world.run(WORKFLOWS[name][0])
    assert result.status == "completed", result.error
    whole = {
        "status": result.status,
        "outputs": world.state(result.run_id).outputs,
        "appends": writer.appends,
        "boundaries": world.performer.passed,
    }
    await world.engine.close()
    world.journal.close()
    return whole


async def die_and_finish(name, whole, *, at=0, when="before", boundary=0, second=None):
    world = World(mortal(name, boundary=boundary))
    world.deaths = 1
    writer = world.journal.writer = world.performer.writer = Doomed(world.journal, at=at, when=when)
    try:
        await world.run(WORKFLOWS[name][0])
    except Crash:
        pass
    assert writer.fired
    bury(world.engine, world.journal)
    runs = world.journal.runs.list()
    if not runs:
        assert (at, when) == (1, "before")
        world.journal.close()
        return
    if second is not None:
        world.deaths = 2
        world.journal.writer = Doomed(world.journal, at=second, when=when)
    state = await finish(world, runs[0].id)
    check(world, runs[0].id, state, whole)
    world.journal.close()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", WORKFLOWS)
@simulated
@pytest.mark.slow
async def test_death_at_every_append_changes_nothing(name, when):
    whole = await whole_run(name)
    assert whole["appends"] >= 8
    for at in range(1, whole["appends"] + 1):
        await die_and_finish(name, whole, at=at, when=when)


@pytest.mark.slow
@pytest.mark.parametrize("name", WORKFLOWS)
@simulated
async def test_death_at_every_effect_boundary_changes_nothing(name):
    whole = await whole_run(name)
    assert whole["boundaries"] >= 6
    for boundary in range(1, whole["boundaries"] + 1):
        await die_and_finish(name, whole, boundary=boundary)


@pytest.mark.slow
@pytest.mark.parametrize("name", WORKFLOWS)
@simulated
async def test_death_in_the_second_life_too_changes_nothing(name):
    whole = await whole_run(name)
    draw = random.Random(name)
    for _ in range(100):
        at, second = draw.randint(1, whole["appends"]), draw.randint(1, whole["appends"])
        await die_and_finish(name, whole, at=at, when=draw.choice(["before", "after"]), second=second)
