"""Cancelling: whoever drives the run, whenever it comes; and interruption, which is not cancelling."""

from __future__ import annotations

import asyncio

import pytest

from tests.engine.world import Doing, LateWriter, World, as_plan, call, chain, fan, simulated
from weft.core.errors import ConflictError, StorageError, TransientError
from weft.engine.port import Done
from weft.plan.nodes import Block, Gate, Retry, Wait
from weft.testing.failpoints import RefusingWriter
from weft.testing.scripted import ScriptedPerformer, Trouble


def slow():
    return ScriptedPerformer({"/a": Trouble(seconds=100)})


async def driving(world, plan, *, engine=None):
    engine = engine or world.engine
    run_id = await engine.start(as_plan(plan), {})
    task = asyncio.ensure_future(engine.drive(run_id))
    await asyncio.sleep(1)
    return run_id, task


PLAN = chain(call("a"), call("b"))


@simulated
async def test_a_run_that_this_engine_drives_is_cancelled_and_its_work_stopped():
    world = World(slow())
    run_id, task = await driving(world, PLAN)
    assert await world.engine.cancel(run_id, reason="enough")
    result = await task
    assert result.status == "cancelled"
    assert world.data(run_id, "run.cancelled") == [{"reason": "enough"}]
    assert world.journal.runs.get(run_id).status == "cancelled"
    assert "/b" not in world.performer.started
    assert not world.performer.effects
    assert not await world.engine.cancel(run_id)
    await world.close()


@simulated
async def test_a_run_that_another_engine_drives_is_cancelled_through_the_inbox():
    world = World(slow())
    run_id, task = await driving(world, PLAN)
    other = world.new_engine()
    assert await other.cancel(run_id)
    assert (await asyncio.wait_for(task, 5)).status == "cancelled"
    await other.close()
    await world.close()


class TellsOfTheEnd(LateWriter):
    """Calls `then` when the last event of a drive is on its way into the journal, which it reaches some time later."""

    late_s = 0.0
    kind = "run.completed"

    def submit(self, work):
        if not any(draft.kind == self.kind for draft in getattr(work, "drafts", ())):
            return super().submit(work)
        self.then()
        written = Commit(loop=asyncio.get_running_loop())
        at_last = super().submit
        asyncio.get_running_loop().call_later(5, lambda: at_last(work).add_done_callback(written.follow))
        return written


class Commit(asyncio.Future):
    def follow(self, other):
        self.set_result(other.result())


@simulated
async def test_a_cancel_that_comes_while_the_end_is_written_says_that_it_was_too_late():
    world = World()
    said = []
    world.journal.writer = writer = TellsOfTheEnd(world.journal, at=0, when="before")
    run_id = await world.engine.start(as_plan(PLAN), {})
    writer.then = lambda: said.append(asyncio.ensure_future(world.engine.cancel(run_id)))
    result = await world.engine.drive(run_id)
    assert (result.status, await said[0]) == ("completed", False)
    assert world.kinds(run_id)[-1] == "run.completed"
    assert "run.cancelling" not in world.kinds(run_id)
    await world.close()


ASKS = chain(call("a"), Gate(name="ok", prompt="Go on?"))


class TellsOfTheWait(TellsOfTheEnd):
    """Tells of the first time only: what comes after the cancel may wait again."""

    kind = "run.waiting"

    def submit(self, work):
        done = super().submit(work)
        if any(draft.kind == self.kind for draft in getattr(work, "drafts", ())):
            self.kind = ""
        return done


