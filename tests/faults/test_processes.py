"""Real processes on one home: killed, racing, refused, cancelled from outside."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter

import pytest

from tests.faults.processes import ROOT, end, line, spawn
from tests.faults.worker import World
from tests.waiting import promised, until
from weft.core.errors import ConflictError
from weft.engine.fold import fold
from weft.engine.local import Engine
from weft.engine.why import wake_sources
from weft.store.journal import Journal

pytestmark = pytest.mark.slow


def effects(home):
    file = home / "effects"
    lines = file.read_text().splitlines() if file.exists() else []
    return [entry.split() for entry in lines]


def check_effects(home, lives):
    for (effect, _, path), times in Counter(map(tuple, effects(home))).items():
        assert times <= (1 if effect in {"reconcile", "once"} else lives), f"{path} ({effect}) happened {times} times"


def recorded(home, run_id):
    """The paths of the steps that are in the journal, as somebody reads them who only looks."""
    journal = Journal(home / "weft.db")
    done = {event.path for event in journal.events(run_id) if event.kind == "step.completed"}
    journal.close()
    return done


@pytest.mark.parametrize("seed", range(4))
def test_kill_at_random_moments_until_it_is_done(tmp_path, seed):
    draw = random.Random(seed)
    process = spawn(tmp_path, "start", STEP_S="0.012")
    run_id = line(process)
    lives, finished = 1, False
    while not finished:
        time.sleep(draw.uniform(0.01, 0.2))
        process.send_signal(signal.SIGKILL)
        finished = "completed" in process.communicate()[0]
        done = recorded(tmp_path, run_id)
        before = Counter(map(tuple, effects(tmp_path)))
        if finished or lives == 8:
            break
        lives += 1
        process = spawn(tmp_path, "drive", run_id, STEP_S="0.012")
        assert line(process) == "ready"
    if not finished:
        process = spawn(tmp_path, "drive", run_id, STEP_S="0.001")
        lives += 1
        assert end(process).split()[-1] == "completed"
    for entry, times in Counter(map(tuple, effects(tmp_path))).items():
        if entry[2] in done:
            assert times == before[entry], f"{entry[2]} was recorded and performed again"
    journal = Journal(tmp_path / "weft.db")
    assert journal.runs.get(run_id).status == "completed"
    assert journal.verify(run_id).intact
    assert fold(journal.events(run_id)).outputs["value"]["all"][0] == {"response": "/apure"}
    check_effects(tmp_path, lives)
    assert len({key for _, key, _ in effects(tmp_path)}) == 4 + 24 + 8 + 4
    assert lives > 2
    journal.close()


def test_ten_processes_in_one_fresh_home_all_finish(tmp_path):
    processes = [spawn(tmp_path, "many", "3", STEP_S="0") for _ in range(10)]
    assert [end(process) for process in processes] == ["completed completed completed"] * 10
    journal = Journal(tmp_path / "weft.db")
    runs = journal.runs.list()
    assert Counter(run.status for run in runs) == {"completed": 30}
    assert all(journal.verify(run.id).intact for run in runs)
    assert len(effects(tmp_path)) == len({key for _, key, _ in effects(tmp_path)}) == 30 * 40
    journal.close()


async def test_a_second_driver_is_refused_while_another_process_lives_and_not_after_it_was_killed(tmp_path):
    process = spawn(tmp_path, "start", STEP_S="0.2")
    run_id = line(process)
    journal = Journal(tmp_path / "weft.db")
    engine = Engine(journal, {"tool": World(tmp_path)})
    with pytest.raises(ConflictError, match="another process") as caught:
        await engine.drive(run_id)
    assert "weft cancel" in caught.value.fix
    assert journal.runs.get(run_id).driven
    process.send_signal(signal.SIGSTOP)
    with pytest.raises(ConflictError):
        await engine.drive(run_id)
    process.kill()
    process.communicate()
    assert not journal.runs.get(run_id).driven
    (source,) = wake_sources(journal.runs.get(run_id), fold(journal.events(run_id)))
    assert source.kind in {"driver", "doubt"}
    assert (await engine.drive(run_id)).status in {"completed", "waiting"}
    await engine.close()
    journal.close()


async def test_a_cancel_reaches_a_run_that_another_process_drives(tmp_path):
    process = spawn(tmp_path, "start", STEP_S="0.3")
    run_id = line(process)
    journal = Journal(tmp_path / "weft.db")
    engine = Engine(journal, {})
    while not any(event.kind == "step.completed" for event in journal.events(run_id)):
        await asyncio.sleep(0.02)
    began = time.monotonic()
    assert await engine.cancel(run_id, reason="from outside")
    assert end(process) == "cancelled"
    assert time.monotonic() - began < promised(5)
    assert journal.runs.get(run_id).status == "cancelled"
    assert journal.events(run_id)[-1].data == {"reason": "from outside"}
    assert not await engine.cancel(run_id)
    await engine.close()
    journal.close()


async def test_a_cancel_of_a_run_whose_driver_was_killed_needs_nobody_else(tmp_path):
    process = spawn(tmp_path, "start", STEP_S="0.3")
    run_id = line(process)
    process.kill()
    process.communicate()
    journal = Journal(tmp_path / "weft.db")
    engine = Engine(journal, {})
    assert await engine.cancel(run_id)
    assert journal.runs.get(run_id).status == "cancelled"
    await engine.close()
    journal.close()


def test_an_interrupt_leaves_the_run_resumable(tmp_path):
    process = spawn(tmp_path, "start", STEP_S="0.1")
    run_id = line(process)
    until(lambda: recorded(tmp_path, run_id))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    journal = Journal(tmp_path / "weft.db")
    run = journal.runs.get(run_id)
    assert (run.status, run.driven) == ("waiting", False)
    journal.close()
    other = spawn(tmp_path, "drive", run_id, STEP_S="0")
    assert line(other) == "ready"
    assert end(other) == "completed"


HAMMER = """
import asyncio, sys
from weft.store import database, writer
from weft.store.append import Append
from weft.store.journal import Journal
from weft.testing.conformance_store import creation, draft
database._CHECKPOINT_PAGES, database._CHECK_EVERY, writer._IN_A_ROW = 5, 2, 2

