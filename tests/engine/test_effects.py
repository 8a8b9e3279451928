"""Effect classes: how a step may be repeated when nobody knows whether it happened."""

from __future__ import annotations

import asyncio

import pytest

from tests.engine.world import Doing, World, as_plan, call, chain, fan, simulated
from weft.core.errors import ConflictError, InputError, RateLimitError, StepTimeoutError, ToolError, TransientError
from weft.engine.port import Done
from weft.engine.why import wake_sources
from weft.plan.nodes import Join, Retry
from weft.testing.failpoints import Crash
from weft.testing.scripted import ScriptedPerformer

THREE = Retry(attempts=3, wait_min=1, wait_max=4)


class Till:
    """A world that is touched first and fails to say so afterwards, by script."""

    def __init__(self, *afterwards, asking=()):
        self.afterwards, self.asking = list(afterwards), list(asking)
        self.touched: list[str] = []
        self.asked = 0
        self.performer = Doing(self.do, self.ask)

    async def do(self, call, scope, context):
        self.touched.append(context.key)
        if self.afterwards and (error := self.afterwards.pop(0)):
            raise error
        return Done({"response": "done"})

    async def ask(self, call, scope, context):
        self.asked += 1
        if self.asking and (error := self.asking.pop(0)):
            raise error
        return Done({"response": "found"}) if context.key in self.touched else None


def one(effect, **how):
    return chain(call("a", effect=effect, **how), call("b"))


def doubts(result):
    return [wait["path"] for wait in result.waits if wait["kind"] == "doubt"]


@pytest.mark.parametrize("effect", ["pure", "idempotent"])
@simulated
async def test_a_step_that_may_be_repeated_is_repeated_under_the_same_key(effect):
    till = Till(Crash())
    world = World(till.performer)
    run_id = await world.die_in_effect(one(effect))
    assert (await world.resume(run_id)).status == "completed"
    assert len(till.touched) == 3
    assert till.touched[0] == till.touched[1]
    await world.close()


@simulated
async def test_keys_differ_between_steps_and_between_runs():
    till = Till()
    world = World(till.performer)
    await world.run(one("idempotent"))
    await world.run(one("idempotent"))
    assert len(set(till.touched)) == 4
    await world.close()


@simulated
async def test_a_pure_step_has_no_start_record_and_every_other_one_has():
    for effect, kinds in (("pure", ["step.completed"]), ("once", ["step.started", "step.completed"])):
        world = World()
        result = await world.run(one(effect))
        assert world.kinds(result.run_id, "/a") == kinds
        await world.close()


@pytest.mark.parametrize("effect", ["reconcile", "once"])
@simulated
async def test_the_start_is_durable_before_an_effect_that_may_not_be_repeated(effect):
    seen = []

    async def do(call, scope, context):
        seen.append([event.kind for event in context.events() if event.path == "/a"])
        return Done(1)

    world = World(Doing(do))
    await world.run(chain(call("a", effect=effect)))
    assert seen == [["step.started"]]
    await world.close()


@simulated
async def test_a_reconcile_step_that_had_happened_is_found_and_not_repeated():
    till = Till(Crash())
    world = World(till.performer)
    run_id = await world.die_in_effect(one("reconcile"))
    result = await world.resume(run_id)
    assert result.status == "completed"
    assert world.state(run_id).outcomes["/a"].value == {"response": "found"}
    assert len(set(till.touched)) == len(till.touched) == 2
    await world.close()


@simulated
async def test_a_reconcile_step_that_had_not_happened_is_performed():
    till = Till()
    world = World(till.performer)
    run_id = await world.die_after("step.started", "/a", one("reconcile"))
    assert till.touched == []
    assert (await world.resume(run_id)).status == "completed"
    assert till.asked == 1
    assert len(till.touched) == 2
    await world.close()


@pytest.mark.parametrize("error", [TransientError, StepTimeoutError])
@simulated
async def test_a_reconcile_step_is_asked_about_before_it_is_tried_again(error):
    till = Till(error("the answer was lost"))
    world = World(till.performer)
    result = await world.run(one("reconcile", retry=THREE))
    assert result.status == "completed"
    assert len(set(till.touched)) == len(till.touched)
    await world.close()


