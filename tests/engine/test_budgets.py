"""Budgets: no request starts at or above a limit, and nobody forgets what is spent."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from tests.engine.world import Doing, World, as_plan, call, chain, fan, simulated
from weft.core.usage import Usage
from weft.engine.port import Done
from weft.plan.nodes import Block, Budget, Join, Loop, Map, Retry
from weft.testing.scripted import ScriptedPerformer, Trouble


def thinking(requests=1, *, tokens=10, cost="0.01", seconds=1.0):
    """A performer whose calls make requests one after the other; `begun` counts those that began."""
    begun = []

    async def request(context):
        begun.append(context.path)
        await asyncio.sleep(seconds)
        return Done("thought", Usage(requests=1, input_tokens=tokens, cost=Decimal(cost)))

    async def do(call, scope, context):
        for n in range(requests):
            await context.step(f"model[{n}]", request, type="model", spends=True)
        return Done(call.name)

    return Doing(do), begun


def within(budget, *children, name="spend"):
    return Block(name=name, body=chain(*children, name="body"), budget=budget)


@pytest.mark.parametrize(
    ("budget", "begun"),
    [
        (Budget(max_tokens=30), 3),
        (Budget(max_tokens=31), 4),
        (Budget(max_tokens=0), 0),
        (Budget(max_cost="0.03"), 3),
        (Budget(max_cost="0.025"), 3),
        (Budget(max_cost="0"), 0),
        (Budget(max_tokens=50, max_cost="0.02"), 2),
    ],
)
@simulated
async def test_no_request_starts_at_or_above_a_limit(budget, begun):
    performer, seen = thinking(requests=8)
    world = World(performer)
    result = await world.run(chain(within(budget, call("a"))))
    assert result.error.code == "budget"
    assert len(seen) == begun
    assert result.usage.tokens == 10 * begun
    assert result.error.fix
    await world.close()


@simulated
async def test_what_is_overshot_is_at_most_what_was_in_flight():
    spent, spent_at_start = 0, []

    async def request(context):
        nonlocal spent
        spent_at_start.append(spent)
        await asyncio.sleep(1)
        spent += 10
        return Done("thought", Usage(requests=1, input_tokens=10))

    async def do(call, scope, context):
        for n in range(3):
            await context.step(f"model[{n}]", request, type="model", spends=True)
        return Done(call.name)

    world = World(Doing(do), concurrency=4)
    graph = fan(*[call(f"c{n}") for n in range(10)], name="g", join=Join(policy="best_effort"))
    result = await world.run(chain(Block(name="spend", body=graph, budget=Budget(max_tokens=25))))
    assert max(spent_at_start) < 25
    assert 25 <= result.usage.tokens == spent <= 25 + 4 * 10
    await world.close()


@simulated
async def test_steps_count_calls_that_began_and_one_that_is_tried_again_counts_once():
    world = World(ScriptedPerformer({"/spend/body/a": Trouble(transient=2)}))
    retry = Retry(attempts=3, wait_min=0, wait_max=0)
    plan = within(Budget(max_steps=2), call("a", retry=retry), call("b"), call("c"))
    result = await world.run(chain(plan))
    assert result.error.ids["limit"] == "max_steps"
    assert result.error.place.path == "/spend/body/c"
    assert world.performer.started == {"/spend/body/a": 3, "/spend/body/b": 1}
    await world.close()


@simulated
async def test_each_limit_warns_once_at_its_share():
    performer, _ = thinking(requests=10)
    world = World(performer)
    plan = chain(
        within(Budget(max_tokens=1000, max_cost="0.1"), call("a")),
        within(Budget(max_tokens=1000), call("b"), name="two"),
    )
    result = await world.run(plan)
    assert result.status == "completed"
    assert world.data(result.run_id, "budget.warning") == [{"limit": "max_cost_usd", "used": "0.08", "of": "0.1"}]
    events = [e.path for e in world.journal.events(result.run_id) if e.kind in ("step.completed", "budget.warning")]
    assert events.index("/spend") == events.index("/spend/body/a/model[7]") + 1
    await world.close()


@simulated
async def test_a_warning_is_not_repeated_after_a_crash():
    performer, _ = thinking(requests=10)
    world = World(performer)
    run_id = await world.die_after(
        "step.completed", "/spend/body/a/model[8]", chain(within(Budget(max_cost="0.1"), call("a")))
    )
    await world.resume(run_id)
    assert len(world.data(run_id, "budget.warning")) == 1
    await world.close()


@pytest.mark.parametrize("budget", [Budget(max_tokens=30), Budget(max_cost="0.03")])
@pytest.mark.parametrize("crash", [0, 1, 2])
@simulated
async def test_what_was_spent_before_a_crash_counts_after_it(budget, crash):
    performer, begun = thinking(requests=8)
    world = World(performer)
    run_id = await world.die_after("step.completed", f"/spend/body/a/model[{crash}]", chain(within(budget, call("a"))))
    result = await world.resume(run_id)
    assert result.error.code == "budget"
    assert len(begun) == 3
    assert result.usage.tokens == 30
    await world.close()


@simulated
async def test_a_budget_knows_what_composites_that_are_finished_have_spent():
    performer, begun = thinking(requests=1)
    world = World(performer)
    first = chain(call("a"), call("b"), name="first")
    run_id = await world.die_after(
        "node.completed",
        "/spend/body/first",
        chain(within(Budget(max_tokens=30, max_steps=3), first, call("c"), call("d"))),
    )
    result = await world.resume(run_id)
    assert result.error.code == "budget"
    assert begun[-1] == "/spend/body/c/model[0]"
    await world.close()


@simulated
async def test_nested_budgets_each_bind_and_the_outer_counts_what_the_inner_spends():
    performer, begun = thinking(requests=1)
    world = World(performer)
    inner = [within(Budget(max_tokens=20), call("a"), call("b"), call("c"), name=f"inner{n}") for n in range(3)]
    graph = fan(*inner, name="g", join=Join(policy="best_effort"), max_parallel=1)
    result = await world.run(chain(Block(name="outer", body=graph, budget=Budget(max_tokens=50))))
    assert result.status == "completed"
    assert len(begun) == 5
    refused = [e.path for e in world.journal.events(result.run_id) if e.kind == "step.failed" and "model" in e.path]
    assert [path.rsplit("/", 2)[0] for path in refused] == [
        "/outer/g/inner0/body",
        "/outer/g/inner1/body",
        "/outer/g/inner2/body",
    ]
    await world.close()


@simulated
async def test_what_an_inner_budget_refuses_does_not_count_against_the_outer():
    world = World()
    inner = within(Budget(max_steps=1), call("a"), call("b"), name="inner")
    graph = fan(inner, call("c"), name="g", join=Join(policy="best_effort"), max_parallel=1)
    result = await world.run(chain(Block(name="outer", body=graph, budget=Budget(max_steps=2))))
    assert result.outputs["value"]["c"] == {"response": "c"}
    await world.close()


@simulated
async def test_a_reopened_run_gets_no_more_steps_than_before():
    world = World()
    graph = fan(*[call(f"c{n}") for n in range(5)], name="g", join=Join(policy="quorum", quorum=4))
    result = await world.run(chain(Block(name="spend", body=graph, budget=Budget(max_steps=3))))
    assert result.error.code == "budget"
    again = await world.resume(result.run_id, reopen=True)
    assert again.error.code == "budget"
    assert len(world.performer.started) == 3
    await world.close()


@simulated
async def test_the_usage_of_a_run_is_the_sum_of_its_steps_also_in_its_row_and_after_a_crash():
    performer, _ = thinking(requests=3)
    world = World(performer)
    run_id = await world.die_after("step.completed", "/a/model[1]", chain(call("a"), call("b")))
    assert world.journal.runs.get(run_id).usage.requests == 2
    result = await world.resume(run_id)
    assert result.usage == world.journal.runs.get(run_id).usage == world.state(run_id).total()
    assert result.usage == Usage(requests=6, input_tokens=60, cost=Decimal("0.06"))
    await world.close()


@pytest.mark.parametrize("order", [(20, 50), (50, 20)])
@simulated
async def test_blocks_directly_inside_each_other_each_hold_their_own_limit(order):
    performer, seen = thinking(requests=8)
    world = World(performer)
    outer, inner = (Budget(max_tokens=limit) for limit in order)
    body = Block(name="", body=chain(call("a")), budget=inner)
    result = await world.run(Block(name="", body=body, budget=outer))
    assert (result.error.code, len(seen)) == ("budget", 2)
    await world.close()


@pytest.mark.parametrize("name", ["", "b"])
@pytest.mark.parametrize(
    "body",
    [
        Map(name="", items="[0, 1, 2, 3, 4]", body=call("a"), max_parallel=1),
        Loop(name="", body=call("a"), until="false", max_iterations=5),
    ],
    ids=["map", "loop"],
)
@simulated
async def test_a_budget_counts_what_stands_in_it_without_a_name_of_its_own(name, body):
    performer, begun = thinking()
    world = World(performer)
    block = Block(name=name, body=body, budget=Budget(max_tokens=30))
    run_id = await world.engine.start(as_plan(chain(block) if name else block), {})
    driving = asyncio.ensure_future(world.engine.drive(run_id))
    await asyncio.sleep(1.5)
    driving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await driving
    # What was spent before counts as well.
    result = await world.resume(run_id)
    assert (result.error.code, world.state(run_id).total().tokens) == ("budget", 30)
    assert len(set(begun)) == 3
    await world.close()
