"""A gate against a model of it: however answers, its deadline, a cancel, crashes and restarts fall together, one thing holds."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.world import World, as_plan, call, chain, fan
from tests.examples import examples
from weft.core.errors import ConflictError
from weft.engine.answering import NewSignal
from weft.engine.questions import Answer
from weft.engine.why import wake_sources
from weft.plan.nodes import Gate, Signal, Wait
from weft.store.journal import Journal
from weft.testing.failpoints import Crash, CrashingWriter, bury
from weft.testing.scripted import ScriptedPerformer, Trouble
from weft.testing.simulation import simulate

DEADLINE = 100
GATE = Gate(
    name="ok",
    prompt="?",
    choices=("yes", "no", "late"),
    rejections=(),
    deadline_s=DEADLINE,
    warn_s=50,
    escalate_s=70,
    default="late",
)
PLAN = as_plan(chain(fan(call("beside"), chain(GATE, call("after"), name="b"), name="g"), call("last")))
PATH = "/g/b/ok"

times = st.sampled_from([0, 1, 40, 49.99, 50, 99, 99.9999, 100, 100.0001, 101, 130])
acts = st.lists(
    st.tuples(times, st.sampled_from(["yes", "no", "yes", "drive", "crash", "cancel"]), st.integers(1, 9)),
    min_size=1,
    max_size=7,
)


class Told:
    """What each actor was told."""

    def __init__(self) -> None:
        self.won: list[str] = []
        self.lost: list[str] = []


async def drive(world, run_id, crash):
    """One drive, perhaps with the death of its process at an append."""
    if world.journal.runs.get(run_id).driven or world.journal.runs.get(run_id).ended:
        return
    if crash is None:
        await world.engine.drive(run_id)
        return
    world.journal.writer = CrashingWriter(world.journal, at=crash, when="after" if crash % 2 else "before")
    try:
        await world.engine.drive(run_id)
    except Crash:
        bury(world.engine, world.journal)
        world.engine = world.new_engine()
    finally:
        if isinstance(world.journal.writer, CrashingWriter):
            world.journal.writer = world.journal.writer._inner


async def act(world, run_id, kind, detail, told):
    if kind in {"yes", "no"}:
        try:
            made = await world.new_engine().decide(run_id, PATH, Answer(by=f"{kind}-{detail % 2}", choice=kind))
            told.won.append((made.decision["choice"], made.decision["by"]))
        except ConflictError as lost:
            if "decision" in lost.ids:
                told.lost.append((lost.ids["decision"]["choice"], lost.ids["decision"]["by"]))
    elif kind == "cancel":
        await world.engine.cancel(run_id)
    else:
        await drive(world, run_id, detail if kind == "crash" else None)


@settings(max_examples=examples(80), deadline=None, suppress_health_check=list(HealthCheck))
@given(acts, st.integers(0, 2**16), st.sampled_from([0.0, 30.0, 120.0]))
@pytest.mark.slow
def test_one_outcome_whatever_falls_together(acts, seed, beside: float):
    async def main():
        world = World(ScriptedPerformer({"/g/beside": Trouble(seconds=beside)}))
        run_id = await world.engine.start(PLAN, {})
        assert (world.engine.forsake(), world.journal.runs.get(run_id).status) == (None, "running")
        world.engine = world.new_engine()
        # Without a gate there is nothing to answer: the run comes to it first.
        first = asyncio.ensure_future(drive(world, run_id, None))
        await asyncio.sleep(0.2)
        told, busy = Told(), []
        begun = asyncio.get_running_loop().time()
        for at, kind, detail in sorted(acts, key=lambda one: one[0]):
            await asyncio.sleep(max(0.0, begun + at - asyncio.get_running_loop().time()))
            if kind == "crash" and not first.done():
                continue
            busy.append(asyncio.ensure_future(act(world, run_id, kind, detail, told)))
            if kind == "crash":
                await busy[-1]
        await asyncio.gather(first, *busy)
        for _ in range(10):
            run = world.journal.runs.get(run_id)
            if run.ended:
                break
            assert wake_sources(run, world.state(run_id))
            await asyncio.sleep(DEADLINE)
            await drive(world, run_id, None)
        check(world, run_id, told, deaths=sum(kind == "crash" for _, kind, _ in acts))
        await world.close()

    simulate(main, seed=seed)


def check(world, run_id, told, *, deaths):
    run = world.journal.runs.get(run_id)
    assert run.ended
    (gate,) = world.journal.gates.of(run_id)
    ends = [event for event in world.journal.events(run_id) if event.kind == "gate.decided"]
    made = gate.decision
    winner = None if made is None else (made["choice"], made["by"])
    assert gate.status in {"decided", "expired", "withdrawn"}
    assert len(ends) <= 1
    assert set(told.won) <= {winner}
    assert set(told.lost) <= {winner}
    if ends:
        assert (ends[0].data["choice"], ends[0].data["by"]) == winner
        (value,) = world.data(run_id, "step.completed", PATH)
        assert value["value"]["choice"] == made["choice"]
    if run.status == "completed":
        assert ends
    else:
        assert run.status == "cancelled"
    # What may be done again under its key is, when the process dies before its end is written.
    assert all(1 <= count <= 1 + deaths for count in world.performer.effects.values())
    assert world.journal.verify(run_id).intact


@settings(max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.tuples(times, st.integers(0, 3)), max_size=6),
    st.lists(st.tuples(times, st.integers(1, 9)), max_size=4),
    st.integers(0, 2**16),
)
@pytest.mark.slow
def test_each_signal_is_taken_once_and_in_order_whatever_dies_meanwhile(sent, crashes, seed):
    waits = [Wait(name=f"w{n}", seconds="30", signals=(Signal(name="go"),)) for n in range(3)]

    async def main():
        world = World(near_s=10)
        run_id = await world.engine.start(as_plan(chain(*waits)), {})
        world.engine.forsake()
        world.engine = world.new_engine()
        keys: list[str] = []
        for at, key, crash in sorted(
            [(at, key, None) for at, key in sent] + [(at, None, die) for at, die in crashes], key=str
        ):
            await asyncio.sleep(at)
            if world.journal.runs.get(run_id).ended:
                break
            if key is not None and await world.engine.signal(run_id, NewSignal(name="go", key=str(key), data=key)):
                keys.append(str(key))
            await drive(world, run_id, crash)
        for _ in range(10):
            if world.journal.runs.get(run_id).ended:
                break
            await asyncio.sleep(31)
            await drive(world, run_id, None)
        assert world.journal.runs.get(run_id).status == "completed"
        taken = [event.data["key"] for event in world.journal.events(run_id) if event.kind == "signal.received"]
        assert taken == keys[: len(taken)]
        left = [signal.key for signal in world.journal.signals.pending(run_id)]
        assert taken + left == keys
        assert len(taken) == min(3, len(taken) + len(left)) or len(taken) < 3
        await world.close()

    simulate(main, seed=seed)


ANSWER = """
import asyncio, json, sys
from weft.core.errors import ConflictError
from weft.engine.local import Engine
from weft.engine.questions import Answer
from weft.store.journal import Journal

