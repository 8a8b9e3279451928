"""Two processes drive the runs of one Postgres database: sagas, children, forks, full slots and full queues, killed in the middle."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial

import pytest

from tests.faults.crew import epoch, queued, until
from tests.faults.relay import Relay
from tests.faults.test_processes import effects
from tests.faults.worker import PLAN, World
from weft.core.clock import SystemClock
from weft.core.errors import ConflictError, NotFoundError, WeftError
from weft.core.ids import path_key
from weft.core.owner import Owner
from weft.engine.children import child_id
from weft.engine.fold import fold
from weft.engine.fork import Forks
from weft.engine.local import Engine
from weft.engine.replay import replay
from weft.plan.codec import from_json
from weft.plan.nodes import Block, Call, Child, Graph, Plan, Retry, Sequence
from weft.store.journal import Journal
from weft.store.removal import removal

pytestmark = pytest.mark.slow


def act(name, target="pure", effect="idempotent", **how):
    return Call(name=name, performer="tool", target=target, effect=effect, **how)


def chain(*children, name=""):
    return Sequence(name=name, children=children)


def done(journal, run_id, path):
    return any(event.kind == "step.completed" and event.path == path for event in journal.events(run_id))


def touched(home):
    return Counter(path for _, _, path in effects(home))


async def test_a_compensation_that_always_fails_is_told_and_the_others_are_made_by_whoever_is_left(
    tmp_path, journal, crew
):
    hard = Retry(attempts=2, wait_min=0.01, wait_max=0.01)
    undo = {"a": act("u"), "b": act("u", "refuses", retry=hard), "c": act("u")}
    body = chain(act("a"), act("b"), act("c"), act("e", "refuses", retry=hard), name="steps")
    (run_id,) = await queued(
        journal, plan=Plan(workflow="saga", root=chain(Block(name="s", body=body, compensations=undo)))
    )
    one = crew(STEP_S="0.1")
    until(lambda: any(event.path == "/s/$undo[c]" for event in journal.events(run_id)))
    # At once: it may have undone everything by the time the other one has started.
    one.kill()
    crew()
    until(lambda: journal.runs.get(run_id).ended)
    run = journal.runs.get(run_id)
    assert (run.status, epoch(journal, run_id)) == ("failed", 2)
    assert run.error["ids"]["compensated"] == ["c", "a"]
    assert run.error["ids"]["not_compensated"] == ["b"]
    assert "by hand" in run.error["fix"]
    assert journal.verify(run_id).intact
    times = touched(tmp_path)
    assert (times["/s/$undo[a]"], times["/s/$undo[b]"], times["/s/steps/a"]) == (1, 2, 1)
    assert 1 <= times["/s/$undo[c]"] <= 2


async def test_a_parent_that_dies_as_its_child_ends_has_one_child_and_its_result(tmp_path, journal, crew, postgres):
    inner = Plan(workflow="inner", root=chain(act("x"), act("y", effect="once")))
    plan = Plan(workflow="outer", root=chain(Child(name="sub", plan="inner"), act("z")), children={"inner": inner})
    relay = Relay(postgres)
    one = crew(JOURNAL=relay.url)
    relay.keep_back(b"run.completed")
    (run_id,) = await queued(journal, plan=plan)
    assert relay.kept.wait(30)
    child = journal.runs.get(child_id(run_id, "/sub"))
    assert (child.status, done(journal, run_id, "/sub")) == ("completed", False)
    one.kill()
    one.wait(30)
    relay.close()
    crew()
    until(lambda: journal.runs.get(run_id).ended)
    assert journal.runs.get(run_id).status == "completed"
    assert [each.id for each in journal.runs.children(run_id)] == [child.id]
    (end,) = (event.data for event in journal.events(run_id) if (event.kind, event.path) == ("step.completed", "/sub"))
    assert end["value"]["run"] == child.id
    assert touched(tmp_path) == {"/x": 1, "/y": 1, "/z": 1}
    assert all(journal.verify(each).intact for each in (run_id, child.id))


async def test_forks_of_a_run_that_is_driven_and_of_forks_share_its_past_and_keep_it(tmp_path, journal, crew):
    one = crew(STEP_S="0.05")
    (run_id,) = await queued(journal)
    until(lambda: done(journal, run_id, "/areconcile"))
    make = Forks(journal, SystemClock())
    first = await make.fork(run_id, make.point(run_id, "/apure"))
    # Whoever makes a fork has it driven.
    crew("drive", first, STEP_S="0.05")
    until(lambda: done(journal, first, "/aonce"))
    second = await make.fork(first, make.point(first, "/aonce"))
    assert not journal.runs.get(first).ended
    crew("drive", second)
    crew()
    one.kill()
    ids = [run_id, first, second]
    until(lambda: all(journal.runs.get(each).ended for each in ids))
    assert [journal.runs.get(each).status for each in ids] == ["completed"] * 3
    assert all(journal.verify(each).intact for each in ids)
    assert {fold(journal.events(each)).outputs["value"]["all"][0]["response"] for each in ids} == {"/apure"}
    # What was done before a fork was not done again in it.
    keys = Counter(key for _, key, _ in effects(tmp_path))
    assert keys[path_key(first, "/apure")] == keys[path_key(second, "/aonce")] == 0
    assert keys[path_key(first, "/aonce")] == 1
    for ancestor in (run_id, first):
        with pytest.raises(ConflictError, match="needs its past"):
            await journal.writer.submit(removal(ancestor))
    for each in (second, first, run_id):
        await journal.writer.submit(removal(each))
    assert journal.runs.list() == []


async def test_parents_that_fill_every_slot_of_both_processes_let_their_children_go_on(tmp_path, journal, crew):
    nested = Plan(workflow="nested", root=Graph(name="", children=(act("p"), act("q"))))
    inner = Plan(
        workflow="inner",
        root=Graph(name="", children=tuple(Child(name=f"c{n}", plan="nested") for n in range(3))),
        children={"nested": nested},
    )
    outer = Plan(
        workflow="outer",
        root=Graph(name="", children=tuple(Child(name=f"c{n}", plan="inner") for n in range(3))),
        children={"inner": inner},
    )
    for _ in range(2):
        crew(CONCURRENCY="1", STEP_S="0")
    ids = await queued(journal, 4, plan=outer)
    until(lambda: all(journal.runs.get(each).ended for each in ids))
    runs = journal.runs.list(limit=200)
    assert Counter(run.status for run in runs) == {"completed": 4 * (1 + 3 + 9)}
    assert set(Counter(key for _, key, _ in effects(tmp_path)).values()) == {1}
    assert len(effects(tmp_path)) == 4 * 9 * 2


async def test_the_long_queue_of_one_tenant_is_overtaken_by_the_runs_of_another(journal, crew):
    engine = Engine(journal, {})
    crowd = [engine.start(PLAN, {}, queued=True, owner=Owner("noisy", "somebody")) for _ in range(1_000)]
    await asyncio.gather(*crowd)
    for _ in range(2):
        crew(STEP_S="0.02")
    quiet = [await engine.start(PLAN, {}, queued=True, owner=Owner("quiet", "somebody")) for _ in range(3)]
    until(lambda: all(journal.runs.get(each).ended for each in quiet))
    left = len(journal.runs.list(tenant="noisy", status="queued", limit=1_000))
    assert left > 500, "they have waited for most of what was there before"
    assert all(journal.verify(each).intact for each in quiet)
    await engine.close()


async def test_what_is_removed_while_others_fork_and_replay_it_is_whole_or_not_there(tmp_path, journal, crew, postgres):
    crew(STEP_S="0")
    ids = await queued(journal, 9)
    until(lambda: all(journal.runs.get(each).ended for each in ids))
    other, third = Journal(postgres), Journal(postgres)
    make = Forks(other, SystemClock())

    def again(run_id):
        try:
            events = third.proven_events(run_id)
            plan = from_json(third.plans.get(third.runs.get(run_id).plan_hash))
        except NotFoundError:
            return "gone"
        assert replay(run_id, plan, events).difference is None
        return "replayed"

    async def after(seconds, act):
        await asyncio.sleep(seconds)
        return await act()

    engine = Engine(other, {"tool": World(tmp_path)})
    outcomes = Counter()
    for number, run_id in enumerate(ids):
        ends = [partial(make.fork, run_id, 6), partial(journal.writer.submit, removal(run_id))]
        # From one that comes long after the other one, over moments that are nearer and nearer, to the opposite.
        lead = (number - 4) ** 3 / 250
        forked, removed, seen = await asyncio.gather(
            after(max(0.0, lead), ends[0]),
            after(max(0.0, -lead), ends[1]),
            after(abs(lead), partial(asyncio.to_thread, again, run_id)),
            return_exceptions=True,
        )
        assert seen in {"gone", "replayed"}, seen
        # One of them was first, and the other one was told.
        assert isinstance(removed, WeftError) != isinstance(forked, WeftError), (removed, forked)
        outcomes["removed" if isinstance(forked, WeftError) else "forked"] += 1
        if isinstance(forked, str):
            assert journal.verify(run_id).intact
            assert journal.verify(forked).intact
            assert (await engine.drive(forked)).status == "completed"
        else:
            assert journal.events(run_id) == []
    assert set(outcomes) == {"removed", "forked"}
    await engine.close()
    other.close()
    third.close()
