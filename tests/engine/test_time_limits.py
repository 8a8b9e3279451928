"""Time limits: of a step, of a block, of a budget; what a crash leaves of them; and who wins a race."""

from __future__ import annotations

import asyncio

import pytest

from tests.engine.world import Doing, World, call, chain, fan, simulated
from weft.engine.port import Done
from weft.plan.nodes import Block, Budget, Join, Retry, Sequence, Wait
from weft.testing.scripted import ScriptedPerformer, Trouble
from weft.testing.simulation import SimulatedClock


def slow(**seconds):
    return ScriptedPerformer({f"/{path.replace('__', '/')}": Trouble(seconds=s) for path, s in seconds.items()})


def limited(body, seconds, name="limit", **how):
    return Block(name=name, body=body, timeout_s=seconds, **how)


@simulated
async def test_a_call_that_takes_too_long_fails_with_a_timeout_and_is_retried():
    async def do(call, scope, context):
        await context.clock.sleep(10 if context.attempt < 3 else 1)
        return Done(context.attempt)

    world = World(Doing(do))
    result = await world.run(chain(call("a", timeout_s=2, retry=Retry(attempts=3, wait_min=0, wait_max=0))))
    assert result.outputs["value"] == 3
    result = await world.run(chain(call("a", timeout_s=2, retry=Retry(attempts=2, wait_min=0, wait_max=0))))
    assert result.error.code == "timeout"
    assert "2 s" in result.error.message
    await world.close()


@simulated
async def test_a_block_that_takes_too_long_fails_and_what_was_in_it_is_stopped():
    stopped = []

    async def do(call, scope, context):
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            stopped.append(context.clock.monotonic())
            raise

    world = World(Doing(do))
    result = await world.run(chain(limited(fan(call("a"), call("b"), name="g"), 5)))
    assert result.error.code == "timeout"
    assert len(stopped) == 2
    assert all(5 <= at < 5.1 for at in stopped)
    await world.close()


@simulated
async def test_the_innermost_exceeded_limit_is_the_one_that_is_told():
    world = World(slow(outer__inner__a=100))
    inner = limited(call("a"), 3, name="inner")
    result = await world.run(chain(limited(inner, 10, name="outer")))
    assert result.error.place.path == "/outer/inner"
    await world.close()


@simulated
async def test_a_tolerated_time_limit_is_a_value():
    world = World(slow(g__limit__a=100))
    graph = fan(limited(call("a"), 3), call("b"), name="g", join=Join(policy="best_effort"))
    result = await world.run(chain(graph))
    assert result.outputs["value"]["limit"]["error"]["code"] == "timeout"
    await world.close()


@pytest.mark.parametrize(("rest", "status"), [(25, "completed"), (35, "failed")])
@simulated
async def test_a_resumed_block_has_only_what_is_left_of_its_time(rest, status):
    world = World(slow(limit__body__a=10, limit__body__b=15))
    run_id = await world.die_after(
        "step.completed", "/limit/body/a", chain(limited(chain(call("a"), call("b"), name="body"), 50))
    )
    await asyncio.sleep(rest)
    assert (await world.resume(run_id)).status == status
    await world.close()


@simulated
async def test_a_block_whose_time_is_over_starts_nothing_when_it_is_resumed():
    world = World()
    run_id = await world.die_after(
        "step.completed", "/limit/body/a", chain(limited(chain(call("a"), call("b"), name="body"), 50))
    )
    await asyncio.sleep(60)
    result = await world.resume(run_id)
    assert result.error.code == "timeout"
    assert "/limit/body/b" not in world.performer.started
    await world.close()


@simulated
async def test_nested_blocks_that_were_done_in_time_are_so_for_ever():
    """A replay after the time is over must not let the alarm win a race that it had lost."""
    body = limited(limited(fan(call("a"), call("b"), name="g"), 20, name="inner"), 30, name="outer")
    world = World()
    run_id = await world.die_after("step.completed", "/late", chain(body, call("late"), call("last")))
    await asyncio.sleep(1_000)
    assert (await world.resume(run_id)).status == "completed"
    await world.close()


@simulated
async def test_a_failure_inside_a_block_stays_the_same_after_its_time_is_over():
    world = World(ScriptedPerformer({"/g/limit/a": Trouble(fatal=True)}))
    graph = fan(limited(call("a"), 30), call("b"), name="g", join=Join(policy="best_effort"))
    run_id = await world.die_after("step.completed", "/last", chain(graph, call("last"), call("end"), into="all"))
    first = world.state(run_id).finished["/g"].value["limit"]["error"]["code"]
    await asyncio.sleep(1_000)
    result = await world.resume(run_id)
    assert result.status == "completed"
    assert first == "tool"
    await world.close()