@pytest.mark.parametrize("by", ["the engine that drives it", "another engine"])
@simulated
async def test_a_cancel_that_comes_while_it_is_written_that_the_run_waits_is_not_lost(by, tmp_path):
    world = World(path=tmp_path / "journal.db")
    elsewhere = World(seed=1, path=tmp_path / "journal.db")
    engine = world.engine if by == "the engine that drives it" else elsewhere.engine
    said = []
    world.journal.writer = writer = TellsOfTheWait(world.journal, at=0, when="before")
    run_id = await world.engine.start(as_plan(ASKS), {})
    writer.then = lambda: said.append(asyncio.ensure_future(engine.cancel(run_id, reason="enough")))
    result = await world.engine.drive(run_id)
    assert (result.status, await said[0]) == ("cancelled", True)
    assert world.journal.runs.get(run_id).status == "cancelled"
    assert world.kinds(run_id, "")[-2:] == ["run.waiting", "run.cancelled"]
    assert world.data(run_id, "run.cancelled") == [{"reason": "enough"}]
    assert world.journal.verify(run_id).intact
    await elsewhere.close()
    await world.close()


@simulated
async def test_what_a_run_has_done_is_undone_when_its_cancel_comes_while_it_is_written_that_it_waits():
    world = World()
    said = []
    world.journal.writer = writer = TellsOfTheWait(world.journal, at=0, when="before")
    booking = Block(name="s", body=chain(call("a"), ASKS.children[1], name="steps"), compensations={"a": call("u")})
    run_id = await world.engine.start(as_plan(booking), {})
    writer.then = lambda: said.append(asyncio.ensure_future(world.engine.cancel(run_id)))
    result = await world.engine.drive(run_id)
    assert (result.status, await said[0]) == ("cancelled", True)
    assert world.performer.started == {"/steps/a": 1, "/$undo[a]": 1}
    assert world.kinds(run_id, "").count("run.cancelling") == 1
    await world.close()


@simulated
async def test_a_driver_that_is_quicker_than_whoever_cancels_has_not_ended_otherwise(tmp_path):
    world = World(slow(), path=tmp_path / "journal.db")
    run_id, task = await driving(world, PLAN)
    elsewhere = World(slow(), seed=1, path=tmp_path / "journal.db")
    elsewhere.journal.writer = writer = LateWriter(elsewhere.journal, at=0, when="before")
    writer.late_s = 5
    assert await elsewhere.engine.cancel(run_id)
    assert task.done(), "the driver has heard it long ago"
    assert (await task).status == "cancelled"
    await elsewhere.close()
    await world.close()


@pytest.mark.parametrize("how", ["queued", "waiting", "driver dead", "fresh and abandoned"])
@simulated
async def test_a_run_that_nobody_drives_is_cancelled_at_once(how):
    if how == "waiting":
        performer = ScriptedPerformer({"/a": Trouble(transient=1)})
        world = World(performer)
        result = await world.run(chain(call("a", effect="once")))
        assert result.status == "waiting"
        run_id = result.run_id
    elif how == "driver dead":
        world = World(slow())
        run_id = await world.die_after("step.started", "/a", PLAN)
    else:
        world = World(slow())
        run_id = await world.engine.start(as_plan(PLAN), {}, queued=how == "queued")
        world.engine.forsake()
    engine = world.new_engine()
    assert await engine.cancel(run_id, reason="no")
    assert world.journal.runs.get(run_id).status == "cancelled"
    with pytest.raises(ConflictError):
        await engine.drive(run_id)
    assert world.journal.verify(run_id).intact
    await engine.close()
    await world.close()


@simulated
async def test_a_run_that_was_started_and_not_driven_yet_is_cancelled_before_its_first_step():
    world = World(slow())
    run_id = await world.engine.start(as_plan(PLAN), {})
    assert await world.engine.cancel(run_id)
    assert (await world.engine.drive(run_id)).status == "cancelled"
    assert not world.performer.started
    await world.close()


@simulated
async def test_a_cancel_that_was_left_while_nobody_looked_is_found_when_the_run_is_taken_up():
    world = World(slow())
    run_id = await world.die_after("step.started", "/a", PLAN)
    post = world.journal.inbox.post(run_id, key="cancel:1", kind="cancel", data={"reason": "late"}, at=1)
    await world.journal.writer.submit(post)
    assert (await world.resume(run_id)).status == "cancelled"
    await world.close()


