"""Groups of agents die at every append, are cancelled anywhere and run out of budget: nothing is asked twice that is recorded."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from tests.engine.world import World as Place
from tests.engine.world import simulated
from tests.faults.group_workflows import PATTERNS, plan_of
from weft.agents.swarm.performer import SwarmPerformer
from weft.engine.local import Engine
from weft.plan.nodes import Budget
from weft.plan.scope import initial_scope
from weft.testing.failpoints import Crash, CrashingWriter, bury
from weft.testing.simulation import SimulatedClock
from weft.testing.simulator.actors import SimulatedAgents, World
from weft.testing.simulator.faults import Faults

LONG = {"vote", "gossip", "consensus"}


class Group(Place):
    """A small world with scripted agents."""

    def __init__(self) -> None:
        self.outside = World(5, Faults(latency=(0.1, 1.0)))
        super().__init__(seed=5)

    def new_engine(self, **settings):
        performers = {"agent": SimulatedAgents(self.outside), "swarm": SwarmPerformer()}
        return Engine(self.journal, performers, clock=SimulatedClock(), new_id=self.entropy.new_id)

    def asked(self, run_id):
        """How often each recorded request was made."""
        recorded = self.state(run_id).outcomes
        return {path: self.outside._tries[path] for path in recorded if path in self.outside._tries}


async def begin(name, budget=None, at_once=5):
    group = Group()
    plan = plan_of(name, at_once)
    if budget is not None:
        plan = replace(plan, root=replace(plan.root, budget=budget))
    return group, await group.engine.start(plan, initial_scope(plan, {}))


async def whole_run(name):
    group, run_id = await begin(name)
    group.journal.writer = writer = CrashingWriter(group.journal, at=0, when="before")
    result = await group.engine.drive(run_id)
    assert result.status == "completed", result.error
    assert set(group.asked(run_id).values()) == {1}
    await group.close()
    return result.outputs, writer.appends


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in LONG else ()) for name in PATTERNS]
)
@simulated
async def test_death_at_every_append_changes_nothing(name, when):
    outputs, appends = await whole_run(name)
    assert appends >= 3
    for at in range(1, appends + 1):
        group, run_id = await begin(name)
        group.journal.writer = CrashingWriter(group.journal, at=at, when=when)
        with pytest.raises(Crash):
            await group.engine.drive(run_id)
        bury(group.engine, group.journal)
        before = group.asked(run_id)
        if not group.journal.runs.get(run_id).ended:
            result = await group.resume(run_id)
            assert result.outputs == outputs
            await group.engine.close()
        assert group.state(run_id).outputs == outputs
        assert {path: group.outside._tries[path] for path in before} == before, "what was recorded is not asked again"
        assert group.journal.verify(run_id).intact
        group.journal.close()


@pytest.mark.parametrize("name", PATTERNS)
@simulated
@pytest.mark.slow
async def test_a_cancelled_group_stops_and_can_go_on(name):
    outputs, _ = await whole_run(name)
    requests = 1
    while True:
        group, run_id = await begin(name)

        async def cancel_after(group=group, run_id=run_id, limit=requests):
            while group.outside.requests < limit:
                await SimulatedClock().sleep(0.05)
            await group.engine.cancel(run_id)

        watcher = asyncio.ensure_future(cancel_after())
        result = await group.engine.drive(run_id)
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)
        if result.status == "completed":
            await group.close()
            break
        assert result.status == "cancelled"
        made = group.outside.requests
        await SimulatedClock().sleep(60)
        assert group.outside.requests == made, "nothing goes on after the cancel"
        again = await group.engine.drive(run_id, reopen=True)
        assert (again.status, again.outputs) == ("completed", outputs)
        await group.close()
        requests += 2
    assert requests > 1


@pytest.mark.parametrize("limit", [{"max_steps": 1}, {"max_tokens": 5}])
@pytest.mark.parametrize("name", PATTERNS)
@simulated
async def test_a_budget_stops_every_group_with_its_own_error(name, limit):
    group, run_id = await begin(name, Budget(**limit), at_once=1)
    result = await group.engine.drive(run_id)
    assert result.status == "failed"
    assert result.error.code == "budget"
    await group.close()


@simulated
async def test_computations_are_no_steps_of_a_budget():
    group, run_id = await begin("vote", Budget(max_steps=4))
    result = await group.engine.drive(run_id)
    assert result.status == "completed", result.error
    kinds = Counter(event.data.get("call") for event in group.journal.events(run_id) if event.kind == "step.completed")
    assert set(kinds) == {"agent", None}
    await group.close()
