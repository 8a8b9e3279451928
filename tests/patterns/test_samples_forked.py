"""Every sample is forked after any event: the fork comes to a sound end of its own, and both pasts come out again."""

from __future__ import annotations

import random

import pytest

from tests.patterns.playing import Played, World, prove
from tests.patterns.samples import ALL, plan_of
from tests.patterns.test_samples_die import FEW, MANY, whole
from weft.core.ids import path_key
from weft.engine.fork import Forks
from weft.testing.simulation import SimulatedClock, simulate

pytestmark = pytest.mark.slow


def forked(name: str, seq: int, *, cancelled: bool = False) -> list[Played]:
    """The sample and a fork of it at an event; `cancelled`, it is cancelled first and the fork is of that."""

    async def main() -> list[Played]:
        world = World()
        run_id = await world.begin(plan_of(ALL[name]), name)
        if cancelled:
            await world.engine.cancel(run_id)
        first = await world.to_its_end(run_id)
        past = world.journal.events(run_id)
        counted = dict(world.outside.touched), dict(world.effects)
        at = min(seq, len(past))
        fork_id = await Forks(world.journal, SimulatedClock(), new_id=world.entropy.new_id).fork(run_id, at)
        recorded = {path_key(fork_id, path) for path in world.state(fork_id).outcomes}
        # What was sent to the run was not sent to the fork; what it heard in a wait that has ended, it knows.
        ended = max((event.seq for event in past[:at] if event.kind == "step.completed"), default=0)
        heard = {event.data["key"] for event in past[:ended] if event.kind in {"signal.received", "signal.passed"}}
        await world.send(fork_id, name, heard)
        result = await world.to_its_end(fork_id)
        assert (result.status, world.state(fork_id).outputs) == ("completed", whole(name).outputs), result.error
        events = world.journal.events(fork_id)
        shared = [(event.kind, event.path, event.data) for event in past[:at]]
        assert [(event.kind, event.path, event.data) for event in events[:at]] == shared
        assert world.journal.events(run_id) == past, "the run itself is as it was"
        assert not any(world.counts(recorded)[key] != (0, 0) for key in recorded), (
            "what the past holds is not done again"
        )
        assert all(world.outside.touched[key] == times for key, times in counted[0].items())
        assert all(world.effects[key] == times for key, times in counted[1].items())
        if at == len(past) and not cancelled:
            assert not world.state(fork_id).total().requests, "a past is not charged again"
        world.check(fork_id)
        played = [world.told(run_id, first), world.told(fork_id, result)]
        await world.close()
        return played

    return simulate(main)


def everywhere(name: str, count: int) -> None:
    places = list(range(1, len(whole(name).events) + 1))
    for seq in random.Random(f"{name}/fork").sample(places, min(count, len(places))):
        for played in forked(name, seq):
            prove(played)


@pytest.mark.parametrize("name", ALL)
def test_a_fork_somewhere_goes_its_own_way(name):
    everywhere(name, FEW)


@pytest.mark.parametrize("name", ALL)
def test_a_fork_anywhere_goes_its_own_way(name):
    everywhere(name, MANY)
