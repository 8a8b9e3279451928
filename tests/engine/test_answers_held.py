"""The answer of a model waits for the next append of its run, and whatever has an effect waits for that."""

import asyncio

import pytest

from tests.engine.world import Doing, World, as_plan, call, chain, simulated
from weft.core.errors import StorageError
from weft.core.usage import Usage
from weft.engine.port import Done
from weft.testing.failpoints import Crash, CrashingWriter, RefusingWriter, bury

OUTCOME = ("step.completed", "/a/model[0]")


async def answer(_):
    return Done("yes", Usage(input_tokens=3, output_tokens=1, requests=1))


def ask(context, number=0):
    return context.step(f"model[{number}]", answer, type="model", spends=True)


class Saying:
    """A call that asks a model and then does one thing more; `seen` is what was durable while that was done."""

    def __init__(self, effect="idempotent", *, pause=0.0, at_once=1, dies=False):
        self.effect, self.pause, self.at_once, self.dies = effect, pause, at_once, dies
        self.world = None
        self.seen = []

    async def perform(self, call, scope, context):
        await ask(context)

        async def act(step):
            await step.clock.sleep(self.pause)
            self.seen.append([(event.kind, event.path) for event in self.world.journal.events(context.run_id)])
            if self.dies:
                raise Crash
            return Done("done")

        acts = (context.step(f"act[{n}]", act, type="tool", effect=self.effect) for n in range(self.at_once))
        return Done(list(await asyncio.gather(*acts)))

    async def check(self, call, scope, context):
        return None


def world_of(performer):
    performer.world = World(performer)
    return performer.world


@pytest.mark.parametrize("effect", ["idempotent", "reconcile", "once"])
@pytest.mark.parametrize("at_once", [1, 3])
@simulated
async def test_what_has_an_effect_begins_when_the_answer_before_it_is_durable(effect, at_once):
    performer = Saying(effect, at_once=at_once)
    world = world_of(performer)
    result = await world.run(chain(call("a")))
    assert result.status == "completed"
    assert len(performer.seen) == at_once
    assert all(OUTCOME in seen for seen in performer.seen)
    assert result.usage.requests == 1
    await world.close()


@simulated
async def test_an_effect_of_a_later_call_waits_for_the_answer_of_an_earlier_one_that_rides_along():
    seen = []

    async def perform(call, scope, context):
        async def act(_):
            seen.append([(event.kind, event.path) for event in world.journal.events(context.run_id)])
            return Done(None)

        return Done(await (ask(context) if call.name == "a" else context.step("act", act, type="tool")))

    performer = Doing(perform)
    performer.derived = True
    world = World(performer)
    await world.run(chain(call("a"), call("b")))
    assert OUTCOME in seen[0]
    assert ("step.completed", "/a") in seen[0]
    await world.close()


@simulated
async def test_an_answer_that_finds_no_company_goes_alone_soon():
    performer = Saying("pure", pause=0.3)
    world = world_of(performer)
    await world.run(chain(call("a")))
    assert OUTCOME in performer.seen[0]
    await world.close()


@simulated
async def test_the_last_answer_of_a_run_and_its_end_are_one_append():
    async def perform(call, scope, context):
        return Done(await ask(context))

    performer = Doing(perform)
    performer.derived = True
    world = World(performer)
    appended = []
    submit = world.journal.writer.submit

    def watched(work):
        appended.append([draft.kind for draft in getattr(work, "drafts", [])])
        return submit(work)

    world.journal.writer.submit = watched
    result = await world.run(chain(call("a")))
    (last,) = [kinds for kinds in appended if "step.completed" in kinds]
    assert last[-1] == "run.completed"
    assert world.kinds(result.run_id, "/a/model[0]") == ["step.started", "step.completed"]
    assert world.journal.runs.get(result.run_id).usage == result.usage
    assert result.usage.requests == 1
    await world.close()


@simulated
async def test_nothing_begins_on_the_strength_of_an_answer_that_the_journal_refuses():
    performer = Saying(at_once=2)
    world = world_of(performer)
    run_id = await world.engine.start(as_plan(chain(call("a"))), {})
    submit = world.journal.writer.submit

    def full(work):
        if any((draft.kind, draft.path) == OUTCOME for draft in getattr(work, "drafts", [])):
            refused = asyncio.get_running_loop().create_future()
            refused.set_exception(StorageError("the disk is full"))
            return refused
        return submit(work)

    world.journal.writer.submit = full
    with pytest.raises(StorageError):
        await world.engine.drive(run_id)
    assert performer.seen == []
    world.journal.writer.submit = submit
    result = await world.resume(run_id)
    assert result.status == "completed"
    await world.close()


@pytest.mark.parametrize("dying", [CrashingWriter, RefusingWriter])
@simulated
async def test_nothing_begins_on_an_answer_that_could_not_even_be_given_to_the_journal(dying):
    seen = []

    async def perform(call, scope, context):
        await ask(context)
        # The answer goes alone meanwhile.
        await context.clock.sleep(0.3)

        async def act(_):
            seen.append(call.name)
            return Done(None)

        return Done(await context.step("act", act, type="tool"))

    performer = Doing(perform)
    performer.derived = True
    world = World(performer)
    run_id = await world.engine.start(as_plan(chain(call("a"))), {})
    world.journal.writer = dying(world.journal, at=1, **({"when": "before"} if dying is CrashingWriter else {}))
    with pytest.raises((Crash, StorageError)):
        await world.engine.drive(run_id)
    assert seen == []
    bury(world.engine, world.journal)
    assert (await world.resume(run_id)).status == "completed"
    await world.close()


@simulated
async def test_a_crash_in_the_effect_finds_the_answer_in_the_journal():
    performer = Saying(dies=True)
    world = world_of(performer)
    run_id = await world.die_in_effect(as_plan(chain(call("a"))))
    performer.dies = False
    result = await world.resume(run_id)
    assert result.usage.requests == 1
    assert world.kinds(run_id, "/a/model[0]").count("step.completed") == 1
    await world.close()
