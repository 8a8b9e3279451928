"""Every pattern when things go wrong: budgets that run out inside, and a crash at every append."""

from __future__ import annotations

import asyncio

import pytest

from tests.agents.cast import Cast, stage
from tests.agents.test_evaluator import LOOP, score
from tests.agents.test_graph import CYCLE, DIAMOND
from tests.agents.test_orchestrator import PLAIN, REDUCE, echo, tasks
from tests.agents.test_routing import DESK
from weft.testing.failpoints import Crash, CrashingWriter, bury

ROUTED = (
    DESK,
    "router seller fixer",
    lambda: Cast(router=["hm", '{"route": "tech"}'], fixer=lambda r: f"<{r.prompt}>"),
)
EVALUATED = (LOOP, "writer critic", lambda: Cast(writer=revised, critic=judged))
ORCHESTRATED = (PLAIN + REDUCE, "lead hand editor", lambda: Cast(lead=split, hand=echo, editor="edited"))
WALKED = (CYCLE, "a b c", lambda: Cast(a=lambda r: f"<{r.prompt}>", b=checked, c=lambda r: r.prompt))
JOINED = (DIAMOND, "a b c", lambda: Cast(a="A", b=lambda r: f"<{r.prompt}>", c=lambda r: r.prompt))
PATTERNS = {"routing": ROUTED, "evaluator": EVALUATED, "orchestrator": ORCHESTRATED, "cycle": WALKED, "join": JOINED}


def revised(request):
    return "better" if "Revise" in request.prompt else "first"


def judged(request):
    return score(90) if "better" in request.prompt else score(10, "dull")


def split(request):
    return "[]" if "Done so far" in request.prompt else tasks("a", "b", "c")


def checked(request):
    return "fine" if "Draft 1" in request.prompt else "meh"


@pytest.mark.parametrize("name", PATTERNS)
@pytest.mark.slow
async def test_a_budget_that_runs_out_inside_a_pattern_ends_the_run_and_nothing_more_is_asked(tmp_path, name):
    pattern, agents, cast = PATTERNS[name]
    limited = ", budgets: {max_tokens: 1}"
    async with stage(tmp_path, cast(), pattern, agents, runtime=limited) as s:
        result = await s.run()
        asked = sum(map(len, s.cast.heard.values()))
    assert (result.status, result.error.code) == ("failed", "budget")
    assert asked == 1


@pytest.mark.parametrize("name", PATTERNS)
async def test_max_steps_counts_the_calls_of_a_pattern(tmp_path, name):
    pattern, agents, cast = PATTERNS[name]
    async with stage(tmp_path, cast(), pattern, agents, runtime=", budgets: {max_steps: 1}") as s:
        result = await s.run()
    assert (result.status, result.error.code) == ("failed", "budget")


async def crashed(folder, name, at, when):
    """What a run ends with that dies at its `at`-th append and is resumed, and whether it got that far."""
    pattern, agents, cast = PATTERNS[name]
    async with stage(folder, cast(), pattern, agents) as s:
        s.studio.journal.writer = writer = CrashingWriter(s.studio.journal, at=at, when=when)
        result = None
        try:
            result = await s.run()
        except Crash:
            bury(s.studio.engine, s.studio.journal)
        runs = s.studio.journal.runs.list()
        if result is None and runs and not runs[0].ended:
            engine = s.studio.new_engine()
            result = await asyncio.wait_for(engine.drive(runs[0].id), 60)
            await engine.close()
            assert s.studio.journal.verify(runs[0].id).intact
        return (result.outputs["response"] if result else None), writer.fired


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", PATTERNS)
async def test_a_crash_at_any_append_changes_nothing_about_the_result(tmp_path, name, when):
    expected, fired = await crashed(tmp_path / "whole", name, 10_000, when)
    assert expected and not fired
    found = []
    for at in range(1, 400):
        response, fired = await crashed(tmp_path / str(at), name, at, when)
        if not fired:
            break
        found.append(response)
    assert len(found) > 3
    assert set(found) <= {expected, None}
    assert found.count(None) <= 2, "only a run that was never begun may have no result"