class LeavesCancel(ScriptedPerformer):
    """Leaves the run a message to cancel it, and is itself in doubt."""

    journal = None

    async def perform(self, call, scope, context):
        post = self.journal.inbox.post(context.run_id, key="cancel:1", kind="cancel", data={"reason": "late"}, at=1)
        await self.journal.writer.submit(post)
        raise TransientError("lost")


@simulated
async def test_a_cancel_that_comes_as_the_run_begins_to_wait_is_not_lost():
    """The message is left after the driver has looked for the last time and before its last event is written."""

    world = World(performer := LeavesCancel())
    performer.journal = world.journal
    result = await world.run(chain(call("a", effect="once")))
    assert result.status == "cancelled"
    assert world.journal.runs.get(result.run_id).status == "cancelled"
    await world.close()


@simulated
async def test_a_message_that_was_taken_for_a_run_that_has_just_begun_to_wait_is_not_lost():
    world = World(ScriptedPerformer({"/a": Trouble(transient=1)}))
    result = await world.run(chain(call("a", effect="once")))
    post = world.journal.inbox.post(result.run_id, key="cancel:1", kind="cancel", data={}, at=1)
    await world.journal.writer.submit(post)
    assert await world.engine._cancels.take([result.run_id]) == {result.run_id}
    assert world.journal.runs.get(result.run_id).status == "cancelled"
    await world.close()


@simulated
async def test_an_old_cancel_does_not_reach_a_run_that_was_reopened():
    world = World(ScriptedPerformer({"/a": Trouble(fatal=True)}))
    result = await world.run(PLAN)
    post = world.journal.inbox.post(result.run_id, key="cancel:1", kind="cancel", data={}, at=1)
    await world.journal.writer.submit(post)
    world.performer.troubles = {}
    assert (await world.resume(result.run_id, reopen=True)).status == "completed"
    await world.close()


@simulated
async def test_a_cancelled_run_can_be_reopened_and_cancelled_again():
    world = World(slow())
    run_id, task = await driving(world, chain(call("z"), call("a"), call("b")))
    await world.engine.cancel(run_id)
    await task
    task = asyncio.ensure_future(world.engine.drive(run_id, reopen=True))
    await asyncio.sleep(1)
    await world.engine.cancel(run_id)
    assert (await task).status == "cancelled"
    world.performer.troubles = {}
    assert (await world.engine.drive(run_id, reopen=True)).status == "completed"
    assert world.performer.started["/z"] == 1
    assert world.journal.verify(run_id).intact
    await world.close()


@pytest.mark.parametrize(
    "plan",
    [chain(Wait(name="a", seconds="1000")), chain(call("a", retry=Retry(attempts=2, wait_min=999, wait_max=999)))],
)
@simulated
async def test_a_cancel_reaches_timers_and_steps_that_wait_to_be_tried_again(plan):
    world = World(ScriptedPerformer({"/a": Trouble(transient=1)}))
    run_id, task = await driving(world, plan)
    await world.engine.cancel(run_id)
    assert (await asyncio.wait_for(task, 5)).status == "cancelled"
    await world.close()


@simulated
async def test_a_cancel_reaches_every_branch_before_the_run_is_said_to_be_cancelled():
    running = set()

    async def do(call, scope, context):
        running.add(call.name)
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(0.5)
            running.discard(call.name)

    world = World(Doing(do))
    run_id, task = await driving(world, chain(fan(*map(call, "abc"), name="g")))
    assert len(running) == 3
    await world.engine.cancel(run_id)
    assert (await task).status == "cancelled"
    assert not running
    await world.close()


@simulated
async def test_interruption_leaves_the_run_resumable_and_says_so():
    world = World(slow())
    run_id, task = await driving(world, PLAN)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    run = world.journal.runs.get(run_id)
    assert (run.status, run.waits, run.driven) == ("waiting", ({"kind": "driver"},), False)
    world.performer.troubles = {}
    assert (await world.resume(run_id)).status == "completed"
    await world.close()