@simulated
async def test_a_reconcile_step_that_failed_in_doubt_is_asked_about_when_the_run_is_reopened():
    till = Till(TransientError("the answer was lost"))
    world = World(till.performer)
    result = await world.run(one("reconcile"))
    assert result.status == "failed"
    assert (await world.resume(result.run_id, reopen=True)).status == "completed"
    assert len(set(till.touched)) == len(till.touched) == 2
    await world.close()


@simulated
async def test_asking_is_retried_like_the_step_itself_and_its_defects_are_failures():
    for trouble, status in ((TransientError("no"), "completed"), (KeyError("x"), "failed"), (ToolError("x"), "failed")):
        till = Till(Crash(), asking=[trouble])
        world = World(till.performer)
        run_id = await world.die_in_effect(one("reconcile", retry=THREE))
        result = await world.resume(run_id)
        assert result.status == status
        assert len(set(till.touched)) == len(till.touched)
        assert world.journal.verify(run_id).intact
        await world.close()


@simulated
async def test_asking_has_the_steps_time_limit():
    till = Till(Crash())

    async def hang(call, scope, context):
        await asyncio.sleep(10_000)

    till.performer.ask = hang
    world = World(till.performer)
    run_id = await world.die_in_effect(one("reconcile", timeout_s=5))
    result = await world.resume(run_id)
    assert result.error.code == "timeout"
    await world.close()


@simulated
async def test_a_doubtful_once_step_leaves_the_run_waiting_and_yes_settles_it():
    till = Till(Crash())
    world = World(till.performer)
    run_id = await world.die_in_effect(one("once"))
    assert doubts(await world.resume(run_id)) == ["/a"]
    assert doubts(await world.resume(run_id)) == ["/a"]
    await world.engine.settle(run_id, "/a", did=True)
    assert (await world.resume(run_id)).status == "completed"
    assert len(till.touched) == 2
    await world.close()


@simulated
async def test_no_lets_it_be_performed_once_more_and_a_second_death_asks_again():
    till = Till(Crash(), Crash())
    world = World(till.performer)
    run_id = await world.die_in_effect(one("once"))
    await world.resume(run_id)
    await world.engine.settle(run_id, "/a", did=False)
    await world.engine.close()
    world.engine = world.new_engine()
    with pytest.raises(Crash):
        await world.engine.drive(run_id)
    world.engine.forsake()
    assert len(till.touched) == 2
    assert doubts(await world.resume(run_id)) == ["/a"]
    assert len(till.touched) == 2
    await world.engine.settle(run_id, "/a", did=False)
    assert (await world.resume(run_id)).status == "completed"
    await world.close()


@simulated
async def test_a_doubt_can_be_settled_right_after_the_crash():
    till = Till(Crash())
    world = World(till.performer)
    run_id = await world.die_in_effect(one("once"))
    await world.new_engine().settle(run_id, "/a", did=True)
    assert (await world.resume(run_id)).status == "completed"
    assert len(till.touched) == 2
    await world.close()


@pytest.mark.parametrize("error", [TransientError, StepTimeoutError])
@simulated
async def test_a_once_step_whose_answer_is_lost_is_in_doubt_and_not_retried(error):
    till = Till(error("lost"))
    world = World(till.performer)
    result = await world.run(one("once", retry=THREE))
    assert doubts(result) == ["/a"]
    assert len(till.touched) == 1
    await world.close()


@simulated
async def test_a_once_step_that_was_turned_away_for_being_too_fast_is_not_in_doubt_even_after_a_crash():
    class Gatekeeper(Till):
        async def do(self, call, scope, context):
            if self.afterwards:
                raise self.afterwards.pop(0)
            self.touched.append(context.key)
            return Done(1)

    keeper = Gatekeeper(RateLimitError("slow down"), RateLimitError("slow down"))
    world = World(keeper.performer)
    run_id = await world.die_after("step.retrying", "/a", one("once", retry=THREE))
    assert (await world.resume(run_id)).status == "completed"
    assert len(keeper.touched) == 2
    await world.close()


@simulated
async def test_a_once_step_that_says_no_has_failed():
    till = Till(ToolError("refused"))
    world = World(till.performer)
    result = await world.run(one("once", retry=THREE))
    assert result.status == "failed"
    assert len(till.touched) == 1
    await world.close()


