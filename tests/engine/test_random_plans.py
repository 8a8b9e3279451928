"""Random plans with random failures behave as a simple reference model says, whatever the order of tasks and wherever the
process dies."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.plans import FAILED, Case, cases, expected, tolerated
from tests.engine.world import World
from tests.examples import examples
from weft.testing.failpoints import Crash, CrashingWriter, bury
from weft.testing.scripted import ScriptedPerformer
from weft.testing.simulation import simulate

RELAXED = settings(max_examples=examples(150), deadline=None, suppress_health_check=list(HealthCheck))


def check_result(case: Case, result) -> None:
    want = expected(case.plan.root, "", case.troubles)
    if want is FAILED:
        assert result.status == "failed"
    else:
        assert result.status == "completed", result.error
        if not tolerated(want):
            assert result.outputs["value"] == want


@RELAXED
@given(cases(), st.integers(0, 2**16))
@pytest.mark.slow
def test_a_run_ends_as_the_reference_model_says(case: Case, seed: int) -> None:
    async def main():
        world = World(ScriptedPerformer(case.troubles))
        result = await world.run(case.plan)
        assert world.journal.verify(result.run_id).intact
        await world.close()
        return result

    check_result(case, simulate(main, seed=seed))


@RELAXED
@given(cases(), st.integers(0, 2**16))
@pytest.mark.slow
def test_the_order_of_ready_tasks_changes_no_outcome(case: Case, seed: int) -> None:
    def facts(order: int | None):
        async def main():
            world = World(ScriptedPerformer(case.troubles))
            result = await world.run(case.plan)
            steps = {
                (event.kind, event.path, repr(event.data))
                for event in world.journal.events(result.run_id)
                if event.kind in {"step.completed", "step.failed", "node.completed", "run.completed"}
            }
            await world.close()
            return result.status, steps

        return simulate(main, seed=order)

    status, steps = facts(None)
    other_status, other_steps = facts(seed)
    assert other_status == status
    # Where a failure is tolerated, how far its siblings came before they were stopped is a matter of order.
    if status == "completed" and not any(trouble.fatal for trouble in case.troubles.values()):
        assert other_steps == steps


@RELAXED
@given(cases(), st.integers(0, 2**16))
@pytest.mark.slow
def test_the_same_seed_gives_the_same_journal_byte_for_byte(case: Case, seed: int) -> None:
    def history():
        async def main():
            world = World(ScriptedPerformer(case.troubles), seed=7)
            result = await world.run(case.plan)
            events = world.journal.events(result.run_id)
            await world.close()
            return events

        return simulate(main, seed=seed)

    assert history() == history()


@RELAXED
@given(cases(), st.integers(1, 40), st.sampled_from(["before", "after"]), st.integers(0, 2**16))
@pytest.mark.slow
def test_a_crash_anywhere_changes_no_result_and_repeats_no_recorded_effect(
    case: Case, at: int, when: str, seed: int
) -> None:
    async def main():
        world = World(ScriptedPerformer(case.troubles))
        world.journal.writer = writer = CrashingWriter(world.journal, at=at, when=when)
        run_id = None
        try:
            run_id = await world.engine.start(case.plan, {})
            result = await world.engine.drive(run_id)
        except Crash:
            result = None
        bury(world.engine, world.journal)
        if result is None:
            runs = world.journal.runs.list()
            if not runs:
                assert at == 1
                world.journal.close()
                return None
            run_id = runs[0].id
            before = {event.path for event in world.journal.events(run_id) if event.kind == "step.completed"}
            counted = dict(world.performer.started)
            engine = world.new_engine()
            if not runs[0].ended:
                result = await engine.drive(run_id)
                for path in before:
                    assert world.performer.started[path] == counted.get(path, 0), "a recorded step was performed again"
            await engine.close()
        assert world.journal.verify(run_id).intact
        assert writer.fired or result is not None
        world.journal.close()
        return result

    result = simulate(main, seed=seed)
    if result is not None:
        # A transient failure that a crash cut off may be met again, so only the kind of end is compared when there are any.
        troubled = any(trouble.transient for trouble in case.troubles.values())
        if not troubled:
            check_result(case, result)
