"""Notes ride along with the run's next append, and never become an append of nothing."""

import pytest

from tests.engine.world import Doing, World
from weft.engine.port import Done
from weft.plan.nodes import Call, Graph
from weft.testing.simulation import simulate

# Just before, at, and after the moments at which a note that has found no company goes alone.
PAUSES = [0.049, 0.05, 0.0500001, 0.1, 0.149, 0.15, 0.2]


@pytest.mark.parametrize("seed", range(8))
def test_no_append_is_empty_however_notes_and_ends_fall_together(seed):
    simulate(notes_and_ends, seed=seed)


async def notes_and_ends():
    async def work(call, scope, context):
        context.note("test.said", {"n": 1})
        await context.clock.sleep(float(call.target))
        return Done(call.target)

    world = World(Doing(work))
    appended = []
    submit = world.journal.writer.submit

    def watched(piece):
        appended.append(len(piece.drafts) if hasattr(piece, "drafts") else 1)
        return submit(piece)

    world.journal.writer.submit = watched
    calls = tuple(Call(name=f"n{place}", performer="tool", target=str(pause)) for place, pause in enumerate(PAUSES))
    result = await world.run(Graph(name="all", children=calls))
    assert result.status == "completed"
    assert appended
    assert 0 not in appended
    kinds = [event.kind for event in world.journal.events(result.run_id)]
    assert kinds.count("test.said") == len(PAUSES)