@simulated
async def test_only_a_step_in_doubt_can_be_settled_and_not_while_somebody_drives():
    till = Till(Crash())
    world = World(till.performer)
    run_id = await world.die_in_effect(one("once"))
    engine = world.new_engine()
    with pytest.raises(InputError, match="/b"):
        await engine.settle(run_id, "/b", did=True)
    driver = world.new_engine()

    async def hang(call, scope, context):
        await context.step("pay", lambda inner: asyncio.sleep(1e6), type="tool", effect="once")

    till.performer.do = hang
    driving = asyncio.ensure_future(driver.drive(await driver.start(as_plan(one("idempotent")), {})))
    await asyncio.sleep(1)
    (run_id,) = driver._active
    with pytest.raises(ConflictError):
        await engine.settle(run_id, "/a/pay", did=True)
    driving.cancel()
    await asyncio.gather(driving, return_exceptions=True)
    await world.close()


@simulated
async def test_why_names_the_doubt_and_after_it_is_settled_the_missing_driver():
    till = Till(Crash())
    world = World(till.performer)
    run_id = await world.die_in_effect(one("once"))

    def why():
        return [
            (source.kind, source.path) for source in wake_sources(world.journal.runs.get(run_id), world.state(run_id))
        ]

    assert why() == [("doubt", "/a")]
    await world.resume(run_id)
    assert why() == [("doubt", "/a")]
    await world.engine.settle(run_id, "/a", did=True)
    assert why() == [("driver", "")]
    await world.close()


@simulated
async def test_doubts_of_several_branches_are_all_asked_while_the_others_finish():
    till = Till(TransientError("lost"), TransientError("lost"))
    world = World(till.performer)
    plan = fan(call("a", effect="once"), call("b", effect="once"), call("c"))
    result = await world.run(plan)
    assert sorted(doubts(result)) == ["/a", "/b"]
    assert "/c" in world.state(result.run_id).outcomes
    await world.engine.settle(result.run_id, "/b", did=True)
    assert doubts(await world.resume(result.run_id)) == ["/a"]
    await world.engine.settle(result.run_id, "/a", did=True)
    assert (await world.resume(result.run_id)).outputs["value"] == {"a": None, "b": None, "c": {"response": "done"}}
    await world.close()


@pytest.mark.parametrize("join", [Join(policy="first"), Join(policy="quorum", quorum=2)])
@simulated
async def test_a_doubt_does_not_hold_up_a_join_that_has_enough_without_it(join):
    till = Till(TransientError("lost"))
    world = World(till.performer)
    result = await world.run(fan(call("a", effect="once"), call("b"), call("c"), join=join, name="g"))
    assert result.status == "completed"
    await world.close()


@pytest.mark.parametrize("join", [Join(), Join(policy="quorum", quorum=3), Join(policy="best_effort")])
@simulated
async def test_a_doubt_holds_up_a_join_that_needs_it(join):
    till = Till(TransientError("lost"))
    world = World(till.performer)
    result = await world.run(fan(call("a", effect="once"), call("b"), call("c"), join=join))
    assert doubts(result) == ["/a"]
    await world.close()


@simulated
async def test_a_step_inside_a_call_has_its_own_effect_class_and_suspends_the_call():
    touched = []

    async def pay(context):
        touched.append(context.key)
        raise Crash

    async def do(call, scope, context):
        if call.name == "b":
            return Done(0)
        first = await context.step("think", lambda inner: _done(1), type="model")
        paid = await context.step("pay", pay, type="tool", effect="once", target="bank")
        return Done([first, paid])

    async def _done(value):
        touched.append("think")
        return Done(value)

    world = World(Doing(do))
    run_id = await world.die_in_effect(one("idempotent"))
    assert doubts(await world.resume(run_id)) == ["/a/pay"]
    await world.engine.settle(run_id, "/a/pay", did=True)
    result = await world.resume(run_id)
    assert world.state(run_id).outcomes["/a"].value == [1, None]
    assert result.status == "completed"
    assert len(touched) == 2
    await world.close()


@simulated
async def test_the_scripted_performer_counts_what_really_happened():
    world = World(ScriptedPerformer())
    await world.run(one("once"))
    assert sorted(world.performer.effects.values()) == [1, 1]
    await world.close()
