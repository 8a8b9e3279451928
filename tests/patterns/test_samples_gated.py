"""Gates in each place where they may stand: a yes, a no, silence; and death, a cancel and a fork while the run waits there."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tests.patterns.asking import ASKING
from tests.patterns.gated import GATED as PLACES
from tests.patterns.playing import Person, Played, World, approve, prove, reject, silent
from tests.patterns.samples import plan_of
from weft.core.errors import InputError
from weft.engine.fold import fold
from weft.engine.fork import Forks
from weft.engine.questions import Answer
from weft.engine.why import wake_sources
from weft.plan.nodes import Plan
from weft.store.gates import Gate
from weft.testing.failpoints import Crash
from weft.testing.simulation import SimulatedClock, simulate

pytestmark = pytest.mark.slow

GATED = PLACES | {name: ("completed", text) for name, text in ASKING.items()}
"""An agent whose call is rejected, or that nobody answers, hears of that and goes on without the call."""
SAYS_NO = {"graph, a node on a way back"}
"""Where a no is an answer like any other, which edges choose by."""


def planned(name: str) -> Plan:
    return plan_of(GATED[name][1], asking=name in ASKING)


def played(name: str, person: Person, more: Callable | None = None) -> Played:
    """The gated sample with a person who answers so; `more` happens when it waits for the first time."""

    async def main() -> Played:
        world = World()
        run_id = await world.begin(planned(name))
        if more is not None:
            run_id = await more(world, run_id) or run_id
        result = None
        if not world.journal.runs.get(run_id).ended:
            result = await world.to_its_end(run_id, person)
        world.check(run_id)
        found = world.told(run_id, result)
        await world.close()
        return found

    found = simulate(main)
    prove(found)
    return found


def own_calls(found: Played) -> list[str]:
    """The calls that agents have made themselves: they are named for their step."""
    return [name for name in found.done if "/" in name]


def status(found: Played) -> str:
    return found.family[0].run.status


@pytest.mark.parametrize("name", GATED)
def test_a_yes_everywhere_goes_to_the_end(name):
    found = played(name, approve)
    assert status(found) == "completed"
    assert bool(own_calls(found)) == (name in ASKING)


@pytest.mark.parametrize("name", ASKING)
def test_an_agents_call_is_made_as_it_was_edited(name):
    """What does not fit the tool's schema is refused, and the gate stays open."""
    refused = []

    async def tried(world: World, run_id: str) -> None:
        await until_it_waits(world, run_id)
        for run in world.family(run_id):
            for gate in world.journal.gates.of(run.id):
                with pytest.raises(InputError, match="of"):
                    await world.engine.decide(run.id, gate.id, Answer(by="ada", verdict="approve", values={"of": 1}))
                refused.append(gate.id)

    def edit(gate: Gate) -> Answer:
        return Answer(by="ada", verdict="approve", values={"as": f"edited {gate.request['given']['as']}"})

    found = played(name, edit, tried)
    assert status(found) == "completed"
    assert refused
    made = own_calls(found)
    assert made
    assert all(call.startswith("edited ") for call in made)


@pytest.mark.parametrize("name", GATED)
def test_a_no_ends_it_or_is_put_up_with(name):
    found = played(name, reject)
    assert status(found) == GATED[name][0] or name in SAYS_NO, found.result.error
    if status(found) == "failed":
        assert found.result.error.code == "rejected"
    assert not own_calls(found)
    if "saga" in name and name != "saga, what undoes":
        assert ("undo book1" if name in ASKING else "undo x") in found.done


@pytest.mark.parametrize("name", GATED)
def test_silence_is_decided_by_the_deadline(name):
    found = played(name, silent)
    assert status(found) == GATED[name][0], found.result.error
    if status(found) == "failed":
        assert found.result.error.code == "timeout"
    kinds = [event.data["how"] for told in found.family for event in told.events if event.kind == "gate.decided"]
    assert set(kinds) <= {"deadline"}
    assert not own_calls(found)


async def until_it_waits(world: World, run_id: str) -> bool:
    world.near_s = 0
    await world.engine.close()
    world.engine = world.new_engine()
    result = await world.engine.drive(run_id)
    return result.status == "waiting"


async def cancelled(world: World, run_id: str) -> str:
    if await until_it_waits(world, run_id):
        for run in world.family(run_id):
            assert run.ended or wake_sources(run, fold(world.journal.events(run.id)))
        assert await world.engine.cancel(run_id, reason="enough")
        # What asks before it undoes something still asks.
        still = {"waiting"} if "node.undoing" in world.kinds(run_id) else set()
        assert {run.status for run in world.family(run_id)} <= {"cancelled", "completed", *still}
    return run_id


async def forked(world: World, run_id: str) -> str:
    await until_it_waits(world, run_id)
    fork = Forks(world.journal, SimulatedClock(), new_id=world.entropy.new_id)
    return (
        await fork.fork(run_id, world.journal.runs.get(run_id).head_seq)
        if not world.journal.runs.get(run_id).ended
        else run_id
    )


@pytest.mark.parametrize("name", GATED)
def test_a_run_that_waits_is_cancelled_with_all_that_belongs_to_it(name):
    found = played(name, silent, cancelled)
    assert status(found) in {"cancelled", "completed"}
    if name == "saga, an agent's own call":
        assert found.done == ["book1", "undo book1"]
    elif name.startswith(("saga, a", "saga, b")):
        assert found.done == ["undo x", "x", "y"] or found.done == ["undo x", "x"]


@pytest.mark.parametrize("name", GATED)
def test_a_fork_of_a_run_that_waits_asks_anew(name):
    assert status(played(name, approve, forked)) == "completed"


def death(name: str, number: int) -> Callable:
    async def die(world: World, run_id: str) -> str:
        world.die_at(number, random.Random(f"{name}/{number}").choice(("before", "after")))
        try:
            await world.to_its_end(run_id)
        except Crash:
            pass
        world.bury()
        return run_id

    return die


def test_a_process_that_left_waiting_calls_for_others_and_died_is_replayed():
    """Two calls of a window of two wait, so a third begins; nothing in the journal says that they were left."""
    name = "map, an agent's own call"
    assert status(played(name, approve, death(name, 5))) == "completed"


@pytest.mark.parametrize("name", GATED)
def test_death_around_a_gate_changes_nothing(name):
    expected = played(name, approve)
    for number in random.Random(name).sample(range(1, 10), 4):
        found = played(name, approve, death(name, number))
        assert (status(found), found.outputs is None) == ("completed", False)
        assert found.done == expected.done