@simulated
async def test_a_limit_that_was_exceeded_stays_exceeded_after_a_crash():
    world = World(slow(g__limit__a=100))
    graph = fan(limited(call("a"), 3), call("b"), name="g", join=Join(policy="best_effort"))
    run_id = await world.die_after("node.failed", "/g/limit", chain(graph))
    world.performer.troubles = {}
    result = await world.resume(run_id)
    assert result.outputs["value"]["limit"]["error"]["code"] == "timeout"
    assert world.performer.started["/g/limit/a"] == 1
    await world.close()


@pytest.mark.parametrize("work", [4.999999, 5.0, 5.000001])
@simulated
async def test_work_that_ends_as_the_alarm_rings_has_one_outcome_that_a_replay_keeps(work):
    world = World(slow(limit__a=work))
    graph = fan(limited(call("a"), 5), name="g", join=Join(policy="best_effort"))
    first = await world.run(chain(graph))
    run_id = first.run_id
    assert len([k for k in world.kinds(run_id, "/g/limit") if k.startswith("node.")]) == 1
    assert world.journal.verify(run_id).intact
    assert first.status == "completed"
    await world.close()


@simulated
async def test_the_time_of_a_run_as_a_whole_is_limited_too():
    world = World(slow(body__a=10))
    result = await world.run(limited(chain(call("a"), name="body"), 5, name=""))
    assert result.error.code == "timeout"
    again = await world.resume(result.run_id, reopen=True)
    assert again.error.code == "timeout"
    world.performer.troubles = {}
    assert (await world.resume(result.run_id, reopen=True)).status == "completed"
    await world.close()


@simulated
async def test_a_budget_of_time_is_a_budget_error_that_names_the_limit():
    world = World(slow(limit__a=10))
    result = await world.run(chain(Block(name="limit", body=call("a"), budget=Budget(max_duration_s=5), timeout_s=7)))
    assert result.error.code == "budget"
    assert result.error.ids["limit"] == "max_duration_s"
    await world.close()


@simulated
async def test_a_wait_ends_when_it_was_due_whatever_happened_meanwhile():
    world = World()
    clock = SimulatedClock()
    run_id = await world.die_after("timer.set", "/w", chain(Wait(name="w", seconds="100"), call("a")))
    began = world.state(run_id).timers["/w"] / 1e6 - 100
    await asyncio.sleep(40)
    assert (await world.resume(run_id)).status == "completed"
    assert clock.micros() / 1e6 - began == pytest.approx(100, abs=0.2)
    await world.close()


@simulated
async def test_a_wait_that_became_due_while_nobody_drove_is_over_at_once():
    world = World()
    run_id = await world.die_after("timer.set", "/w", chain(Wait(name="w", seconds="100")))
    await asyncio.sleep(500)
    before = SimulatedClock().monotonic()
    await world.resume(run_id)
    assert SimulatedClock().monotonic() - before < 1
    await world.close()


@pytest.mark.parametrize("seconds", ["-1", "big * big", "1e300", "'soon'", "true", "none", "[1]"])
@simulated
async def test_a_wait_for_nonsense_is_a_clear_failure(seconds):
    world = World()
    result = await world.run(Sequence(name="", children=(Wait(name="w", seconds=seconds),)), {"big": 1e308})
    assert result.error.code == "input"
    assert result.error.place.path == "/w"
    await world.close()


@simulated
async def test_a_wait_in_a_block_is_stopped_by_its_limit():
    world = World()
    result = await world.run(chain(limited(Wait(name="w", seconds="100"), 5)))
    assert result.error.code == "timeout"
    assert 5 <= SimulatedClock().monotonic() < 5.1
    await world.close()


@pytest.mark.parametrize(("rest", "status"), [(10, "completed"), (60, "failed")])
@simulated
async def test_the_time_of_a_run_still_counts_when_a_part_without_a_name_was_finished_before_a_crash(rest, status):
    world = World(slow(after=20))
    # What a lenient fan-out ended with is a decision, which is durable at once.
    part = fan(call("a"), call("b"), join=Join(policy="best_effort"))
    plan = limited(chain(part, call("after")), 50, name="")
    run_id = await world.die_after("node.completed", "", plan)
    await asyncio.sleep(rest)
    assert (await world.resume(run_id)).status == status
    assert ("/after" in world.performer.started) == (status == "completed")
    await world.close()


@simulated
async def test_the_time_of_a_run_stops_what_is_left_of_it_after_a_crash():
    world = World(slow(after=100))
    plan = limited(chain(fan(call("a"), call("b")), call("after")), 50, name="")
    run_id = await world.die_after("node.completed", "", plan)
    result = await world.resume(run_id)
    assert result.error.code == "timeout"
    assert 50 <= SimulatedClock().monotonic() < 51
    await world.close()
