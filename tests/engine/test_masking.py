"""Secrets that are known are not written: neither where a step's input is shown nor in what its error says."""

from __future__ import annotations

import pytest

from tests.engine.world import Doing, World, call, simulated
from weft.core.errors import ToolError, TransientError
from weft.core.masking import MASK, KnownValues
from weft.engine.port import Done
from weft.plan.nodes import Retry

SECRET = "correct-horse-battery"


async def masked_world(do) -> World:
    world = World(Doing(do))
    world.engine = world.new_engine(mask=lambda _run, _path, value: KnownValues([SECRET]).json(value))
    return world


@pytest.mark.parametrize("effect", ["pure", "idempotent", "once"])
@simulated
async def test_inputs_and_notes_are_written_without_them_and_the_step_still_gets_them(effect):
    seen = []

    async def do(_, __, context):
        context.note("step.input", {"arguments": {"key": SECRET}})

        async def body(_):
            seen.append(SECRET)
            return Done("ok")

        given = {"arguments": {"header": f"Bearer {SECRET}"}}
        return Done(await context.step("inner", body, type="tool", effect=effect, input=given))

    world = await masked_world(do)
    result = await world.run(call("outer"))
    assert (result.status, seen) == ("completed", [SECRET])
    written = [event.as_json() for event in world.journal.events(result.run_id)]
    assert SECRET not in str(written)
    assert str(written).count(MASK) == 2
    await world.close()


@simulated
async def test_errors_are_written_without_them_also_between_attempts():
    errors = [TransientError(f"not now, {SECRET}"), ToolError(f"refused {SECRET}", fix=f"replace {SECRET}")]

    async def do(*_):
        raise errors.pop(0)

    world = await masked_world(do)
    result = await world.run(call("one", retry=Retry(attempts=3)))
    assert result.status == "failed"
    assert result.error.message == f"refused {MASK}"
    kinds = {event.kind for event in world.journal.events(result.run_id)}
    assert {"step.retrying", "step.failed", "run.failed"} <= kinds
    assert SECRET not in str([event.as_json() for event in world.journal.events(result.run_id)])
    await world.close()
