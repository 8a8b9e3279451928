"""A replay performs nothing and finds the same events; what was changed, in the journal or in the plan, is found too."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.plans import Case, cases
from tests.engine.world import DyingWriter, World, call, chain, fan
from tests.examples import examples
from weft.core.errors import MismatchError
from weft.engine.replay import replay
from weft.plan.nodes import (
    Arrow,
    Block,
    Branch,
    Choose,
    Gate,
    Graph,
    Join,
    Loop,
    Machine,
    Map,
    Plan,
    Select,
    Set,
    Signal,
    State,
    Wait,
)
from weft.testing.failpoints import Crash, CrashingWriter, bury
from weft.testing.scripted import ScriptedPerformer, Trouble
from weft.testing.simulation import simulate

RELAXED = settings(
    max_examples=examples(80),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def recorded(plan: Plan, troubles=None, *, seed=None, how=None):
    """The events of a run of `plan`, and what `how` does with the world before they are read."""

    async def main():
        world = World(ScriptedPerformer(troubles or {}))
        run_id = await world.engine.start(plan, {"topic": "rain"})
        if how is None:
            await world.engine.drive(run_id)
        else:
            await how(world, run_id)
        events = world.journal.events(run_id)
        await world.close()
        return events

    return simulate(main, seed=seed)


def check(plan: Plan, events) -> None:
    found = replay("r", plan, events)
    assert found.difference is None, found.difference
    assert found.events == len(events)


@RELAXED
@given(cases(), st.integers(0, 2**16))
def test_whatever_was_run_comes_out_again(case: Case, seed: int) -> None:
    check(case.plan, recorded(case.plan, case.troubles, seed=seed))


@pytest.mark.slow
def test_a_step_that_began_between_two_ends_of_one_commit_comes_out_again() -> None:
    fatal, slow = Trouble(fatal=True), Trouble(seconds=0.1)
    top = Graph(
        name="top",
        children=tuple(call(f"n{number}") for number in range(4)),
        deps={"n0": (), "n1": (), "n2": ("n1",), "n3": ()},
    )
    plan = Plan(workflow="w", root=Block(name="", body=top))
    orders = set()
    for seed in range(300):
        events = recorded(plan, {"/top/n0": fatal, "/top/n2": fatal, "/top/n3": slow}, seed=seed)
        order = tuple(event.path for event in events if event.kind in {"step.completed", "step.failed"})
        order += tuple(event.data["error"]["place"]["path"] for event in events if event.kind == "node.failed")
        if order not in orders:
            orders.add(order)
            check(plan, events)
    # What failed is written first, and yet what follows on the other has begun.
    assert ("/top/n0", "/top/n1", "/top/n2", "/top/n2") in orders


BESIDE = Block(name="beside", body=call("in"), ends="inverted")


@pytest.mark.parametrize(
    ("first", "join"),
    [(Set(name="first", values={"v": "1 / 0"}), Join()), (Set(name="first", values={"v": "1"}), Join(policy="first"))],
    ids=["failed", "enough"],
)
def test_what_ran_beside_an_end_that_needs_no_step_and_ended_before_it_was_acted_on_comes_out_again(
    first, join
) -> None:
    plan = Plan(workflow="w", root=Graph(name="g", children=(first, BESIDE), join=join))
    for seed in (None, 0, 1):
        events = recorded(plan, seed=seed)
        # Nobody asks for this end any more, and it was written.
        assert next(event.path for event in events if event.kind == "node.failed") == "/beside"
        check(plan, events)


@pytest.mark.slow
def test_what_ran_beside_an_end_of_an_earlier_drive_comes_out_again() -> None:
    each = Block(name="", body=call("in"), ends="inverted")
    plan = Plan(workflow="w", root=Block(name="", body=Map(name="m", items="[0, 1]", body=each)))

    async def die_and_resume(world: World, run_id: str) -> None:
        world.journal.writer = DyingWriter(world.journal, "node.failed", "/m[0]")
        try:
            await world.engine.drive(run_id)
        except Crash:
            bury(world.engine, world.journal)
            await world.resume(run_id)

    seen = set()
    for seed in range(8):
        events = recorded(plan, seed=seed, how=die_and_resume)
        seen.add(tuple(event.path for event in events if event.kind == "node.failed"))
        check(plan, events)
    assert ("/m[0]", "/m[1]", "/m") in seen


@RELAXED
@given(cases(), st.integers(1, 40), st.sampled_from(["before", "after"]), st.integers(0, 2**16))
def test_a_run_that_died_and_went_on_comes_out_again(case: Case, at: int, when: str, seed: int) -> None:
    async def main():
        world = World(ScriptedPerformer(case.troubles))
        world.journal.writer = CrashingWriter(world.journal, at=at, when=when)
        try:
            await world.run(case.plan)
        except Crash:
            bury(world.engine, world.journal)
        runs = world.journal.runs.list()
        halves = [world.journal.events(run.id) for run in runs]
        if runs and not runs[0].ended:
            engine = world.new_engine()
            await engine.drive(runs[0].id)
            await engine.close()
        wholes = [world.journal.events(run.id) for run in runs]
        await world.close()
        return halves + wholes

    for events in simulate(main, seed=seed):
        check(case.plan, events)


@RELAXED
@given(cases(), st.data())
def test_every_prefix_of_a_run_comes_out_again(case: Case, data: st.DataObject) -> None:
    events = recorded(case.plan, case.troubles)
    check(case.plan, events[: data.draw(st.integers(1, len(events)))])


@RELAXED
@given(cases(), st.data())
@pytest.mark.slow
def test_a_value_that_a_composite_did_not_end_with_is_found(case: Case, data: st.DataObject) -> None:
    events = recorded(case.plan, case.troubles)
    ends = [place for place, event in enumerate(events) if event.kind in {"node.completed", "run.completed"}]
    if not ends:
        return
    place = data.draw(st.sampled_from(ends))
    event = events[place]
    wrong = {"value": "forged"} if event.path else {"outputs": {"response": "forged", "value": None}}
    events[place] = event._replace(data={**event.data, **wrong})
    found = replay("r", case.plan, events).difference
    assert found is not None
    assert found.seq == event.seq


def test_what_differs_is_told_of_the_place_up_to_which_the_journal_can_be_followed() -> None:
    first = Set(name="first", values={"v": "1 / 0"})
    plan = Plan(
        workflow="w", root=chain(Select(name="s", children=(Graph(name="g", children=(first, BESIDE)), call("b"))))
    )
    events = recorded(plan)
    place = next(place for place, event in enumerate(events) if event.kind == "run.completed")
    events[place] = events[place]._replace(data={"outputs": {"response": "forged", "value": None}})
    found = replay("r", plan, events).difference
    assert found is not None
    assert found.seq == events[place].seq


def test_a_failed_a_reopened_and_a_cancelled_run_come_out_again():
    plan = Plan(workflow="w", root=chain(call("a"), fan(call("b"), call("c"), name="g"), call("d")))

    async def mended(world, run_id):
        await world.engine.drive(run_id)
        world.performer.troubles = {}
        await world.engine.drive(run_id, reopen=True)

    events = recorded(plan, {"/g/c": Trouble(fatal=True)}, how=mended)
    assert [event.kind for event in events].count("run.reopened") == 1
    check(plan, events)
    check(plan, recorded(plan, {"/g/c": Trouble(fatal=True)}))

    async def stopped(world, run_id):
        await world.engine.drive(run_id)
        assert not await world.engine.cancel(run_id)

    check(plan, recorded(plan, how=stopped))


def test_time_limits_and_waits_come_out_again_without_any_time_passing():
    slow = Block(name="slow", body=call("never"), timeout_s=5)
    quick = Block(name="quick", body=chain(call("x"), name="s"), timeout_s=50)
    plan = Plan(
        workflow="w",
        root=Graph(name="", children=(quick, Wait(name="w", seconds="300"), slow), join=Join(policy="best_effort")),
    )
    check(plan, recorded(plan, {"/slow/never": Trouble(seconds=1e6)}))


def test_the_winner_of_a_race_is_the_one_that_was_recorded():
    arms = [Map(name="deep", items="[1]", body=chain(call("x"), name=""), key=None), call("flat")]
    plan = Plan(workflow="w", root=chain(fan(*arms, name="race", join=Join(policy="first")), call("then")))
    for seed in range(30):
        check(plan, recorded(plan, seed=seed))


def test_a_step_that_waits_for_a_person_comes_out_again():
    plan = Plan(workflow="w", root=chain(call("a"), call("b", effect="once"), call("c")))

    async def doubtful(world, run_id):
        world.journal.writer = DyingWriter(world.journal, "step.started", "/b")
        try:
            await world.engine.drive(run_id)
        except Crash:
            bury(world.engine, world.journal)
        world.engine = world.new_engine()
        result = await world.engine.drive(run_id)
        assert result.status == "waiting"
        await world.engine.settle(run_id, "/b", did=False)
        await world.engine.drive(run_id)

    events = recorded(plan, how=doubtful)
    assert "run.waiting" in [event.kind for event in events]
    assert "step.settled" in [event.kind for event in events]
    check(plan, events)


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (chain(call("a"), call("c")), "does not come to"),
        (chain(call("a", effect="once"), call("b")), "step.started"),
        (chain(call("a"), call("b"), value={"x": "1"}), "run.completed"),
        (chain(call("a"), call("b"), call("c")), "still waits for /c"),
        (chain(call("a"), Choose(name="?", branches=(Branch(when="topic == 'sun'", node=call("b")),))), "come to"),
    ],
)
def test_another_plan_is_found_out_and_both_sides_are_named(other, says):
    plan = Plan(workflow="w", root=chain(call("a"), call("b")))
    events = recorded(plan)
    with pytest.raises(MismatchError) as caught:
        replay("r", Plan(workflow="w", root=other), events).demand()
    assert says in caught.value.message
    assert "the journal says" in caught.value.message


def test_events_that_are_missing_are_found():
    plan = Plan(workflow="w", root=chain(call("a"), fan(call("b"), call("c"), name="g"), call("d")))
    events = recorded(plan)
    for place, event in enumerate(events):
        if event.kind in {"step.completed", "node.completed"}:
            assert replay("r", plan, events[:place] + events[place + 1 :]).difference is not None, event


@pytest.mark.slow
def test_every_kind_of_node_comes_out_again():
    def mark(name, **how):
        return Gate(name=name, prompt="Go on?", **how)

    saga = Block(
        name="saga",
        body=chain(call("a"), call("b"), call("c"), name="in"),
        compensations={"a": call("ua"), "b": call("ub")},
        ends="tolerated",
    )
    states = (
        State(name="x", body=call("x"), exits=((Arrow(to="y"),), (Arrow(to="z"),))),
        State(name="y", body=call("y"), exits=((Arrow(to="z"),),)),
        State(name="z", body=call("z"), final=True),
    )
    nodes = (
        saga,
        Machine(name="machine", start="x", states=states),
        Select(name="select", children=(call("bad"), call("good"))),
        Loop(name="loop", body=call("turn"), until="iteration >= 40", max_iterations=60, into="rounds"),
        Wait(name="signal", signals=(Signal(name="s"),), seconds="5"),
        mark("late", deadline_s=5, default="approve", choices=("approve", "reject")),
    )
    plan = Plan(workflow="w", root=chain(*nodes))
    events = recorded(plan, {"/saga/in/c": Trouble(fatal=True), "/select/bad": Trouble(fatal=True)})
    assert {"node.undoing", "node.position", "gate.opened", "signal.awaited"} <= {event.kind for event in events}
    check(plan, events)
    for last in range(1, len(events)):
        check(plan, events[:last])
