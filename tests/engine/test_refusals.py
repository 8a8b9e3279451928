"""A journal that refuses once: what was lost with that is nothing to go on from, even if it takes everything afterwards."""

import asyncio

import pytest

from tests.engine.world import Doing, LateWriter, World, as_plan, call, chain, fan, simulated
from weft.core.errors import StorageError, ToolError
from weft.core.usage import Usage
from weft.engine.port import Done
from weft.plan.nodes import Child, Gate, Plan
from weft.store.writer import Commit

OUTCOME = ("step.completed", "/a/model[0]")


async def answer(_):
    return Done("yes", Usage(input_tokens=3, output_tokens=1, requests=1))


def ask(context, number=0):
    return context.step(f"model[{number}]", answer, type="model", spends=True)


def is_child(work):
    create = getattr(work, "create", None)
    return create is not None and create.parent is not None


class Once:
    """Refuses the first append that holds `event`, or is `meant`, as a disk does that is full for a moment; `late` it says so."""

    def __init__(self, journal, event=None, *, meant=None, late=0.0):
        self.event, self.late = event, late
        self.meant = meant or self._holds
        self.inner = journal.writer
        self.refused = 0
        journal.writer = self

    def _holds(self, work):
        return any((draft.kind, draft.path) == self.event for draft in getattr(work, "drafts", ()))

    def submit(self, work):
        if self.refused or not self.meant(work):
            return self._later(self.inner.submit(work))
        self.refused += 1
        refused = Commit(loop=asyncio.get_running_loop())
        refused.set_exception(StorageError("the disk is full"))
        return self._later(refused)

    def _later(self, done):
        if not self.late:
            return done
        told = Commit(loop=asyncio.get_running_loop())
        error = done.exception()
        tell = (told.set_exception, error) if error else (told.set_result, done.result())
        asyncio.get_running_loop().call_later(self.late, *tell)
        return told

    def __getattr__(self, name):
        return getattr(self.inner, name)


@pytest.mark.parametrize("effect", ["idempotent", "reconcile", "once"])
@simulated
async def test_nothing_begins_after_an_answer_that_was_lost_while_nobody_waited(effect):
    acted = []

    async def perform(step_call, scope, context):
        await ask(context)
        # The answer goes alone meanwhile, and is refused.
        await context.clock.sleep(0.3)

        async def act(_):
            acted.append([(event.kind, event.path) for event in world.journal.events(context.run_id)])
            return Done("done")

        return Done(await context.step("act", act, type="tool", effect=effect))

    performer = Doing(perform)
    performer.derived = True
    world = World(performer)
    run_id = await world.engine.start(as_plan(chain(call("a"))), {})
    writer = Once(world.journal, OUTCOME)
    with pytest.raises(StorageError):
        await world.engine.drive(run_id)
    assert writer.refused == 1
    assert acted == []
    result = await world.resume(run_id)
    assert result.status == "completed"
    assert OUTCOME in acted[0]
    assert len(acted) == 1
    await world.close()


@simulated
async def test_what_another_branch_began_behind_a_refused_append_does_not_go_on():
    acted = []

    async def perform(step_call, scope, context):
        if step_call.name == "a":
            await ask(context)
            await context.clock.sleep(1)
            return Done(None)
        # Its beginning is under way when the answer, before it, is refused.
        await context.clock.sleep(0.055)

        async def act(_):
            acted.append([(event.kind, event.path) for event in world.journal.events(context.run_id)])
            return Done("done")

        return Done(await context.step("act", act, type="tool", effect="once"))

    performer = Doing(perform)
    performer.derived = True
    world = World(performer)
    run_id = await world.engine.start(as_plan(fan(call("a"), call("b"))), {})
    Once(world.journal, OUTCOME, late=0.02)
    with pytest.raises(StorageError):
        await world.engine.drive(run_id)
    assert acted == []
    assert world.kinds(run_id, "/b/act") == [], "nothing stands in the journal behind what was lost"
    await world.close()