async def main(path, name, rounds):
    for turn in range(3):
        journal = Journal(path)
        for n in range(turn * rounds, (turn + 1) * rounds):
            run = f"{name}-{n}"
            await journal.append(creation(run))
            done = [journal.append(Append(run, 1, [draft(f"/{i}", "x" * 500 * i, outcome=True)])) for i in range(20)]
            await asyncio.gather(*done)
            print(run, flush=True)
        journal.close()

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


def test_many_writers_checkpoints_and_readers_lose_and_break_nothing(tmp_path):
    path = tmp_path / "weft.db"
    Journal(path).close()

    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", HAMMER, str(path), name, "12"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=env,
        )
        for name in ("a", "b", "c", "d")
    ]
    journal = Journal(path)
    checks = 0
    while any(writer.poll() is None for writer in writers):
        runs = journal.runs.list(limit=20)
        assert all(journal.verify(run.id).intact for run in runs[:5])
        checks += len(runs) > 0
        time.sleep(0.005)
    said = [writer.communicate() for writer in writers]
    assert [err for _, err in said] == [""] * 4
    acknowledged = [run for out, _ in said for run in out.split()]
    assert len(acknowledged) == 4 * 36
    assert checks > 10
    for run in acknowledged:
        assert journal.verify(run).intact
        assert journal.runs.get(run).head_seq == 21
    journal.close()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


@pytest.mark.parametrize("limit", [120_000, 200_000, 280_000])
def test_a_file_size_limit_is_a_clear_error_and_the_run_resumes_when_there_is_room(tmp_path, limit):
    Journal(tmp_path / "weft.db").close()
    process = spawn(tmp_path, "fill", str(limit), STEP_S="0")
    run_id = line(process)
    out, err = process.communicate(timeout=60)
    assert (err, process.returncode) == ("", 1)
    code, _, fix = out.strip().split("|")
    assert code == "io"
    assert fix
    other = spawn(tmp_path, "drive", run_id, STEP_S="0")
    assert line(other) == "ready"
    assert end(other) == "completed"
    journal = Journal(tmp_path / "weft.db")
    assert journal.runs.get(run_id).status == "completed"
    assert journal.verify(run_id).intact
    journal.close()
