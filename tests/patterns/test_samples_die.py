"""Every sample dies at every append and at every effect boundary: the run that is resumed is as if nothing had happened."""

from __future__ import annotations

import functools
import random

import pytest

from tests.patterns.playing import Played, World, prove
from tests.patterns.samples import ALL, plan_of
from weft.testing.failpoints import Crash
from weft.testing.simulation import simulate

pytestmark = pytest.mark.slow

FEW = 3
"""The fast tests die in so many places of a sample, the slow ones in `MANY`."""
MANY = 12
AFTER = ("before", "after")


@functools.cache
def whole(name: str) -> Played:
    """The sample as it goes when nothing happens to it."""

    async def main() -> Played:
        world = World()
        run_id = await world.begin(plan_of(ALL[name]), name)
        writer = world.die_at()
        result = await world.to_its_end(run_id)
        assert result.status == "completed", result.error
        world.check(run_id)
        played = world.told(run_id, result)
        played.appends, played.boundaries = writer.appends, world.boundaries.passed
        await world.close()
        return played

    return simulate(main)


def die(name: str, expected: Played, *, at: int = 0, when: str = "before", boundary: int = 0) -> Played:
    async def main() -> Played:
        world = World()
        run_id = await world.begin(plan_of(ALL[name]), name)
        writer = world.die_at(at, when, boundary)
        try:
            await world.to_its_end(run_id)
        except Crash:
            pass
        assert writer.fired, f"there is no append {at} or boundary {boundary}"
        world.bury()
        before = world.recorded(run_id)
        counted = world.counts(before)
        if not world.journal.runs.get(run_id).ended:
            await world.to_its_end(run_id)
        state = world.state(run_id)
        assert (state.status, state.outputs) == ("completed", expected.outputs), state.error
        assert world.counts(before) == counted, "what was recorded is not done again"
        world.check(run_id)
        played = world.told(run_id, expected.result)
        await world.close()
        return played

    played = simulate(main)
    assert played.done == expected.done
    assert set(played.touched) == set(expected.touched)
    assert played.effects.keys() == expected.effects.keys()
    return played


def places(name: str, count: int, label: str) -> list[dict]:
    expected = whole(name)
    found = [{"at": at, "when": when} for at in range(1, expected.appends + 1) for when in AFTER]
    found += [{"boundary": boundary} for boundary in range(1, expected.boundaries + 1)]
    return random.Random(f"{name}/{label}").sample(found, min(count, len(found)))


@pytest.mark.parametrize("name", ALL)
def test_a_sample_goes_to_its_end_and_comes_out_again(name):
    prove(whole(name))


@pytest.mark.parametrize("name", ALL)
def test_death_somewhere_changes_nothing(name):
    for place in places(name, FEW, "few"):
        prove(die(name, whole(name), **place))


@pytest.mark.parametrize("name", ALL)
def test_death_anywhere_changes_nothing(name):
    for place in places(name, MANY, "many"):
        prove(die(name, whole(name), **place))