@pytest.mark.parametrize("ticks", range(1, 40))
@simulated
@pytest.mark.slow
async def test_an_interruption_at_any_moment_leaves_a_run_that_can_be_driven_or_has_ended(ticks):
    """Also at start-up, while a step is being recorded and while the last event is."""
    world = World()
    run_id = await world.engine.start(as_plan(chain(call("a"), call("b"))), {}, queued=True)
    task = asyncio.ensure_future(world.engine.drive(run_id))
    for _ in range(ticks):
        await asyncio.sleep(0)
    task.cancel()
    (outcome,) = await asyncio.gather(task, return_exceptions=True)
    run = world.journal.runs.get(run_id)
    assert not run.driven
    if not run.ended:
        assert isinstance(outcome, asyncio.CancelledError)
        assert (await world.engine.drive(run_id)).status == "completed"
    assert world.journal.runs.get(run_id).status == "completed"
    assert sum(world.performer.effects.values()) <= 3
    assert world.journal.verify(run_id).intact
    await world.close()


@pytest.mark.parametrize("ticks", range(1, 40, 2))
@pytest.mark.slow
async def test_the_same_with_a_writer_in_a_thread_of_its_own(ticks, tmp_path):
    from weft.engine.local import Engine
    from weft.store.journal import Journal

    journal = Journal(tmp_path / "weft.db", durability="fast")
    engine = Engine(journal, {"tool": ScriptedPerformer()})
    run_id = await engine.start(as_plan(chain(call("a"), call("b"))), {}, queued=True)
    task = asyncio.ensure_future(engine.drive(run_id))
    for _ in range(ticks):
        await asyncio.sleep(0.0003)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    # Once for a claim that is still under way, once for the release that follows it.
    for _ in range(2):
        await journal.writer.submit(lambda connection: None)
        await asyncio.sleep(0)
    run = journal.runs.get(run_id)
    assert not run.driven
    if not run.ended:
        assert (await engine.drive(run_id)).status == "completed"
    assert journal.verify(run_id).intact
    await engine.close()
    journal.close()


