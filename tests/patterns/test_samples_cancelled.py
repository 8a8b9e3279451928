"""Every sample is cancelled after any event, live and while nobody drives it: it ends, undoes what it did, and can go on again."""

from __future__ import annotations

import asyncio
import random

import pytest

from tests.engine.world import LateWriter
from tests.patterns.playing import Played, World, prove, silent
from tests.patterns.samples import ALL, plan_of
from tests.patterns.test_samples_die import FEW, MANY, whole
from weft.engine.fold import fold
from weft.testing.failpoints import Crash
from weft.testing.simulation import simulate

pytestmark = pytest.mark.slow

UNDONE = {
    "saga": {"book1": "undo book1", "book2": "undo2"},
    "saga in child in map": {"child tea": "undo child tea", "child boats": "undo child boats"},
    "saga in saga": {"out": "undo out", "x": "undo x"},
}
"""What undoes what, where one effect is a whole step of a saga: half a step is not undone. A child that has ended is its own affair."""


class After:
    """Cancels a run after a number of events in all of its family."""

    def __init__(self, world: World, number: int) -> None:
        self.world, self.left = world, number
        self.run_id = ""
        self.cancelling: asyncio.Future[bool] | None = None

    def event(self, event) -> None:
        self.left -= 1
        if self.left == 0 and self.run_id:
            self.cancelling = asyncio.ensure_future(self.world.engine.cancel(self.run_id, reason="enough"))

    def delta(self, *_) -> None:
        pass


def undone(name: str, played: Played) -> None:
    """Whatever was done has been undone, where something undoes it."""
    ended = {told.run.id: told.run.status for told in played.family}
    if "completed" in list(ended.values())[1:]:
        return
    if fold(played.events).outcomes and name in UNDONE:
        for did, undo in UNDONE[name].items():
            steps = f"'{did}'"
            recorded = any(
                event.kind == "step.completed" and f"'response': {steps}" in str(event.data)
                for told in played.family
                for event in told.events
            )
            assert not recorded or undo in played.done, f"{did} was done and not undone"


async def at_rest(world: World, run_id: str, name: str) -> Played:
    """What must hold when a cancel is over."""
    result = await world.to_its_end(run_id, silent) if not world.journal.runs.get(run_id).ended else None
    run = world.journal.runs.get(run_id)
    assert run.status == "cancelled", (run.status, result)
    for each in world.family(run_id):
        assert each.ended, f"a child is {each.status}"
    world.check(run_id)
    asked = len(world.asked), sum(world.outside.touched.values())
    await asyncio.sleep(10)
    assert (len(world.asked), sum(world.outside.touched.values())) == asked, "something goes on after the cancel"
    played = world.told(run_id, result)
    undone(name, played)
    return played


async def goes_on(world: World, run_id: str, name: str) -> Played:
    """A cancelled run that is opened again comes to the end that it would have had."""
    result = await world.to_its_end(run_id, reopen=True)
    assert (result.status, world.state(run_id).outputs) == ("completed", whole(name).outputs), result.error
    world.check(run_id)
    return world.told(run_id, result)


def cancelled_live(name: str, number: int, *, late: bool) -> list[Played]:
    async def main() -> list[Played]:
        world = World()
        after = After(world, number)
        world.listeners = (after,)
        world.engine = world.new_engine()
        if late:
            world.journal.writer = LateWriter(world.journal, at=0, when="before")
        run_id = after.run_id = await world.begin(plan_of(ALL[name]), name)
        result = await world.to_its_end(run_id, silent if after.left <= 0 else world.person)
        if after.cancelling is None or not await after.cancelling or result.status == "completed":
            # It came too late, and nothing of it may be seen.
            assert (result.status, world.state(run_id).outputs) == ("completed", whole(name).outputs)
            assert "run.cancelling" not in world.kinds(run_id)
            await world.close()
            return []
        # What was stopped between its effect and the record of it may do it again, under the same key.
        world.deaths += 1
        stages = [await at_rest(world, run_id, name), await goes_on(world, run_id, name)]
        await world.close()
        return stages

    return simulate(main)


def cancelled_while_dead(name: str, at: int, when: str) -> list[Played]:
    async def main() -> list[Played]:
        world = World()
        run_id = await world.begin(plan_of(ALL[name]), name)
        world.die_at(at, when)
        try:
            await world.to_its_end(run_id)
        except Crash:
            pass
        world.bury()
        if not await world.engine.cancel(run_id, reason="enough"):
            await world.close()
            return []
        stages = [await at_rest(world, run_id, name), await goes_on(world, run_id, name)]
        await world.close()
        return stages

    return simulate(main)


def everywhere(name: str, count: int) -> None:
    expected = whole(name)
    total = sum(len(told.events) for told in expected.family)
    places = [(number, late) for number in range(1, total) for late in (False, True)]
    places += [(at, when) for at in range(1, expected.appends + 1) for when in ("before", "after")]
    for number, how in random.Random(f"{name}/cancel").sample(places, min(count, len(places))):
        if isinstance(how, bool):
            stages = cancelled_live(name, number, late=how)
        else:
            stages = cancelled_while_dead(name, number, how)
        for played in stages:
            prove(played)


@pytest.mark.parametrize("name", ALL)
def test_a_cancel_somewhere_ends_a_sample_and_all_that_belongs_to_it(name):
    everywhere(name, FEW)


@pytest.mark.parametrize("name", ALL)
def test_a_cancel_anywhere_ends_a_sample_and_all_that_belongs_to_it(name):
    everywhere(name, MANY)
