"""Join policies, windows and dependencies of fan-outs."""

from __future__ import annotations

import asyncio

import pytest

from tests.engine.world import Doing, World, as_plan, call, chain, fan, simulated
from weft.engine.port import Done
from weft.plan.nodes import Join, Map
from weft.testing.scripted import ScriptedPerformer, Trouble


def script(**how):
    """``a=3``: takes that long; ``a=-3``: takes that long and fails."""
    troubles = {f"/g/{name}": Trouble(seconds=abs(s), fatal=s < 0) for name, s in how.items()}
    return ScriptedPerformer(troubles)


FIRST, BEST = Join(policy="first"), Join(policy="best_effort")


def quorum(n=None):
    return Join(policy="quorum", quorum=n)


@pytest.mark.parametrize(
    ("join", "times", "status", "values"),
    [
        (Join(), {"a": 1, "b": 2, "c": 3}, "completed", "abc"),
        (Join(), {"a": 1, "b": -2, "c": 3}, "failed", ""),
        (FIRST, {"a": 3, "b": 2, "c": 1}, "completed", "c"),
        (FIRST, {"a": -1, "b": 3, "c": 2}, "completed", "ac"),
        (FIRST, {"a": -1, "b": -2, "c": -3}, "failed", ""),
        (quorum(2), {"a": 3, "b": 1, "c": 2}, "completed", "bc"),
        (quorum(2), {"a": 3, "b": -1, "c": 2}, "completed", "abc"),
        (quorum(2), {"a": -1, "b": -2, "c": 3}, "failed", ""),
        (quorum(), {"a": 1, "b": 2, "c": 3}, "completed", "ab"),
        (BEST, {"a": 1, "b": -2, "c": -3}, "completed", "abc"),
        (BEST, {"a": -1, "b": -2, "c": -3}, "completed", "abc"),
    ],
)
@simulated
async def test_when_a_fan_out_is_done_and_what_it_comes_to(join, times, status, values):
    world = World(script(**times))
    result = await world.run(chain(fan(*[call(name) for name in times], name="g", join=join)))
    assert result.status == status
    if status == "completed":
        got = result.outputs["value"]
        assert "".join(got) == values
        failed = {name for name, value in got.items() if value.get("status") == "failed"}
        assert failed == {name for name in values if times[name] < 0}
    else:
        first = next(name for name, s in times.items() if s < 0)
        assert result.error.place.path == f"/g/{first}"
    await world.close()


@simulated
async def test_losers_are_stopped_and_the_winner_stays_the_winner_after_a_crash():
    world = World(script(a=5, b=1, c=9))
    graph = chain(fan(call("a"), call("b"), call("c"), name="g", join=FIRST), call("after"))
    run_id = await world.die_after("node.completed", "/g", graph)
    world.performer.troubles = {"/g/b": Trouble(seconds=100)}
    result = await world.resume(run_id)
    assert world.state(run_id).finished["/g"].value == {"b": {"response": "b"}}
    assert sum(world.performer.effects.values()) == 2
    assert result.status == "completed"
    await world.close()


@simulated
async def test_the_winner_is_durable_before_anything_follows_from_it():
    seen = []

    async def do(call, scope, context):
        seen.append([event.kind for event in context.events() if event.path == "/g"])
        return Done(1)

    world = World(Doing(do))
    await world.run(chain(fan(call("a"), name="g", join=FIRST), call("after")))
    assert seen[-1] == ["node.completed"]
    await world.close()


@pytest.mark.parametrize("join", [FIRST, quorum(2)])
@simulated
async def test_more_successes_than_there_are_children_is_a_clear_failure(join):
    world = World()
    result = await world.run(chain(Map(name="m", items="[]", body=call(""), join=join)))
    assert result.error.code == "input"
    assert "must succeed" in result.error.message
    result = await world.run(chain(Map(name="m", items="[1]", body=call(""), join=quorum(2))))
    assert result.error.code == "input"
    await world.close()


@simulated
async def test_an_empty_map_is_an_empty_list():
    world = World()
    for join in (Join(), BEST):
        result = await world.run(chain(Map(name="m", items="[]", body=call(""), join=join)))
        assert result.outputs["value"] == []
    await world.close()