async def main(path, run_id, name):
    journal = Journal(path)
    engine = Engine(journal, {})
    sys.stdin.readline()
    try:
        made = (await engine.decide(run_id, None, Answer(by=name, response=name))).decision
        told = {"won": True, "by": made["by"]}
    except ConflictError as lost:
        told = {"won": False, "by": lost.ids["decision"]["by"]}
    print(json.dumps(told))
    await engine.close()
    journal.close()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.sqlite
@pytest.mark.slow
def test_of_ten_processes_that_answer_at_once_one_wins_and_all_agree(tmp_path):
    path = tmp_path / "journal.db"

    async def begin():
        world = World(path=path)
        result = await world.run(chain(Gate(name="ok", prompt="?")))
        await world.close()
        return result.run_id

    run_id = simulate(begin)
    command = [sys.executable, "-c", ANSWER, str(path), run_id]
    people = [
        subprocess.Popen([*command, f"p{n}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for n in range(10)
    ]
    for one in people:
        one.stdin.write("\n")
        one.stdin.flush()
    told = [json.loads(one.communicate(timeout=120)[0]) for one in people]
    assert sum(one["won"] for one in told) == 1
    assert len({one["by"] for one in told}) == 1
    journal = Journal(path)
    assert journal.gates.of(run_id)[0].decision["by"] == told[0]["by"]
    journal.close()
