"""Budgets run out inside every sample, of each kind: the run ends with that error in its place, and not much later."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest

from tests.patterns.playing import PRICE, Played, World, prove
from tests.patterns.samples import ALL, plan_of
from tests.patterns.test_samples_die import whole
from weft.testing.simulation import simulate

pytestmark = pytest.mark.slow

SIDE_BY_SIDE = 4
"""Requests that samples make at once, at most."""


def starved(name: str, limit: str, value: object) -> Played:
    async def main() -> Played:
        world = World()
        run_id = await world.begin(plan_of(ALL[name], f"budgets: {{{limit}: {value}}}"), name)
        result = await world.to_its_end(run_id)
        played = world.told(run_id, result)
        if result.status == "completed":
            await world.close()
            return played
        assert (result.status, result.error.code, result.error.ids["limit"]) == ("failed", "budget", limit)
        world.check(run_id)
        assert all(run.ended for run in world.family(run_id))
        if limit != "max_duration_s":
            assert result.error.place.path.startswith("/")
            # What was spent stays spent: opened again it fails in the same way, and asks for nothing.
            before = sum(world.outside.touched.values())
            again = await world.to_its_end(run_id, reopen=True)
            if limit != "max_steps":
                assert (again.status, again.error.code) == ("failed", "budget")
                assert sum(world.outside.touched.values()) == before
        else:
            # A limit of time begins anew, so that each life comes further.
            for _ in range(3 if name in ENDLESS else 40):
                result = await world.to_its_end(run_id, reopen=True)
                if result.status == "completed":
                    break
            assert world.state(run_id).outputs is not None or name in ENDLESS
        played = world.told(run_id, result)
        await world.close()
        return played

    found = simulate(main)
    prove(found)
    return found


ENDLESS = {
    "chain",
    "state_machine",
    "behavior_tree",
    "saga",
    "saga in saga",
    "sagas side by side",
    "map in graph in saga",
    "saga in child in map",
}
"""One step in there takes longer than the shortest limit, or what was done is undone each time."""


def check(name: str, draw: random.Random) -> None:
    expected = whole(name)
    spent = expected.spent
    calls = sum(
        1
        for told in expected.family[:1]
        for event in told.events
        if event.data.get("call") and "$undo" not in event.path
    )
    if spent.tokens:
        limit = draw.randrange(1, spent.tokens + 1)
        found = starved(name, "max_tokens", limit)
        most = max(
            event.data["usage"].get("output_tokens", 0) + event.data["usage"].get("input_tokens", 0)
            for told in expected.family
            for event in told.events
            if "usage" in event.data and event.data.get("type") != "child"
        )
        assert found.spent.tokens < limit + SIDE_BY_SIDE * most
        money = draw.randrange(1, spent.requests + 1)
        found = starved(name, "max_cost_usd", money * PRICE)
        assert found.spent.cost < Decimal(money + SIDE_BY_SIDE) * PRICE
    if calls > 1:
        found = starved(name, "max_steps", draw.randrange(1, calls))
        assert found.result is not None


@pytest.mark.parametrize("name", ALL)
def test_a_budget_that_runs_out_somewhere_ends_a_sample(name):
    check(name, random.Random(name))
    starved(name, "max_duration_s", 2)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ALL)
def test_a_budget_that_runs_out_anywhere_ends_a_sample(name, seed):
    check(name, random.Random(f"{name}/{seed}"))
