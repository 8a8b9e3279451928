"""Workflow functions in several lives: crashes, other code, other turns, cancelling, reopening, forks."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.engine.world import simulated
from tests.faults.test_crash_everywhere import Doomed, Mortal
from tests.python.looms import Loom, Reading, _text
from tests.python.test_workflow_functions import TOOLS, replays
from weft.core.clock import SystemClock
from weft.core.errors import MismatchError
from weft.core.ids import path_key
from weft.engine.fork import Forks
from weft.engine.questions import Answer
from weft.testing.failpoints import Crash, bury
from weft.testing.scripted import Trouble

pytestmark = pytest.mark.slow

BRANCHES = (
    TOOLS
    + """
@weft.tool(effect="once")
async def pay(name: str) -> str:
    \"\"\"Pay.\"\"\"

@weft.tool(effect="pure")
async def look(name: str) -> str:
    \"\"\"Look.\"\"\"

@weft.tool(effect="reconcile", reconcile=lambda key: None)
async def book(name: str) -> str:
    \"\"\"Book.\"\"\"

async def one(name):
    found = await look(await fetch(name))
    return await book(found)

@weft.workflow(failure_policy={"retries": 0})
async def flow():
    first = await fetch("first")
    pair = await asyncio.gather(one("a"), one("b"))
    try:
        await broken("x")
    except weft.ToolError:
        saved = await store("saved")
    await weft.sleep(5)
    at = await weft.now()
    tasks = [asyncio.create_task(fetch(name)) for name in ("slow", "quick")]
    done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()
    paid = await pay("it")
    draw = await weft.random()
    last = await store("yes" if draw < 2 else "no")
    return [first, pair, saved, at.year, len(done), last]
"""
)
TROUBLES = {
    "/one[0]/fetch[0]": Trouble(seconds=2),
    "/broken[0]": Trouble(fatal=True),
    "/fetch[1]": Trouble(seconds=9),
    "/fetch[2]": Trouble(seconds=1),
}


def mortal(**how) -> Mortal:
    def act(call, scope, context):
        return None if call.effect == "once" else {"response": f"{call.target}({_text(scope)})"}

    return Mortal(TROUBLES, act=act, **how)


async def whole_run(folder: Path):
    world = Loom(folder, BRANCHES, mortal())
    writer = world.journal.writer = Doomed(world.journal)
    result = await world.call()
    assert result.status == "completed", result.error
    replays(world, result.run_id)
    await world.engine.close()
    world.journal.close()
    return result.outputs["value"], writer.appends, world.performer.passed


async def finish(world: Loom, run_id: str):
    for _ in range(20):
        if world.journal.runs.get(run_id).ended:
            return
        result = await world.resume(run_id)
        for wait in result.waits:
            happened = world.performer.effects[path_key(run_id, wait["path"])] > 0
            await world.engine.settle(run_id, wait["path"], did=happened)
        await world.engine.close()
    raise AssertionError("the run never ends")


async def die_and_finish(folder: Path, value, *, at=0, when="before", boundary=0):
    world = Loom(folder, BRANCHES, mortal(boundary=boundary))
    writer = world.journal.writer = world.performer.writer = Doomed(world.journal, at=at, when=when)
    try:
        await world.call()
    except Crash:
        pass
    assert writer.fired
    bury(world.engine, world.journal)
    runs = [run for run in world.journal.runs.list() if run.parent is None]
    if not runs:
        assert (at, when) == (1, "before")
        world.journal.close()
        return
    run_id = runs[0].id
    await finish(world, run_id)
    state = world.state(run_id)
    assert state.status == "completed", state.error
    assert state.outputs["value"] == value
    assert world.journal.verify(run_id).intact
    for key, times in world.performer.effects.items():
        allowed = 1 if world.performer.classes[key] in {"reconcile", "once"} else 2
        assert times <= allowed, f"{world.performer.paths[key]} happened {times} times"
    ends = Counter(e.path for e in world.journal.events(run_id) if e.kind in {"step.completed", "step.failed"})
    assert set(ends.values()) == {1}
    replays(world, run_id)
    world.journal.close()


@pytest.mark.parametrize("when", ["before", "after"])
@simulated
async def test_death_at_every_append_changes_nothing(tmp_path, when):
    value, appends, _ = await whole_run(tmp_path)
    assert appends >= 12
    for at in range(1, appends + 1):
        await die_and_finish(tmp_path, value, at=at, when=when)


@simulated
async def test_death_at_every_effect_boundary_changes_nothing(tmp_path):
    value, _, boundaries = await whole_run(tmp_path)
    assert boundaries >= 10
    for boundary in range(1, boundaries + 1):
        await die_and_finish(tmp_path, value, boundary=boundary)


@simulated
async def test_death_in_the_middle_changes_nothing(tmp_path):
    value, appends, _ = await whole_run(tmp_path)
    await die_and_finish(tmp_path, value, at=appends // 2, when="after")


GATED = (
    TOOLS
    + """
