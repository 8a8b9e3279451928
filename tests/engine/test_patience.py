"""Time limits stand still while everything below them waits for people, and for nothing else."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.engine.world import World, as_plan, call, chain, fan, simulated
from weft.core.event import Event
from weft.engine.patience import waited
from weft.engine.questions import Answer
from weft.engine.replay import replay
from weft.engine.why import wake_sources
from weft.plan.nodes import Block, Budget, Child, Gate, Join, Plan, Wait
from weft.testing.scripted import ScriptedPerformer, Trouble
from weft.testing.simulation import SimulatedClock

pytestmark = pytest.mark.slow

YES = Answer(by="ada", verdict="approve")
HOUR = 60


def gate(name="ok"):
    return Gate(name=name, prompt="Go on?")


def slow(**seconds):
    return ScriptedPerformer({f"/{path.replace('__', '/')}": Trouble(seconds=s) for path, s in seconds.items()})


def limited(*children, seconds=30, name="limit", **how):
    return Block(name=name, body=chain(*children), timeout_s=seconds, **how)


def proven(world, run_id, plan):
    events = world.journal.proven_events(run_id)
    with ThreadPoolExecutor(1) as elsewhere:  # a replay has a loop of its own
        elsewhere.submit(replay, run_id, as_plan(plan), events).result().demand()


@pytest.mark.parametrize(("work", "status"), [(10, "completed"), (25, "failed")])
@pytest.mark.parametrize(
    "limit",
    [
        lambda *children: chain(limited(*children)),
        lambda *children: Block(name="", body=chain(*children, name="limit"), budget=Budget(max_duration_s=30)),
        lambda *children: limited(limited(*children, seconds=31, name="limit"), name=""),
    ],
    ids=["step", "run", "nested"],
)
@simulated
async def test_a_night_over_a_question_is_no_work_and_what_was_worked_still_counts(limit, work, status):
    world = World(slow(limit__a=10, limit__b=work))
    plan = limit(call("a"), gate(), call("b"))
    run_id = await world.engine.start(as_plan(plan), {})
    result = await world.engine.drive(run_id)
    assert result.status == "waiting"
    assert world.journal.runs.get(run_id).due is None
    assert [one.kind for one in wake_sources(world.journal.runs.get(run_id), world.state(run_id))] == ["gate"]
    await asyncio.sleep(14 * HOUR)
    await world.engine.decide(run_id, None, YES)
    await asyncio.sleep(HOUR)
    assert (await world.resume(run_id)).status == status
    proven(world, run_id, plan)
    await world.close()


@simulated
async def test_while_another_branch_below_works_the_limit_goes_on():
    world = World(slow(limit__both__long=100))
    plan = chain(limited(fan(gate(), call("long"), name="both"), seconds=30))
    began = SimulatedClock().monotonic()
    result = await world.run(plan)
    assert (result.error.code, result.error.place.path) == ("timeout", "/limit")
    assert SimulatedClock().monotonic() - began == pytest.approx(30, abs=0.5)
    await world.close()


@simulated
async def test_a_limit_stands_still_in_a_driven_run_when_the_work_is_elsewhere():
    world = World(slow(all__long=200, all__limit__after=20))
    plan = chain(fan(limited(gate(), call("after")), call("long"), name="all"))
    run_id = await world.engine.start(as_plan(plan), {})
    driving = asyncio.ensure_future(world.engine.drive(run_id))
    await asyncio.sleep(150)
    await world.engine.decide(run_id, None, YES)
    assert (await driving).status == "completed"
    proven(world, run_id, plan)
    await world.close()


@simulated
async def test_what_comes_after_a_long_question_in_a_driven_run_has_what_was_left():
    world = World(slow(all__long=200, all__limit__after=40))
    join = Join(policy="best_effort")
    plan = chain(fan(limited(gate(), call("after")), call("long"), name="all", join=join), into="value")
    run_id = await world.engine.start(as_plan(plan), {})
    driving = asyncio.ensure_future(world.engine.drive(run_id))
    await asyncio.sleep(150)
    await world.engine.decide(run_id, None, YES)
    result = await driving
    assert result.status == "completed"
    assert world.state(run_id).finished["/all/limit/$block"].error.code == "timeout"
    proven(world, run_id, plan)
    await world.close()


@simulated
async def test_waits_for_time_count_as_they_did():
    world = World(near_s=20)
    plan = chain(limited(fan(gate(), Wait(name="w", seconds="120"), name="both"), seconds=HOUR))
    run_id = await world.engine.start(as_plan(plan), {})
    began = SimulatedClock().micros()
    assert (await world.engine.drive(run_id)).status == "waiting"
    assert world.journal.runs.get(run_id).due / 1e6 == pytest.approx(began / 1e6 + HOUR, abs=1)
    await asyncio.sleep(HOUR + 1)
    assert (await world.resume(run_id)).error.code == "timeout"
    await world.close()


@simulated
async def test_a_question_in_a_child_run_stops_the_limit_above_it_too():
    world = World()
    inner = as_plan(chain(gate(), call("inner")))
    plan = Plan(workflow="outer", root=chain(limited(Child(name="sub", plan="inner"))), children={"inner": inner})
    run_id = await world.engine.start(plan, {})
    assert (await world.engine.drive(run_id)).status == "waiting"
    assert world.journal.runs.get(run_id).due is None
    await asyncio.sleep(14 * HOUR)
    [child] = [run for run in world.journal.runs.list() if run.parent == run_id]
    await world.engine.decide(child.id, None, YES)
    assert (await world.resume(run_id)).status == "completed"
    await world.close()


def below(*children):
    """A plan with a time limit around a child run of `children`."""
    inner = as_plan(chain(*children))
    return Plan(
        workflow="outer", root=chain(limited(Child(name="sub", plan="inner"))), children={"inner": inner}
    ), inner


async def asked(world, plan):
    """A run of `plan` whose child has waited for an answer through the night and has it now; both ids."""
    run_id = await world.engine.start(plan, {})
    assert (await world.engine.drive(run_id)).status == "waiting"
    [child] = [run for run in world.journal.runs.list() if run.parent == run_id]
    await asyncio.sleep(14 * HOUR)
    await world.engine.decide(child.id, None, YES)
    return run_id, child.id


@simulated
async def test_when_a_child_run_waits_for_a_time_after_its_question_the_limit_above_it_goes_on():
    world = World(near_s=20)
    plan, _ = below(gate(), Wait(name="w", seconds="7200"), call("inner"))
    run_id, child = await asked(world, plan)
    now = SimulatedClock().micros()
    assert (await world.engine.drive(child)).status == "waiting"
    run = world.journal.runs.get(run_id)
    assert not any(wait.get("people") for wait in run.waits)
    assert run.due / 1e6 == pytest.approx(now / 1e6 + 30, abs=1)
    await asyncio.sleep(31)
    assert (await world.resume(run_id)).error.code == "timeout"
    assert world.journal.runs.get(child).status == "cancelled"
    proven(world, run_id, plan)
    await world.close()


@simulated
async def test_what_a_child_run_works_after_its_question_counts_for_the_limit_above_it():
    world = World(slow(inner=200))
    plan, _ = below(gate(), call("inner"))
    run_id, child = await asked(world, plan)
    assert (await world.engine.drive(child)).status == "cancelled"
    assert world.journal.runs.get(run_id).error["code"] == "timeout"
    proven(world, run_id, plan)
    await world.close()


@simulated
async def test_when_a_child_run_asks_after_it_waited_for_a_time_the_limit_above_it_stands_still():
    world = World(near_s=5)
    plan, inner = below(Wait(name="w", seconds="20"), gate(), call("inner"))
    run_id = await world.engine.start(plan, {})
    assert (await world.engine.drive(run_id)).status == "waiting"
    [child] = [run for run in world.journal.runs.list() if run.parent == run_id]
    await asyncio.sleep(21)
    assert (await world.engine.drive(child.id)).status == "waiting"
    assert world.journal.runs.get(run_id).due is None
    await asyncio.sleep(14 * HOUR)
    await world.engine.decide(child.id, None, YES)
    assert (await world.engine.drive(child.id)).status == "completed"
    assert world.journal.runs.get(run_id).status == "completed"
    proven(world, run_id, plan)
    proven(world, child.id, inner)
    await world.close()


def events(*facts):
    return [Event("r", seq, at, kind, path, data) for seq, (at, kind, path, data) in enumerate(facts, 1)]


STEP = {"type": "tool", "effect": "idempotent"}


def test_a_step_with_a_question_inside_waits_with_it_unless_another_part_of_it_works():
    told = events(
        (0, "step.started", "/l/agent", STEP),
        (10, "gate.opened", "/l/agent/tool[0]/gate", {"gate": "g"}),
        (20, "step.started", "/l/agent/tool[1]", STEP),
        (50, "step.completed", "/l/agent/tool[1]", {}),
        (90, "gate.decided", "/l/agent/tool[0]/gate", {"gate": "g"}),
    )
    assert waited(told, "/l", 0, 100) == 10 + 40
    assert waited(told, "/l", 60, 100) == 30
    assert waited(told[:-1], "/l", 0, 100) == 10 + 50
    assert waited(told, "/other", 0, 100) == 0


def test_what_a_run_was_reopened_with_asks_anew():
    told = events((0, "gate.opened", "/l/ok", {"gate": "g"}), (50, "run.failed", "", {}), (80, "run.reopened", "", {}))
    assert waited(told, "/l", 0, 100) == 80
