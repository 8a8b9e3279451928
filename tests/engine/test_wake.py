"""No run can be stuck: every open run has a wake source, and following it moves the run on until it has ended."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.plans import Case, cases
from tests.engine.world import World, as_plan, call, chain, fan, simulated
from tests.examples import examples
from weft.engine.why import wake_sources
from weft.plan.nodes import Block, Call, Choose, Graph, Loop, Map, Node, Plan, Retry, Sequence, Wait
from weft.testing.failpoints import Crash, CrashingWriter, bury
from weft.testing.scripted import ScriptedPerformer, Trouble
from weft.testing.simulation import simulate

MOST = 60
"""So many times a run may be woken before we call it stuck."""


def with_once(node: Node, draw) -> Node:
    """The same plan with some of its calls made such that only a person can say whether they happened."""
    if isinstance(node, Call):
        return replace(node, effect="once") if draw(st.integers(0, 2)) == 0 else node
    if isinstance(node, (Sequence, Graph)):
        return replace(node, children=tuple(with_once(child, draw) for child in node.children))
    if isinstance(node, (Loop, Map, Block)):
        return replace(node, body=with_once(node.body, draw))
    if isinstance(node, Choose):
        arms = tuple(replace(branch, node=with_once(branch.node, draw)) for branch in node.branches)
        return replace(node, branches=arms, otherwise=with_once(node.otherwise, draw) if node.otherwise else None)
    return node


@settings(max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck))
@given(cases(), st.data(), st.integers(0, 2**16))
def test_every_open_run_has_a_wake_source_that_moves_it_on(case: Case, data, seed: int) -> None:
    plan = Plan(workflow="random", root=with_once(case.plan.root, data.draw))

    async def main():
        world = World(ScriptedPerformer(case.troubles))
        run_id = await world.engine.start(plan, {})
        for _ in range(MOST):
            run = world.journal.runs.get(run_id)
            sources = wake_sources(run, world.state(run_id))
            if run.ended:
                assert sources == []
                break
            assert sources
            assert all(source.text for source in sources)
            await follow(world, run_id, sources, data.draw)
        else:
            raise AssertionError(f"stuck: {sources}")
        assert world.journal.verify(run_id).intact
        await world.engine.close()
        world.journal.close()

    simulate(main, seed=seed)


async def follow(world, run_id, sources, draw):
    doubts = [source for source in sources if source.kind == "doubt"]
    if doubts:
        assert all(source.path in source.fix for source in doubts)
        await world.engine.settle(run_id, doubts[0].path, did=draw(st.booleans()))
        return
    writer = world.journal.writer
    if draw(st.integers(0, 3)):
        world.journal.writer = CrashingWriter(
            world.journal, at=draw(st.integers(1, 12)), when=draw(st.sampled_from(["before", "after"]))
        )
    world.engine.forsake()
    world.engine = world.new_engine()
    try:
        await world.engine.drive(run_id)
    except Crash:
        bury(world.engine, world.journal)
        world.engine = world.new_engine()
    world.journal.writer = writer


@simulated
async def test_why_says_what_a_driven_run_does_now():
    slow = ScriptedPerformer({"/g/slow": Trouble(seconds=100), "/g/again": Trouble(transient=1)})
    world = World(slow)
    again = call("again", retry=Retry(attempts=2, wait_min=50, wait_max=50))
    plan = as_plan(
        chain(Block(name="", timeout_s=500, body=fan(call("slow"), again, Wait(name="w", seconds="70"), name="g")))
    )
    run_id = await world.engine.start(plan, {})
    task = asyncio.ensure_future(world.engine.drive(run_id))
    await asyncio.sleep(1)
    sources = wake_sources(world.journal.runs.get(run_id), world.state(run_id))
    assert {(source.kind, source.path) for source in sources} == {
        ("step", "/g/slow"),
        ("retry", "/g/again"),
        ("timer", "/g/w"),
    }
    assert all(source.due for source in sources if source.kind != "step")
    assert all(source.as_json()["text"] for source in sources)
    await task
    await world.close()


@simulated
async def test_why_tells_that_nobody_drives():
    world = World()
    run_id = await world.engine.start(as_plan(chain(call("a"))), {}, queued=True)
    (source,) = wake_sources(world.journal.runs.get(run_id), world.state(run_id))
    assert source.kind == "driver"
    assert f"weft resume {run_id}" in source.fix
    await world.close()