def told(text):
    return f"told {text}"

@weft.workflow
async def flow(topic: str = "a"):
    first = await fetch(topic)
    decision = await weft.gate("Go on?", choices=["yes", "no"])
    return [told(first), decision.choice, await store(first)]
"""
)


async def waiting(folder: Path, source: str = GATED, **inputs):
    world = Loom(folder, source, Reading())
    result = await world.call(**({"topic": "a"} | inputs))
    assert result.status == "waiting", result.error
    await world.engine.decide(result.run_id, None, Answer(by="me", response="yes"))
    await world.engine.close()
    return world, result.run_id


@simulated
async def test_a_gate_survives_the_process(tmp_path):
    world, run_id = await waiting(tmp_path)
    result = await world.resume(run_id)
    assert result.outputs["value"] == ["told fetch(a)", "yes", "store(fetch(a))"], result.error
    assert world.performer.started["/fetch[0]"] == 1
    replays(world, run_id)


@simulated
async def test_other_code_stalls_the_run_with_a_report_and_performs_nothing(tmp_path):
    world, run_id = await waiting(tmp_path)
    world.write(GATED.replace("await fetch(topic)", 'await fetch(topic + "!")'))
    before = Counter(world.performer.started)
    result = await world.resume(run_id)
    assert result.status == "stalled"
    assert isinstance(result.error, MismatchError)
    assert "flow.py:flow has changed" in result.error.message
    assert "the first step that differs is /fetch[0] (tool fetch)" in result.error.message
    assert result.error.ids["started_with"] != result.error.ids["now"]
    assert result.error.ids["started_with"][:12] in result.error.fix
    assert world.performer.started == before
    await world.engine.close()
    world.write(GATED)
    assert (await world.resume(run_id)).status == "completed"


@simulated
async def test_code_that_the_function_uses_counts_and_comments_do_not(tmp_path):
    world, run_id = await waiting(tmp_path)
    world.write(GATED.replace('f"told {text}"', 'f"heard {text}"'))
    result = await world.resume(run_id)
    assert result.status == "stalled"
    assert "flow.py:told has changed" in result.error.message
    assert "no recorded step differs" in result.error.message
    await world.engine.close()
    unused = GATED.replace("    first =", "    # a remark\n\n    first  =") + "\ndef unused():\n    return 1\n"
    world.write(unused)
    assert (await world.resume(run_id)).status == "completed"


@simulated
async def test_a_file_that_is_gone_or_broken_stalls_the_run(tmp_path):
    world, run_id = await waiting(tmp_path)
    world.file.write_text("def broken(:", encoding="utf-8")
    result = await world.resume(run_id)
    assert result.status == "stalled"
    assert "cannot be loaded" in result.error.message
    await world.engine.close()
    world.file.unlink()
    result = await world.resume(run_id)
    assert (result.status, "no such file" in result.error.message) == ("stalled", True)


FLAKY = (
    TOOLS
    + """
import os

@weft.workflow
async def flow(topic: str = "a"):
    {first}
    await weft.gate("Go on?", choices=["yes", "no"])
    {then}