@simulated
async def test_what_depends_on_a_failure_is_not_started_and_says_why():
    world = World(script(a=-1))
    graph = fan(call("a"), call("b"), call("c"), call("d"), name="g", deps={"b": ("a",), "c": ("b",)}, join=BEST)
    result = await world.run(chain(graph))
    assert sorted(world.performer.started) == ["/g/a", "/g/d"]
    assert "'a'" in result.outputs["value"]["b"]["error"]["message"]
    assert "'b'" in result.outputs["value"]["c"]["error"]["message"]
    await world.close()


@simulated
async def test_children_start_as_soon_as_what_they_depend_on_is_done():
    began = {}

    async def do(call, scope, context):
        began[call.name] = context.clock.monotonic()
        await asyncio.sleep({"a": 1, "b": 5}.get(call.name, 1))
        return Done(sorted(scope["t"]))

    world = World(Doing(do))
    graph = fan(*map(call, "abcd"), name="g", deps={"c": ("a",), "d": ("c", "b")}, into="t")
    result = await world.run(chain(graph))
    assert began == pytest.approx({"a": 0, "b": 0, "c": 1, "d": 5}, abs=0.01)
    assert result.outputs["value"] == {"a": [], "b": [], "c": ["a"], "d": ["a", "b", "c"]}
    await world.close()


@pytest.mark.parametrize(("window", "process", "most"), [(3, 100, 3), (None, 4, 4), (6, 4, 4)])
@simulated
async def test_no_more_calls_are_under_way_than_the_graph_and_the_process_allow(window, process, most):
    now, peak = 0, 0

    async def do(call, scope, context):
        nonlocal now, peak
        now += 1
        peak = max(peak, now)
        await asyncio.sleep(1)
        now -= 1
        return Done(1)

    world = World(Doing(do), concurrency=process)
    plan = as_plan(chain(Map(name="m", items=str(list(range(20))), body=call(""), max_parallel=window)))
    ids = [await world.engine.start(plan, {}) for _ in range(1 if window == 3 else 3)]
    results = await asyncio.gather(*map(world.engine.drive, ids))
    assert all(result.status == "completed" for result in results)
    assert peak == most
    await world.close()


@simulated
async def test_a_slot_is_given_back_by_failure_time_limit_and_cancellation():
    async def do(call, scope, context):
        if call.name == "fails":
            raise ValueError("no")
        if call.name == "hangs":
            await asyncio.sleep(1000)
        return Done("got one")

    world = World(Doing(do), concurrency=1)
    graph = fan(call("fails"), call("hangs", timeout_s=1), call("works"), name="g", join=BEST)
    result = await world.run(chain(graph))
    assert result.outputs["value"]["works"] == "got one"
    run = asyncio.ensure_future(world.run(chain(call("hangs"))))
    await asyncio.sleep(1)
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    assert (await world.run(chain(call("works")))).status == "completed"
    await world.close()


@simulated
async def test_a_map_names_its_children_by_key_and_refuses_a_key_twice():
    world = World()
    items = "[{'id': 'x/y'}, {'id': 'b]'}]"
    result = await world.run(chain(Map(name="m", items=items, body=call(""), key="item.id")))
    assert sorted(world.performer.started) == ["/m[b%5D]", "/m[x%2Fy]"]
    assert result.status == "completed"
    result = await world.run(chain(Map(name="m", items="[1, 1]", body=call(""), key="item")))
    assert result.error.code == "input"
    await world.close()


@simulated
@pytest.mark.slow
async def test_thousands_of_children_are_walked_in_a_bounded_window():
    peak = now = 0

    async def do(call, scope, context):
        nonlocal now, peak
        now += 1
        peak = max(peak, now)
        await asyncio.sleep(0.01)
        now -= 1
        return Done(1)

    world = World(Doing(do), concurrency=10_000)
    result = await world.run(chain(Map(name="m", items="items", body=call(""))), {"items": list(range(2_000))})
    assert len(result.outputs["value"]) == 2_000
    assert peak == 256
    await world.close()