def told_late(journal):
    """What is written is told only later."""
    journal.writer = LateWriter(journal, at=0, when="after")


def written_late(journal):
    """It takes some time until anything is written."""
    submit = journal.writer.submit

    def slow(work):
        told = Commit(loop=asyncio.get_running_loop())

        def now():
            done = submit(work)
            if error := done.exception():
                told.set_exception(error)
            else:
                told.set_result(done.result())

        asyncio.get_running_loop().call_later(0.05, now)
        return told

    journal.writer.submit = slow


@pytest.mark.parametrize("way", [told_late, written_late])
@simulated
async def test_what_is_on_its_way_to_the_journal_is_history_already(way):
    seen = []

    async def perform(step_call, scope, context):
        if step_call.name == "b":
            seen.append([(event.kind, event.path) for event in context.events()])
            return Done(None)
        await ask(context)
        # The answer has begun to be written, which takes as long again.
        await context.clock.sleep(0.06)
        return Done(None)

    performer = Doing(perform)
    performer.derived = True
    world = World(performer)
    run_id = await world.engine.start(as_plan(chain(call("a"), call("b"))), {})
    writer, submit = world.journal.writer, world.journal.writer.submit
    way(world.journal)
    result = await world.engine.drive(run_id)
    world.journal.writer, writer.submit = writer, submit
    assert result.status == "completed"
    assert seen[0].count(OUTCOME) == 1
    assert seen[0].count(("step.completed", "/a")) == 1
    assert seen[0].index(OUTCOME) < seen[0].index(("step.completed", "/a"))
    await world.close()


@simulated
async def test_a_journal_that_refuses_a_child_leaves_its_parent_resumable():
    child = as_plan(chain(call("c")))
    plan = Plan(workflow="test", root=chain(Child(name="kid", plan="child")), children={"child": child})
    world = World()
    run_id = await world.engine.start(plan, {})
    writer = Once(world.journal, meant=is_child)
    with pytest.raises(StorageError):
        await world.engine.drive(run_id)
    assert writer.refused == 1
    assert not world.journal.runs.get(run_id).ended
    assert (await world.resume(run_id)).status == "completed"
    await world.close()


@simulated
async def test_a_journal_that_refuses_what_a_deadline_decides_leaves_the_run_resumable():
    async def work(step_call, scope, context):
        await context.clock.sleep(10)
        return Done(None)

    ask_ada = Gate(name="ok", prompt="Go on?", choices=("yes", "no"), deadline_s=5.0, default="yes")
    world = World(Doing(work))
    run_id = await world.engine.start(as_plan(fan(ask_ada, call("a"))), {})
    writer = Once(world.journal, meant=lambda work: "decide" in getattr(work, "__qualname__", ""))
    with pytest.raises(StorageError):
        await world.engine.drive(run_id)
    assert writer.refused == 1
    assert not world.journal.runs.get(run_id).ended
    assert (await world.resume(run_id)).status == "completed"
    await world.close()


@simulated
async def test_a_run_that_was_opened_again_has_no_holes_either():
    async def slow_answer(step):
        await step.clock.sleep(0.2)
        return await answer(step)

    async def perform(step_call, scope, context):
        if not opened:
            raise ToolError("not yet")
        if step_call.name == "a":
            await context.clock.sleep(0.2)
            await context.step("model[0]", slow_answer, type="model", spends=True)
            await context.clock.sleep(1)
            return Done(None)
        # The answer of the other one is under way, alone, since 0.45 s and until 0.47 s.
        await context.clock.sleep(0.455)

        async def act(_):
            return Done("done")

        return Done(await context.step("act", act, type="tool", effect="once"))

    opened = False
    performer = Doing(perform)
    performer.derived = True
    world = World(performer)
    result = await world.run(fan(call("a"), call("b")))
    assert result.status == "failed"
    opened = True
    Once(world.journal, OUTCOME, late=0.02)
    with pytest.raises(StorageError):
        await world.resume(result.run_id, reopen=True)
    assert world.kinds(result.run_id, "/b/act") == []
    await world.close()
