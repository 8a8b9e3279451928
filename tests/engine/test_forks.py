"""Forks: the same past, another future. The past is never copied, never changed and never done again."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.plans import Case, cases, expected, tolerated
from tests.engine.world import World, as_plan, call, chain, fan, simulated
from tests.examples import examples
from weft.core.errors import ConflictError, InputError, MismatchError, NotFoundError
from weft.engine.fold import fold
from weft.engine.fork import Changes, Forks
from weft.engine.replay import replay
from weft.plan.nodes import Block, Branch, Budget, Choose, Map, Plan
from weft.testing.failpoints import Crash, CrashingWriter, bury
from weft.testing.scripted import ScriptedPerformer, Trouble
from weft.testing.simulation import SimulatedClock, simulate

RELAXED = settings(max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck))


def forks(world: World) -> Forks:
    return Forks(world.journal, SimulatedClock(), new_id=world.entropy.new_id)


def plain(events):
    return [(event.seq, event.at, event.kind, event.path, event.data, event.hash) for event in events]


PLAN = Plan(workflow="w", root=chain(call("a"), call("b"), fan(call("c"), call("d"), name="g"), call("e")))


@RELAXED
@given(cases(), st.data(), st.integers(0, 2**16))
def test_a_fork_at_any_event_has_that_past_and_comes_to_the_same_end(case: Case, data, seed: int) -> None:
    async def main():
        world = World(ScriptedPerformer(case.troubles))
        whole = await world.run(case.plan)
        before = plain(world.journal.events(whole.run_id))
        at = data.draw(st.integers(1, len(before)))
        counted = dict(world.performer.started)
        recorded = {e.path for e in world.journal.events(whole.run_id)[:at] if e.kind == "step.completed"}
        run_id = await forks(world).fork(whole.run_id, at)
        assert plain(world.journal.events(run_id))[:at] == before[:at]
        base, now = fold(world.journal.events(whole.run_id)[:at]), world.state(run_id)
        assert now.scope == base.scope
        assert {path for path in base.outcomes if path in recorded} <= set(now.outcomes)
        assert now.inherited.tokens == base.total().tokens
        result = await world.resume(run_id)
        assert plain(world.journal.events(whole.run_id)) == before, "the past of the other run was changed"
        for path in recorded:
            assert world.performer.started[path] == counted.get(path, 0), "a recorded step was performed again"
        assert world.journal.verify(run_id).intact
        assert world.journal.verify(whole.run_id).intact
        events = world.journal.events(run_id)
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        await world.close()
        return whole, result, events

    whole, result, events = simulate(main, seed=seed)
    assert replay("r", case.plan, events).difference is None
    transient = any(trouble.transient for trouble in case.troubles.values())
    if whole.status == "completed" and not transient and not tolerated(expected(case.plan.root, "", case.troubles)):
        assert (result.status, result.outputs) == (whole.status, whole.outputs)


@pytest.mark.parametrize("at", [5, 6])
def test_what_ended_beside_a_failure_of_the_past_is_in_the_journal_of_a_fork_and_comes_out_again(at: int) -> None:
    each = Block(name="", body=call("in"), ends="inverted")
    plan = Plan(workflow="w", root=Block(name="", body=Map(name="m", items="[0, 1]", body=each)))

    async def main():
        world = World()
        first = await world.run(plan)
        make = forks(world)
        run_id = await make.fork(first.run_id, at)
        assert (await world.resume(run_id)).status == "failed"
        events = world.journal.events(run_id)
        await world.close()
        return events

    events = simulate(main)
    assert [event.path for event in events if event.kind == "node.failed"] == ["/m[0]", "/m[1]", "/m"]
    assert replay("r", plan, events).difference is None


@simulated
async def test_a_fork_of_a_fork_shares_both_pasts_and_siblings_do_not_see_each_other():
    world = World()
    first = await world.run(PLAN)
    make = forks(world)
    one = await make.fork(first.run_id, make.point(first.run_id, "a"))
    await world.resume(one)
    two = await make.fork(one, make.point(one, "/b"))
    await world.resume(two)
    sibling = await make.fork(first.run_id, make.point(first.run_id, "/a"))
    assert "/b" not in world.state(sibling).outcomes
    # A fork at a point that is itself of the past stands on the run that wrote it, so lines stay short.
    third = await make.fork(two, 3)
    assert world.journal.runs.get(third).base_run == first.run_id
    assert world.journal.forks.builders(first.run_id) == [one, sibling, third]
    assert world.journal.runs.get(two).base_run == one
    assert world.performer.started == {"/a": 1, "/b": 2, "/g/c": 3, "/g/d": 3, "/e": 3}
    for run in world.journal.runs.list():
        assert world.journal.verify(run.id).intact
    await world.close()


@simulated
async def test_changed_values_hold_from_the_fork_on():
    def act(node, scope, context):
        return {"response": f"{node.target} {scope.get('topic')} after {scope.get('last_response')}"}

    world = World(ScriptedPerformer(act=act))
    first = await world.run(chain(call("a"), call("b")), {"topic": "rain", "n": 1})
    make = forks(world)
    at = make.point(first.run_id, "a")
    changes = make.changes(first.run_id, at, {"topic": "sun", "n": "2", "/a.response": "edited"})
    run_id = await make.fork(first.run_id, at, changes)
    result = await world.resume(run_id)
    assert result.outputs["response"] == "b sun after edited"
    assert world.state(run_id).scope == {"topic": "sun", "n": 2}
    assert world.state(first.run_id).outputs["response"] == "b rain after a rain after None"
    assert world.journal.runs.get(run_id).inputs == {"topic": "sun", "n": 2}
    await world.close()


@pytest.mark.parametrize(
    ("assignment", "error", "says"),
    [
        ({"topik": "x"}, NotFoundError, "did you mean 'topic'"),
        ({"n": "many"}, InputError, "give a value such as it had"),
        ({"/nowhere.response": "x"}, NotFoundError, "its steps"),
        ({"/g/c.response": "x"}, InputError, "fork at /g/c"),
        ({"/g": "{}"}, InputError, "set a value of a step in it"),
        ({"/a.response.more": "1"}, InputError, "--json"),
        ({"/e.response": "1"}, InputError, "--at /e"),
    ],
)
@simulated
async def test_a_value_that_does_not_fit_is_refused_with_what_to_do(assignment, error, says):
    world = World()
    first = await world.run(PLAN, {"topic": "rain", "n": 1})
    make = forks(world)
    with pytest.raises(error) as caught:
        make.changes(first.run_id, make.point(first.run_id, "/g"), assignment)
    assert says in caught.value.fix
    await world.close()


@simulated
async def test_points_are_numbers_or_steps_and_an_unknown_step_is_met_with_the_nearest():
    world = World(ScriptedPerformer({"/e": Trouble(fatal=True)}))
    first = await world.run(PLAN)
    make = forks(world)
    head = world.journal.runs.get(first.run_id).head_seq
    assert make.point(first.run_id, "3") == 3
    assert world.journal.events(first.run_id)[make.before(first.run_id, "g")].path.startswith("/g")
    for at, kind, says in (
        ("0", InputError, "1 to"),
        (str(head + 1), InputError, "1 to"),
        ("/g/cc", NotFoundError, "'/g/c'"),
    ):
        with pytest.raises(kind) as caught:
            make.point(first.run_id, at)
        assert says in caught.value.fix
    with pytest.raises(NotFoundError):
        make.before(first.run_id, "/zzz")
    await world.close()


@simulated
async def test_a_failed_run_forked_at_its_end_tries_again_and_one_rerun_from_a_step_does_that_step_again():
    world = World(ScriptedPerformer({"/e": Trouble(fatal=True)}))
    first = await world.run(PLAN)
    assert first.status == "failed"
    make = forks(world)
    world.performer.troubles = {}
    head = world.journal.runs.get(first.run_id).head_seq
    again = await world.resume(await make.fork(first.run_id, head))
    assert again.status == "completed", again.error
    assert world.performer.started == {"/a": 1, "/b": 1, "/g/c": 1, "/g/d": 1, "/e": 2}
    rerun = await world.resume(await make.fork(first.run_id, make.before(first.run_id, "/g")))
    assert rerun.status == "completed"
    assert world.performer.started["/g/c"] == world.performer.started["/g/d"] == 2
    keys = [key for key, path in world.performer.paths.items() if path == "/e"]
    assert len(keys) == 3, "each run has keys of its own"
    await world.close()


@simulated
async def test_a_fork_pays_only_for_what_is_new():
    plan = as_plan(Block(name="", body=chain(call("a"), call("b"), call("c")), budget=Budget(max_steps=2)))
    world = World()
    first = await world.run(plan)
    assert first.error.code == "budget"
    make = forks(world)
    result = await world.resume(await make.fork(first.run_id, make.point(first.run_id, "/b")))
    assert result.status == "completed", result.error
    await world.close()


@simulated
async def test_a_condition_before_the_fork_that_reads_a_changed_value_is_decided_anew():
    arm = Branch(when="topic == 'rain'", node=call("wet"))
    world = World()
    first = await world.run(
        chain(Choose(name="?", branches=(arm,), otherwise=call("dry")), call("end")), {"topic": "rain"}
    )
    make = forks(world)
    run_id = await make.fork(first.run_id, make.point(first.run_id, "/?/wet"), Changes(scope={"topic": "sun"}))
    await world.resume(run_id)
    assert world.performer.started == {"/?/wet": 1, "/end": 2, "/?/dry": 1}
    await world.close()


@simulated
async def test_a_running_run_can_be_forked_and_death_while_forking_leaves_all_or_nothing():
    for when in ("before", "after"):
        world = World()
        run_id = await world.die_after("step.completed", "/b", PLAN)
        make = forks(world)
        world.journal.writer = CrashingWriter(world.journal, at=1, when=when)
        with pytest.raises(Crash):
            await make.fork(run_id, 2)
        bury(world.engine, world.journal)
        made = [run for run in world.journal.runs.list() if run.base_run]
        assert len(made) == (when == "after")
        world.engine = world.new_engine()
        for run in made:
            assert (await world.engine.drive(run.id)).status == "completed"
        assert (await world.engine.drive(run_id)).status == "completed"
        await world.close()


@simulated
async def test_a_line_has_one_current_run_and_forks_that_nobody_needs_can_be_discarded():
    world = World()
    first = await world.run(PLAN)
    make, stored, write = forks(world), world.journal.forks, world.journal.writer.submit
    one = await make.fork(first.run_id, 3)
    two = await make.fork(one, 4)
    assert stored.current(two) is None
    await write(stored.promote(two, at=1))
    assert stored.current(first.run_id) == stored.current(one) == two
    with pytest.raises(InputError):
        await write(stored.discard(first.run_id))
    with pytest.raises(ConflictError, match="build on"):
        await write(stored.discard(one))
    with pytest.raises(ConflictError, match="current"):
        await write(stored.discard(two))
    await write(stored.promote(first.run_id, at=2))
    assert await write(stored.discard(two)) == [two]
    assert await write(stored.discard(one)) == [one]
    with pytest.raises(NotFoundError):
        await write(stored.discard(one))
    assert [run.id for run in world.journal.runs.list()] == [first.run_id]
    assert world.journal.verify(first.run_id).intact
    await world.close()


@simulated
async def test_a_long_chain_of_forks_reads_each_event_once():
    world = World()
    first = await world.run(PLAN)
    make, run_id = forks(world), first.run_id
    for _ in range(200):
        run_id = await make.fork(run_id, world.journal.runs.get(run_id).head_seq)
    events = world.journal.events(run_id)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert len(events) == world.journal.runs.get(first.run_id).head_seq + 200
    assert world.journal.verify(run_id).intact
    assert (await world.resume(run_id)).status == "completed"
    await world.close()


@simulated
async def test_whoever_meddles_with_a_shared_past_or_with_where_it_ends_is_found_out():
    meddling = [
        ("UPDATE events SET data=? WHERE run_id=? AND seq=3", lambda first, fork: (b'{"value":1}', first)),
        ("DELETE FROM events WHERE run_id=? AND seq=3", lambda first, fork: (first,)),
        ("UPDATE runs SET base_seq=4 WHERE id=?", lambda first, fork: (fork,)),
        ("UPDATE runs SET base_seq=6 WHERE id=?", lambda first, fork: (fork,)),
        ("UPDATE runs SET base_run=id WHERE id=?", lambda first, fork: (fork,)),
        ("UPDATE runs SET base_run=NULL, base_seq=NULL WHERE id=?", lambda first, fork: (fork,)),
    ]
    for statement, values in meddling:
        world = World()
        first = await world.run(PLAN)
        run_id = await forks(world).fork(first.run_id, 5)
        assert world.journal.verify(run_id).intact
        work = lambda connection, s=statement, v=values(first.run_id, run_id): connection.execute(s, v)  # noqa: E731
        await world.journal.writer.submit(work)
        assert not world.journal.verify(run_id).intact, statement
        with pytest.raises(MismatchError):
            await world.engine.drive(run_id)
        await world.close()


def test_a_fork_may_have_options_and_an_id_of_its_own():
    async def main():
        world = World()
        run_id = await world.engine.start(PLAN, {}, options={"out": "/one", "force": True})
        await world.engine.drive(run_id)
        make = forks(world)
        assert await make.fork(run_id, make.point(run_id, "/a"), new_id="own", options={"out": "/two"}) == "own"
        assert (await world.resume("own")).status == "completed"
        assert world.state("own").options == world.journal.runs.get("own").options == {"out": "/two", "force": True}
        assert world.state(run_id).options["out"] == "/one"
        events = world.journal.events("own")
        await world.close()
        return events

    assert replay("own", PLAN, simulate(main)).difference is None
