"""Machines: tokens, joins, cycles; the same on every schedule, and as a plain reference says."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.machines import FAILED, Case, Reference, cases, latest, performer
from tests.engine.world import World, as_plan, call, chain, simulated
from tests.examples import examples
from weft.plan.nodes import Arrow, Loop, Machine, Node, State
from weft.testing.failpoints import Crash, CrashingWriter, bury
from weft.testing.scripted import ScriptedPerformer, Trouble
from weft.testing.simulation import simulate

RELAXED = settings(max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck))
SCOPE = {"x": "0", "y": "0"}


def outcome(case: Case, seed: int | None, *, at: int = 0, when: str = "before"):
    """How the run ends, and the facts that no schedule may change."""

    async def main():
        world = World(performer(case.troubles))
        world.journal.writer = writer = CrashingWriter(world.journal, at=at, when=when)
        run_id = await world.engine.start(as_plan(chain(case.machine)), SCOPE)
        try:
            result = await world.engine.drive(run_id)
        except Crash:
            bury(world.engine, world.journal)
            before = dict(world.performer.started)
            recorded = {e.path for e in world.journal.events(run_id) if e.kind == "step.completed"}
            if world.journal.runs.get(run_id).ended:
                return None
            result = await world.resume(run_id)
            assert all(world.performer.started[path] == before.get(path, 0) for path in recorded)
        assert writer.fired or not at or result.status
        assert world.journal.verify(run_id).intact
        events = [
            (event.kind, event.path, repr(event.data))
            for event in world.journal.events(run_id)
            if event.kind in {"step.completed", "node.completed", "run.completed"}
        ]
        await world.close()
        return result, sorted(set(events))

    return simulate(main, seed=seed)


def plain(case: Case) -> bool:
    return not any(state.final for state in case.machine.states)


@RELAXED
@given(cases(), st.integers(0, 2**16), st.integers(0, 2**16))
@pytest.mark.slow
def test_a_machine_ends_as_the_reference_says_on_every_schedule(case: Case, seed: int, order: int) -> None:
    result, events = outcome(case, None)
    other, other_events = outcome(case, seed)
    if not plain(case):
        # Which of several tokens is the first in a final state is a race, and the journal says who won it.
        return
    want = Reference(case, order).play()
    assert result.status == other.status == ("failed" if want is FAILED else "completed"), result.error
    if want is not FAILED:
        past, names = want
        assert result.outputs["value"] == {
            "st": latest(past),
            "x": names["x"][1],
            "y": names["y"][1],
        }
        assert events == other_events


@RELAXED
@given(cases(fatal=False), st.integers(2, 60), st.sampled_from(["before", "after"]), st.integers(0, 2**16))
@pytest.mark.slow
def test_a_crash_anywhere_in_a_machine_changes_nothing(case: Case, at: int, when: str, seed: int) -> None:
    whole, _ = outcome(case, seed)
    if (found := outcome(case, seed, at=at, when=when)) is None:
        return
    result, _ = found
    assert result.status == whole.status
    assert result.outputs == whole.outputs


def machine(*states: State, **how) -> Machine:
    return Machine(name="m", start=states[0].name, states=states, into="st", **how)


def state(name: str, *groups: str, body: Node | None = None, **how) -> State:
    """A state that leads to each of `groups`; ``to?condition`` is an arrow with one."""
    exits = tuple(
        tuple(Arrow(to=to, when=when or "true") for to, _, when in [group.partition("?")]) for group in groups
    )
    return State(name=name, body=body or call("c"), exits=exits, **how)


@simulated
async def test_a_join_is_visited_once_for_all_tokens_that_can_come():
    world = World(ScriptedPerformer({"/m/slow[0]": Trouble(seconds=60)}))
    plan = machine(state("a", "slow", "quick"), state("slow", "join"), state("quick", "join"), state("join"))
    result = await world.run(chain(plan))
    assert world.performer.started == {"/m/a[0]": 1, "/m/slow[0]": 1, "/m/quick[0]": 1, "/m/join[0]": 1}
    assert set(result.outputs["value"]) == {"a", "slow", "quick", "join"}
    await world.close()


@simulated
async def test_states_that_wait_for_each_other_go_on_in_declared_order():
    world = World()
    plan = machine(state("s", "a", "b"), state("a", "b?st.a"), state("b", "a?not st.b"), max_visits=2)
    result = await world.run(chain(plan))
    assert result.status == "completed"
    assert list(world.performer.started) == ["/m/s[0]", "/m/a[0]", "/m/b[0]"]
    await world.close()


@simulated
async def test_no_state_sees_what_happened_beside_it():
    seen = {}

    def act(call, scope, context):
        seen[context.path] = sorted(scope["st"])
        return {"response": context.path}

    world = World(ScriptedPerformer({"/m/b[0]": Trouble(seconds=9)}, act=act))
    await world.run(chain(machine(state("s", "a", "b"), state("a", "j"), state("b", "j"), state("j"))))
    assert seen == {"/m/s[0]": [], "/m/a[0]": ["s"], "/m/b[0]": ["s"], "/m/j[0]": ["a", "b", "s"]}
    await world.close()


@simulated
async def test_too_many_visits_are_a_failure_that_names_the_state():
    world = World()
    result = await world.run(chain(machine(state("round", "round"), max_visits=5)))
    assert result.error.code == "limit"
    assert result.error.ids["state"] == "round"
    assert len(world.performer.started) == 5
    assert world.kinds(result.run_id, "/m")[-1] == "node.failed"
    await world.close()


@simulated
async def test_a_final_state_ends_the_machine_and_what_is_beside_it_durably():
    world = World(ScriptedPerformer({"/m/slow[0]": Trouble(seconds=60)}))
    plan = machine(state("s", "slow", "end"), state("slow"), state("end", final=True))
    result = await world.run(chain(plan, call("after")))
    assert world.data(result.run_id, "node.completed", "/m")[0]["exported"]["st"].keys() == {"s", "end"}
    assert not world.state(result.run_id).outcomes.get("/m/slow[0]")
    kinds = [event.kind for event in world.journal.events(result.run_id) if event.path in ("/m", "/after")]
    assert kinds.index("node.completed") < kinds.index("step.started")
    await world.close()


@simulated
async def test_a_failing_state_fails_the_machine_durably():
    world = World(ScriptedPerformer({"/m/bad[0]": Trouble(fatal=True), "/m/slow[0]": Trouble(seconds=60)}))
    result = await world.run(chain(machine(state("s", "slow", "bad"), state("slow"), state("bad"))))
    assert result.status == "failed"
    assert world.data(result.run_id, "node.failed", "/m")[0]["error"]["place"]["path"] == "/m/bad[0]"
    world.performer.troubles = {}
    again = await world.resume(result.run_id, reopen=True)
    assert again.status == "completed"
    assert world.performer.started["/m/s[0]"] == 1
    await world.close()


@simulated
async def test_an_arrow_to_nowhere_is_an_error_that_says_so():
    world = World()
    result = await world.run(chain(machine(state("s", "nowhere"))))
    assert result.error.code == "input"
    assert "nowhere" in result.error.message
    await world.close()


@simulated
async def test_what_the_scope_has_of_the_states_before_the_first_visit_is_there():
    world = World()
    node = machine(state("s", "t?st.t.asked"), state("t"))
    result = await world.run(chain(node), {"st": {"t": {"asked": True}}})
    assert world.performer.started["/m/t[0]"] == 1
    assert result.outputs["response"] == "c"
    await world.close()


ROUNDS = {
    "machine": machine(state("a", "b"), state("b", "a"), max_visits=10_000),
    "loop": Loop(name="m", body=call("c"), until="false", max_iterations=10_000),
}


async def walked_again(kind: str, at: int) -> tuple[int, int, int]:
    """Die after `at` appends: how many events there are then, steps in memory, and bytes of the last position."""
    world = World()
    world.journal.writer = CrashingWriter(world.journal, at=at, when="after")
    run_id = await world.engine.start(as_plan(chain(ROUNDS[kind])), {})
    try:
        await world.engine.drive(run_id)
    except Crash:
        bury(world.engine, world.journal)
    events, known = world.journal.events(run_id), len(world.state(run_id).outcomes)
    sizes = [len(repr(event.data)) for event in events if event.kind == "node.position"]
    await world.close()
    return len(events), known, sizes[-1]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ROUNDS)
@simulated
async def test_a_long_past_costs_a_resumed_run_no_more_than_a_short_one(kind):
    """What is kept in memory is what is walked again: nothing else of the past is asked for."""
    events, known, size = await walked_again(kind, 100)
    more_events, more_known, more_size = await walked_again(kind, 2_000)
    assert more_events > 10 * events
    assert max(known, more_known) <= 24
    assert more_size <= size + 64
