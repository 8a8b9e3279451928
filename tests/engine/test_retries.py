"""Retries by class of error."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.world import Doing, World, call, chain, simulated
from weft.core.errors import (
    AuthError,
    BudgetError,
    InputError,
    PolicyError,
    ProviderError,
    RateLimitError,
    StepTimeoutError,
    ToolError,
    TransientError,
)
from weft.engine.port import Done
from weft.engine.retry import MAX_WAIT, verdict
from weft.plan.nodes import Block, Graph, Retry
from weft.testing.failpoints import Crash
from weft.testing.scripted import ScriptedPerformer, Trouble
from weft.testing.simulation import SimulatedClock

THREE = Retry(attempts=3, wait_min=1, wait_max=8)


def failing(*errors):
    """A performer that raises these errors in turn and then succeeds; `times` says when it was asked."""
    left, times = list(errors), []

    async def do(call, scope, context):
        times.append((context.clock.monotonic(), context.attempt))
        if left:
            raise left.pop(0)
        return Done({"response": "ok"})

    return Doing(do), times


@pytest.mark.parametrize("error", [TransientError, StepTimeoutError])
@simulated
async def test_what_may_pass_is_tried_again_until_the_attempts_are_spent(error):
    for failures, status in ((2, "completed"), (3, "failed")):
        performer, times = failing(*[error("not now") for _ in range(failures)])
        world = World(performer)
        result = await world.run(chain(call("a", retry=THREE)))
        assert result.status == status
        assert [attempt for _, attempt in times] == [1, 2, 3]
        await world.close()


@pytest.mark.parametrize(
    "error", [AuthError, PolicyError, ProviderError, ToolError, BudgetError, InputError, ValueError]
)
@simulated
async def test_what_will_not_pass_is_not_tried_again(error):
    performer, times = failing(error("never"))
    world = World(performer)
    result = await world.run(chain(call("a", retry=THREE)))
    assert result.status == "failed"
    assert len(times) == 1
    assert result.error.place.path == "/a"
    await world.close()


@simulated
async def test_a_defect_in_a_performer_is_an_internal_error_that_names_it():
    performer, _ = failing(ZeroDivisionError("oops"))
    world = World(performer)
    result = await world.run(chain(call("a")))
    assert result.error.code == "internal"
    assert "ZeroDivisionError: oops" in result.error.message
    await world.close()


@simulated
async def test_without_a_retry_there_is_one_attempt():
    performer, times = failing(TransientError("not now"))
    world = World(performer)
    assert (await world.run(chain(call("a")))).status == "failed"
    assert len(times) == 1
    await world.close()


@simulated
async def test_a_block_gives_its_calls_their_retry_and_a_calls_own_wins():
    for own, attempts in ((None, 3), (Retry(attempts=2), 2)):
        performer, times = failing(*[TransientError("no")] * 9)
        world = World(performer)
        await world.run(Block(name="", body=chain(call("a", retry=own), name="body"), retry=THREE))
        assert len(times) == attempts
        await world.close()


@simulated
async def test_a_rate_limit_parks_the_step_and_spends_no_attempt():
    performer, times = failing(*[RateLimitError("slow down", retry_after=20) for _ in range(7)], TransientError("no"))
    world = World(performer)
    result = await world.run(chain(call("a", retry=Retry(attempts=2, wait_min=1, wait_max=4))))
    assert result.status == "completed"
    assert [attempt for _, attempt in times] == [1] * 8 + [2]
    gaps = [later - earlier for (earlier, _), (later, _) in zip(times, times[1:], strict=False)]
    assert all(20 <= gap < 21 for gap in gaps[:7])
    parked = [data["parked"] for data in world.data(result.run_id, "step.retrying")]
    assert parked == [True] * 7 + [False]
    await world.close()


@simulated
async def test_retry_after_is_a_lower_bound_of_the_wait():
    performer, times = failing(TransientError("busy", retry_after=100))
    world = World(performer)
    await world.run(chain(call("a", retry=THREE)))
    assert 100 <= times[1][0] - times[0][0] < 101
    await world.close()


@given(
    st.builds(
        Retry,
        attempts=st.integers(2, 50),
        backoff=st.sampled_from(["exponential", "constant", "jittered"]),
        wait_min=st.floats(0, 10),
        wait_max=st.floats(0, 600),
    ),
    st.integers(1, 49),
    st.text(max_size=20),
    st.none() | st.floats(0, 10_000),
)
def test_waits_are_within_bounds_and_repeatable(policy, attempt, key, asked):
    error = TransientError("no", retry_after=asked)
    again = verdict(error, policy, attempt=attempt, parks=0, key=key)
    if attempt >= policy.attempts:
        assert again is None
        return
    assert again == verdict(error, policy, attempt=attempt, parks=0, key=key)
    assert not again.parked
    assert min(asked or 0, MAX_WAIT) <= again.delay <= MAX_WAIT
    if not asked and policy.backoff == "constant":
        assert again.delay == policy.wait_min
    elif not asked:
        ceiling = min(policy.wait_max, policy.wait_min * 2.0**attempt)
        assert min(policy.wait_min, ceiling) <= again.delay <= ceiling


def test_waits_spread_over_the_whole_interval():
    policy = Retry(attempts=9, wait_min=1, wait_max=64)
    delays = [verdict(TransientError("no"), policy, attempt=6, parks=0, key=f"run-{n}").delay for n in range(400)]
    assert min(delays) < 5
    assert max(delays) > 59
    assert 28 < sum(delays) / len(delays) < 37


@simulated
async def test_after_a_crash_the_next_attempt_comes_when_it_was_due_and_is_numbered_on():
    performer, times = failing(*[TransientError("no", retry_after=30)] * 2)
    world = World(performer)
    run_id = await world.die_after("step.retrying", "/a", chain(call("a", retry=THREE)))
    assert (await world.resume(run_id)).status == "completed"
    assert [attempt for _, attempt in times] == [1, 2, 3]
    assert 30 <= times[1][0] - times[0][0] < 31
    await world.close()


@pytest.mark.parametrize("effect", ["idempotent", "reconcile"])
@simulated
async def test_a_crash_in_the_middle_of_an_attempt_does_not_give_back_those_before(effect):
    performer, times = failing(TransientError("no"), TransientError("no"), Crash(), TransientError("no"))
    world = World(performer)
    run_id = await world.die_in_effect(chain(call("a", retry=THREE, effect=effect)))
    assert (await world.resume(run_id)).status == "failed"
    assert [attempt for _, attempt in times] == [1, 2, 3, 3]
    await world.close()


@simulated
async def test_a_recorded_failure_is_not_tried_again_after_a_crash():
    performer = ScriptedPerformer({"/a": Trouble(fatal=True)})
    world = World(performer)
    run_id = await world.die_after("step.failed", "/a", chain(call("a", retry=THREE)))
    result = await world.resume(run_id)
    assert (result.status, performer.started["/a"]) == ("failed", 1)
    await world.close()


@simulated
async def test_waiting_to_try_again_holds_no_slot():
    async def do(call, scope, context):
        if call.name == "slow" and context.attempt == 1:
            raise TransientError("no", retry_after=50)
        return Done(SimulatedClock().monotonic())

    world = World(Doing(do), concurrency=1)
    result = await world.run(Graph(name="g", children=(call("slow", retry=THREE), call("quick"))))
    assert result.outputs["value"]["quick"] < 1
    assert result.outputs["value"]["slow"] >= 50
    await world.close()


@simulated
async def test_a_cancellation_that_comes_from_inside_a_performer_is_its_failure_and_not_the_runs():
    async def do(call, scope, context):
        raise asyncio.CancelledError

    world = World(Doing(do))
    result = await world.run(chain(call("a")))
    assert result.status == "failed"
    assert "cancelled" in result.error.message
    await world.close()