"""
)


@pytest.mark.parametrize(
    ("first", "then", "said"),
    [
        (
            'await fetch("a") if os.environ["TURN"] == "1" else await store("a")',
            "",
            "the journal has /fetch[0] (tool fetch); now /store[0] (tool store)",
        ),
        (
            'await fetch(os.environ["TURN"])',
            "",
            "the journal has /fetch[0] (tool fetch); now /fetch[0] (tool fetch) with another input",
        ),
        (
            'await fetch("a") if os.environ["TURN"] == "1" else None',
            "",
            "the journal has /fetch[0] (tool fetch); now /gate[0] (gate)",
        ),
        (
            'await fetch("a")\n    if os.environ["TURN"] == "2": return',
            "",
            "the journal has /gate[0] (gate); now the program has ended",
        ),
    ],
)
@simulated
async def test_a_function_that_takes_other_turns_stalls_before_anything_is_performed(
    tmp_path, monkeypatch, first, then, said
):
    monkeypatch.setenv("TURN", "1")
    world, run_id = await waiting(tmp_path, FLAKY.format(first=first, then=then))
    monkeypatch.setenv("TURN", "2")
    before = Counter(world.performer.started)
    result = await world.resume(run_id)
    assert result.status == "stalled"
    assert said in result.error.message, result.error.message
    assert world.performer.started == before
    await world.engine.close()
    monkeypatch.setenv("TURN", "1")
    assert (await world.resume(run_id)).status == "completed"


@simulated
async def test_a_run_can_be_cancelled_while_its_function_waits_or_works(tmp_path):
    world, run_id = await waiting(tmp_path)
    assert await world.engine.cancel(run_id, reason="enough")
    assert world.state(run_id).status == "cancelled"
    await world.engine.close()
    source = (
        TOOLS
        + "\n@weft.workflow\nasync def flow():\n    try:\n        await fetch('a')\n    finally:\n        await store('b')\n"
    )
    busy = Loom(tmp_path, source, Reading({"/fetch[0]": Trouble(seconds=50)}))
    run_id = await busy.start()
    import asyncio

    drive = asyncio.ensure_future(busy.engine.drive(run_id))
    await asyncio.sleep(1)
    assert await busy.engine.cancel(run_id, reason="enough")
    assert (await drive).status == "cancelled"
    assert busy.performer.started["/store[0]"] == 0


@simulated
async def test_a_failed_run_that_is_reopened_keeps_what_succeeded(tmp_path):
    source = (
        TOOLS
        + "\n@weft.workflow\nasync def flow():\n    return [await fetch('a'), await broken('b'), await store('c')]\n"
    )
    world = Loom(tmp_path, source, Reading({"/broken[0]": Trouble(fatal=True)}))
    result = await world.call()
    assert result.status == "failed"
    await world.engine.close()
    world.performer.troubles = {}
    result = await world.resume(result.run_id, reopen=True)
    assert result.outputs["value"] == ["fetch(a)", "broken(b)", "store(c)"], result.error
    assert world.performer.started["/fetch[0]"] == 1
    replays(world, result.run_id)


@simulated
async def test_a_budget_ends_the_steps_of_a_function(tmp_path):
    source = TOOLS + (
        "\n@weft.workflow(budgets={'max_steps': 2})\nasync def flow():\n"
        "    return [await fetch(name) for name in ('a', 'b', 'c')]\n"
    )
    world = Loom(tmp_path, source, Reading())
    result = await world.call()
    assert (result.status, result.error.code) == ("failed", "budget")
    assert world.performer.started["/fetch[1]"] == 1
    assert world.performer.started["/fetch[2]"] == 0
    replays(world, result.run_id)


@simulated
async def test_a_fork_shares_the_past_and_goes_another_way(tmp_path):
    source = TOOLS + (
        "\n@weft.workflow\nasync def flow(topic: str):\n    first = await fetch(topic)\n    second = await store(first)\n"
        "    return [first, second, await fetch(second)]\n"
    )
    world = Loom(tmp_path, source, Reading())
    result = await world.call(topic="a")
    forks = Forks(world.journal, SystemClock(), new_id=world.entropy.new_id)
    at = forks.point(result.run_id, "/fetch[0]")
    plain = await forks.fork(result.run_id, at)
    assert (await world.resume(plain)).outputs == result.outputs
    assert world.performer.started["/fetch[0]"] == 1
    changes = forks.changes(result.run_id, at, {"/fetch[0].response": "other"})
    changed = await forks.fork(result.run_id, at, changes)
    ended = await world.resume(changed)
    assert ended.outputs["value"] == ["other", "store(other)", "fetch(store(other))"], ended.error
    for run_id in (plain, changed):
        replays(world, run_id)
    whole = forks.point(result.run_id, "/store[0]")
    late = await forks.fork(result.run_id, whole, forks.changes(result.run_id, whole, {"/fetch[0].response": "other"}))
    ended = await world.resume(late)
    assert ended.outputs["value"] == ["other", "store(fetch(a))", "fetch(store(fetch(a)))"], ended.error
    inputs = await forks.fork(result.run_id, at, forks.changes(result.run_id, at, {"topic": "b"}))
    ended = await world.resume(inputs)
    assert ended.outputs["value"][0] == "fetch(a)", ended.error


@simulated
async def test_signals_end_a_wait(tmp_path):
    from weft.engine.answering import NewSignal

    source = TOOLS + (
        "\n@weft.workflow\nasync def flow():\n    came = await weft.signal('paid', 'refused', timeout_s=5000)\n"
        "    late = await weft.signal('never', timeout_s=5)\n    return [came.name, came.data, late.name]\n"
    )
    world = Loom(tmp_path, source, Reading(), near_s=60)
    result = await world.call()
    assert result.status == "waiting"
    await world.engine.signal(result.run_id, NewSignal(name="refused", data={"why": "no"}))
    await world.engine.close()
    ended = await world.resume(result.run_id)
    assert ended.outputs["value"] == ["refused", {"why": "no"}, None], ended.error
    replays(world, ended.run_id)
