"""Signals: kept until somebody wants them, in order, each once; and waits for the first of a signal and a time."""

from __future__ import annotations

import asyncio

import pytest

from tests.engine.world import World, as_plan, call, chain, fan, simulated
from weft.core.errors import ConflictError, InputError, NotFoundError
from weft.engine.answering import NewSignal
from weft.engine.why import wake_sources
from weft.plan.nodes import Loop, Signal, Wait
from weft.testing.scripted import ScriptedPerformer, Trouble


def listen(*names, name="w", seconds=None, when=None):
    return Wait(name=name, seconds=seconds, signals=tuple(Signal(name=one, when=when) for one in names))


async def send(world, run_id, name, data=None, **how):
    return await world.engine.signal(run_id, NewSignal(name=name, data=data, **how))


@simulated
async def test_a_run_waits_for_a_signal_and_goes_on_with_its_data():
    world = World()
    result = await world.run(chain(listen("paid", "failed"), call("ship")))
    assert (result.status, result.waits[0]["names"]) == ("waiting", ["paid", "failed"])
    run = world.journal.runs.get(result.run_id)
    (source,) = wake_sources(run, world.state(run.id))
    assert (source.kind, source.path) == ("signal", "/w")
    assert f"weft signal {run.id} paid" in source.fix
    assert run.due is None
    assert await send(world, run.id, "paid", {"euros": 12})
    assert world.journal.runs.get(run.id).due is not None
    (source,) = wake_sources(world.journal.runs.get(run.id), world.state(run.id))
    assert "has come" in source.text
    assert (await world.engine.drive(run.id)).status == "completed"
    assert world.data(run.id, "step.completed", "/w") == [{"value": {"signal": "paid", "data": {"euros": 12}}}]
    await world.close()


@simulated
async def test_signals_before_the_wait_are_kept_and_taken_in_order_each_once():
    world = World()
    body = chain(listen("tick"), name="")
    run_id = await world.engine.start(
        as_plan(chain(Loop(name="l", body=body, until="iteration >= 2", max_iterations=9))), {}
    )
    for number in range(3):
        await send(world, run_id, "tick", number)
    await send(world, run_id, "tock", "nobody wants it")
    assert (await world.engine.drive(run_id)).status == "completed"
    taken = [event.data["data"] for event in world.journal.events(run_id) if event.kind == "signal.received"]
    assert taken == [0, 1, 2]
    assert [signal.name for signal in world.journal.signals.pending(run_id)] == ["tock"]
    await world.close()


@simulated
async def test_a_key_makes_a_repeated_signal_harmless_also_after_the_end():
    world = World()
    result = await world.run(chain(listen("go")))
    assert await send(world, result.run_id, "go", key="k1")
    assert not await send(world, result.run_id, "go", key="k1")
    assert (await world.engine.drive(result.run_id)).status == "completed"
    assert not await send(world, result.run_id, "go", key="k1")
    with pytest.raises(ConflictError, match="has ended"):
        await send(world, result.run_id, "go", key="k2")
    with pytest.raises(NotFoundError):
        await send(world, "nobody", "go")
    for wrong in (NewSignal(name=""), NewSignal(name="x", data={1, 2}), NewSignal(name="x", data="y" * 2_000_000)):
        with pytest.raises(InputError):
            await world.engine.signal(result.run_id, wrong)
    await world.close()


@simulated
async def test_a_signal_that_its_guard_refuses_is_passed_over():
    world = World()
    plan = chain(listen("bid", when="signal.data > limit"), listen("bid", name="next"))
    result = await world.run(as_plan(plan), {"limit": 10})
    run_id = result.run_id
    await send(world, run_id, "bid", 5)
    result = await world.engine.drive(run_id)
    assert (result.status, result.waits[0]["path"]) == ("waiting", "/w")
    await send(world, run_id, "bid", 15)
    result = await world.engine.drive(run_id)
    assert result.waits[0]["path"] == "/next"
    assert world.kinds(run_id, "/w")[-3:] == ["signal.passed", "signal.received", "step.completed"]
    await send(world, run_id, "bid", 1)
    assert (await world.engine.drive(run_id)).status == "completed"
    await world.close()


@pytest.mark.parametrize(("at", "signal"), [(50, "go"), (150, None)])
@simulated
async def test_the_first_of_signal_and_time_wins_and_is_history(at, signal):
    world = World(near_s=1_000)
    run_id = await world.engine.start(as_plan(chain(listen("go", seconds="100"), call("x"))), {})
    task = asyncio.ensure_future(world.engine.drive(run_id))
    await asyncio.sleep(at)
    if signal:
        await send(world, run_id, "go", 1)
    result = await task
    assert result.status == "completed"
    value = world.data(run_id, "step.completed", "/w")[0]["value"]
    assert value == {"signal": signal, "data": 1 if signal else None}
    await world.close()


@simulated
async def test_a_far_time_with_a_signal_is_due_while_nobody_drives():
    world = World(near_s=60)
    result = await world.run(chain(listen("go", seconds="300")))
    run = world.journal.runs.get(result.run_id)
    assert (result.status, run.due) == ("waiting", result.waits[0]["due"])
    await asyncio.sleep(301)
    assert (await world.engine.drive(run.id)).status == "completed"
    await world.close()


@simulated
async def test_a_signal_reaches_a_run_that_is_driven_by_another_process():
    world = World(ScriptedPerformer({"/g/slow": Trouble(seconds=100)}))
    run_id = await world.engine.start(as_plan(chain(fan(call("slow"), listen("go"), name="g"))), {})
    task = asyncio.ensure_future(world.engine.drive(run_id))
    await asyncio.sleep(10)
    assert world.state(run_id).awaited == {"/g/w": ("go",)}
    await world.new_engine().signal(run_id, NewSignal(name="go"))
    await asyncio.sleep(0.1)
    assert world.kinds(run_id, "/g/w")[-1] == "step.completed"
    assert (await task).status == "completed"
    await world.close()


@simulated
async def test_two_waits_beside_each_other_never_take_the_same_signal():
    world = World()
    plan = chain(fan(listen("go", name="a"), listen("go", name="b"), name="g"))
    run_id = await world.engine.start(as_plan(plan), {})
    await send(world, run_id, "go", 1)
    assert (await world.engine.drive(run_id)).status == "waiting"
    await send(world, run_id, "go", 2)
    assert (await world.engine.drive(run_id)).status == "completed"
    received = [event.data["data"] for event in world.journal.events(run_id) if event.kind == "signal.received"]
    assert sorted(received) == [1, 2]
    await world.close()