@simulated
async def test_an_interruption_while_the_journal_refuses_is_still_an_interruption():
    world = World(slow())
    run_id, task = await driving(world, PLAN)
    inner = world.journal.writer
    world.journal.writer = RefusingWriter(world.journal, at=1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    world.journal.writer = inner
    assert not world.journal.runs.get(run_id).driven
    await world.close()


@simulated
async def test_a_cancel_whose_last_event_the_journal_refuses_is_a_storage_error():
    world = World(slow())
    run_id, task = await driving(world, PLAN)
    inner = world.journal.writer
    await world.engine.cancel(run_id)
    world.journal.writer = RefusingWriter(world.journal, at=1)
    with pytest.raises(StorageError):
        await task
    world.journal.writer = inner
    world.performer.troubles = {}
    assert (await world.resume(run_id)).status == "completed"
    await world.close()


@simulated
async def test_the_watch_over_the_inbox_outlives_a_journal_that_refuses_for_a_while():
    world = World(slow())
    run_id, task = await driving(world, PLAN)
    inner = world.journal.writer

    class Refusing:
        refused = 0

        def submit(self, work):
            self.refused += 1
            raise StorageError("the disk is full")

        def __getattr__(self, name):
            return getattr(inner, name)

    world.journal.writer = refusing = Refusing()
    world.journal.inbox.ring()
    await asyncio.sleep(1)
    assert refusing.refused > 1
    world.journal.writer = inner
    await world.engine.cancel(run_id)
    assert (await asyncio.wait_for(task, 5)).status == "cancelled"
    await world.close()


@simulated
async def test_a_performer_that_answers_although_it_is_cancelled_changes_nothing():
    async def do(call, scope, context):
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            return Done("stubborn")

    world = World(Doing(do))
    run_id, task = await driving(world, chain(call("a")))
    await world.engine.cancel(run_id)
    result = await asyncio.wait_for(task, 5)
    assert result.status == "cancelled"
    assert world.journal.runs.get(run_id).status == "cancelled"
    assert not world.state(run_id).outcomes
    await world.close()


@simulated
async def test_a_performer_that_never_lets_itself_be_stopped_is_left_to_itself():
    async def do(call, scope, context):
        while not over:
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                continue

    over = []
    world = World(Doing(do))
    run_id, task = await driving(world, chain(call("a")))
    await world.engine.cancel(run_id)
    result = await asyncio.wait_for(asyncio.shield(task), 60)
    assert result.status == "cancelled"
    events = len(world.journal.events(run_id))
    await asyncio.sleep(20)
    assert len(world.journal.events(run_id)) == events
    over.append(True)
    await world.close()


@simulated
async def test_an_interruption_is_not_swallowed_by_a_performer_either():
    async def do(call, scope, context):
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            return Done("stubborn")

    world = World(Doing(do))
    run_id, task = await driving(world, chain(call("a"), call("b")))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert world.journal.runs.get(run_id).status == "waiting"
    await world.close()


class Stumbling:
    """A bell that cannot be heard now and then, for a reason that nobody thought of."""

    def __init__(self, bell):
        self._bell, self.failures = bell, 0

    def ring(self):
        self._bell.ring()

    def heard(self):
        if self.failures:
            self.failures -= 1
            raise OSError("stale file handle")
        return self._bell.heard()


@simulated
async def test_an_engine_hears_of_a_cancel_after_its_bell_could_not_be_heard_for_a_while():
    world = World(slow())
    bell = world.journal.inbox._bell = Stumbling(world.journal.inbox._bell)
    run_id, task = await driving(world, PLAN)
    bell.failures = 5
    await asyncio.sleep(1)
    assert not bell.failures
    other = world.new_engine()
    assert await other.cancel(run_id)
    assert (await asyncio.wait_for(task, 5)).status == "cancelled"
    await other.close()
    await world.close()


class RefusesOf(LateWriter):
    """Refuses every append of one run."""

    late_s = 0.0
    refused = ""

    def submit(self, work):
        if getattr(work, "run_id", "") == self.refused:
            raise StorageError("the disk is full")
        return super().submit(work)


@simulated
async def test_a_cancel_reaches_a_driven_run_although_that_of_another_one_is_refused():
    world = World(slow())
    waiting = (await world.run(chain(Wait(name="w", seconds="20000")))).run_id
    assert world.journal.runs.get(waiting).status == "waiting"
    run_id, task = await driving(world, PLAN)
    for number, one in enumerate((waiting, run_id)):
        post = world.journal.inbox.post(one, key="cancel", kind="cancel", data={"reason": "enough"}, at=number)
        await world.journal.writer.submit(post)
    world.journal.writer = writer = RefusesOf(world.journal, at=0, when="after")
    writer.refused = waiting
    with pytest.raises(StorageError):
        await world.engine._cancels.take([waiting, run_id])
    assert (await asyncio.wait_for(task, 5)).status == "cancelled"
    await world.close()


@simulated
async def test_a_cancel_from_elsewhere_that_the_journal_refused_is_found_when_the_run_is_taken_up():
    """It was left for a driver that has just let go, and the journal refuses the end of the run at that moment."""

    class RefusesCancels(LateWriter):
        late_s = 0.0

        def submit(self, work):
            if any(draft.kind == "run.cancelled" for draft in getattr(work, "drafts", ())):
                raise StorageError("the disk is full")
            return super().submit(work)

    world = World(performer := LeavesCancel())
    performer.journal = world.journal
    inner = world.journal.writer
    world.journal.writer = RefusesCancels(world.journal, at=0, when="after")
    with pytest.raises(StorageError):
        await world.run(chain(call("a", effect="once")))
    (run,) = world.journal.runs.list()
    assert (run.status, run.driven) == ("waiting", False)
    world.journal.writer = inner
    assert (await world.resume(run.id)).status == "cancelled"
    await world.close()
