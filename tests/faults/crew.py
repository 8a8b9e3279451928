"""What tests ask of runs that other processes drive."""

from __future__ import annotations

import time

from tests.faults.test_processes import check_effects, effects
from tests.faults.worker import PLAN
from weft.engine.fold import fold
from weft.engine.local import Engine

STEPS = 40


async def queued(journal, count=1, plan=PLAN):
    engine = Engine(journal, {})
    ids = [await engine.start(plan, {}, queued=True) for _ in range(count)]
    await engine.close()
    return ids


def until(what, seconds=30.0):
    """Wait for that; how long it took."""
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < seconds, "it never came"
        time.sleep(0.01)
    return time.monotonic() - began


def steps(journal, run_id):
    return sum(event.kind == "step.completed" for event in journal.events(run_id))


def epoch(journal, run_id):
    return max((event.data["epoch"] for event in journal.events(run_id) if event.kind == "run.started"), default=0)


def check_all(journal, home, ids, lives):
    for run_id in ids:
        assert journal.runs.get(run_id).status == "completed"
        assert journal.verify(run_id).intact
        assert fold(journal.events(run_id)).outputs["value"]["all"][0] == {"response": "/apure"}
    check_effects(home, lives)
    assert len({key for _, key, _ in effects(home)}) == STEPS * len(ids)
