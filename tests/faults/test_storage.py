"""What disks and other programs do to a journal: cut-off logs, full disks, locks, damage. A clear error each, and nothing lost."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
import threading
import time

import pytest

from tests.engine.world import as_plan, call, chain
from tests.waiting import coming, promised
from weft.core.errors import StorageError, WeftError
from weft.engine.local import Engine
from weft.store.append import Append
from weft.store.journal import Journal
from weft.testing.conformance_store import creation, draft
from weft.testing.scripted import ScriptedPerformer

FRAME = 24 + 4096
WAL_HEADER = 32


async def written(folder):
    """A journal whose log has grown append by append: the bytes of file and log, and what was acknowledged at which length."""
    journal = Journal(folder / "weft.db")
    journal.writer._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    wal, acknowledged = folder / "weft.db-wal", [(0, 0)]
    assert not wal.exists() or wal.stat().st_size == 0
    await journal.append(creation("r"))
    acknowledged.append((wal.stat().st_size, 1))
    for n in range(2, 22):
        value = "x" * (9_000 if n % 7 == 0 else 300)
        await journal.append(Append("r", 1, [draft(f"/{n}", value, outcome=True)], {"status": "running"}))
        acknowledged.append((wal.stat().st_size, n))
    files = (folder / "weft.db").read_bytes(), wal.read_bytes()
    journal.close()
    return *files, acknowledged


def reopened(folder, database, wal):
    """What a process finds that opens these files after a power cut."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "weft.db").write_bytes(database)
    (folder / "weft.db-wal").write_bytes(wal)
    journal = Journal(folder / "weft.db")
    try:
        count = len(journal.events("r"))
        if count:
            verdict = journal.verify("r")
            assert verdict.intact, verdict
            assert journal.runs.get("r").head_seq == count
        check = journal.writer.call(lambda connection: connection.execute("PRAGMA integrity_check").fetchone())
        assert check == ("ok",)
    finally:
        journal.close()
    return count


@pytest.mark.slow
async def test_a_log_that_is_cut_off_at_any_frame_holds_what_was_acknowledged_up_to_there(tmp_path):
    (tmp_path / "live").mkdir()
    database, wal, acknowledged = await written(tmp_path / "live")
    boundaries = list(range(WAL_HEADER, len(wal) + 1, FRAME))
    assert len(boundaries) > 40
    counts = set()
    for cut in [0, WAL_HEADER // 2, *boundaries]:
        count = reopened(tmp_path / "cut", database, wal[:cut])
        assert count == max(events for size, events in acknowledged if size <= cut), f"cut at {cut}"
        counts.add(count)
    assert counts == set(range(22))


@pytest.mark.slow
async def test_a_log_that_is_torn_within_a_frame_or_damaged_holds_what_came_before(tmp_path):
    (tmp_path / "live").mkdir()
    database, wal, acknowledged = await written(tmp_path / "live")
    draw = random.Random(1)
    for start in range(WAL_HEADER, len(wal), 2 * FRAME):
        sure = max(events for size, events in acknowledged if size <= start)
        for offset in (1, draw.randrange(24, FRAME), FRAME - 1):
            assert reopened(tmp_path / "cut", database, wal[: start + offset]) == sure
        flipped = bytearray(wal)
        flipped[start + draw.randrange(8, FRAME)] ^= 0x40
        assert reopened(tmp_path / "cut", database, bytes(flipped)) == sure


@pytest.fixture
async def journal(tmp_path):
    journal = Journal(tmp_path / "weft.db", busy_s=0.3)
    yield journal
    journal.close()


def big(call, scope, context):
    return {"response": call.name, "filler": context.path * 2_000}


PLAN = as_plan(chain(*[call(f"s{n}") for n in range(30)], into="all", value={"last": "all[29].response"}))


@pytest.mark.slow
async def test_a_full_disk_is_a_clear_error_and_the_run_resumes_when_there_is_room(journal):
    performer = ScriptedPerformer(act=big)
    engine = Engine(journal, {"tool": performer})
    run_id = await engine.start(PLAN, {})
    writer = journal.writer._connection
    pages = writer.execute("PRAGMA page_count").fetchone()[0]
    writer.execute(f"PRAGMA max_page_count={pages + 40}")
    with pytest.raises(StorageError, match="full") as caught:
        await engine.drive(run_id)
    assert "weft resume" in caught.value.fix
    done = sum(event.kind == "step.completed" for event in journal.events(run_id))
    assert 0 < done < 30
    assert journal.verify(run_id).intact
    with pytest.raises(StorageError):
        for _ in range(50):
            await engine.start(PLAN, {"filler": "x" * 8_000})
    writer.execute("PRAGMA max_page_count=1000000")
    await coming(lambda: not journal.runs.get(run_id).driven)
    result = await engine.drive(run_id)
    assert (result.status, result.outputs["value"]) == ("completed", {"last": "s29"})
    assert len(performer.effects) == 30
    assert sum(performer.effects.values()) <= 31
    assert journal.verify(run_id).intact
    await engine.close()


async def test_a_run_that_could_not_be_let_go_of_on_a_full_disk_can_be_driven_again_at_once(journal):
    engine = Engine(journal, {"tool": ScriptedPerformer(act=big)})
    run_id = await engine.start(PLAN, {})
    writer = journal.writer._connection
    writer.execute("PRAGMA query_only=1")
    with pytest.raises(StorageError):
        await engine.drive(run_id)
    assert journal.runs.get(run_id).driven
    writer.execute("PRAGMA query_only=0")
    assert (await engine.drive(run_id)).status == "completed"
    await engine.close()


async def test_runs_beside_the_one_that_met_the_full_disk_fail_alike_and_resume_alike(journal):
    engine = Engine(journal, {"tool": ScriptedPerformer(act=big)})
    ids = [await engine.start(PLAN, {}) for _ in range(5)]
    writer = journal.writer._connection
    writer.execute(f"PRAGMA max_page_count={writer.execute('PRAGMA page_count').fetchone()[0] + 60}")
    found = await asyncio.gather(*map(engine.drive, ids), return_exceptions=True)
    assert all(isinstance(one, StorageError) for one in found)
    writer.execute("PRAGMA max_page_count=1000000")
    assert {(await engine.drive(run_id)).status for run_id in ids} == {"completed"}
    assert all(journal.verify(run_id).intact for run_id in ids)
    await engine.close()


@pytest.mark.slow
async def test_a_database_that_another_program_keeps_locked_is_a_clear_error_after_the_time_for_it(journal, tmp_path):
    await journal.append(creation("r"))
    foreign = sqlite3.connect(tmp_path / "weft.db", isolation_level=None)
    foreign.execute("BEGIN EXCLUSIVE")
    began = time.monotonic()
    with pytest.raises(StorageError, match="locked") as caught:
        await journal.append(Append("r", 1, [draft("/a", 1)]))
    assert 0.2 < time.monotonic() - began < promised(3)
    assert "close the program" in caught.value.fix
    assert len(journal.events("r")) == 1
    foreign.execute("ROLLBACK")
    foreign.close()
    assert await journal.append(Append("r", 1, [draft("/a", 1)])) == 2


async def test_a_lock_that_is_let_go_of_in_time_is_not_noticed(tmp_path):
    journal = Journal(tmp_path / "weft.db", busy_s=30)
    await journal.append(creation("r"))
    foreign = sqlite3.connect(tmp_path / "weft.db", isolation_level=None, check_same_thread=False)
    foreign.execute("BEGIN EXCLUSIVE")
    letting_go = threading.Timer(0.2, foreign.execute, ("ROLLBACK",))
    letting_go.start()
    assert await journal.append(Append("r", 1, [draft("/a", 1)])) == 2
    letting_go.join()
    foreign.close()
    journal.close()


async def test_opening_a_database_that_is_kept_locked_is_a_clear_error(tmp_path):
    foreign = sqlite3.connect(tmp_path / "weft.db", isolation_level=None)
    foreign.execute("BEGIN EXCLUSIVE")
    foreign.execute("CREATE TABLE t (x)")
    with pytest.raises(StorageError, match="locked"):
        Journal(tmp_path / "weft.db", busy_s=0.2)
    foreign.close()
    Journal(tmp_path / "weft.db").close()


async def test_a_read_only_database_is_a_clear_error(journal):
    await journal.append(creation("r"))
    journal.writer._connection.execute("PRAGMA query_only=1")
    with pytest.raises(StorageError, match="read-only") as caught:
        await journal.append(Append("r", 1, [draft("/a", 1)]))
    assert "WEFT_HOME" in caught.value.fix
    journal.writer._connection.execute("PRAGMA query_only=0")
    assert await journal.append(Append("r", 1, [draft("/a", 1)])) == 2


def occupy_folder(path):
    path.parent.write_text("a file where a folder should be")


def occupy_file(path):
    path.mkdir(parents=True)


def garbage(path):
    path.parent.mkdir()
    path.write_bytes(b"this is not a database at all, but it is long enough to be looked at" * 99)


def wrecked(path):
    Journal(path).close()
    data = bytearray(path.read_bytes())
    data[100:4096] = b"\xff" * 3996
    path.write_bytes(data)


@pytest.mark.parametrize("harm", [occupy_folder, occupy_file, garbage, wrecked])
def test_a_place_where_no_journal_can_be_is_a_clear_error(tmp_path, harm):
    path = tmp_path / "home" / "weft.db"
    harm(path)
    with pytest.raises(StorageError) as caught:
        Journal(path)
    assert caught.value.fix
    assert "weft.db" in caught.value.message or "home" in caught.value.message


async def test_a_drivers_folder_that_cannot_be_is_a_clear_error(tmp_path):
    journal = Journal(tmp_path / "weft.db")
    (tmp_path / "drivers").write_text("in the way")
    engine = Engine(journal, {})
    with pytest.raises(StorageError):
        await engine.start(PLAN, {})
    await engine.close()
    journal.close()


@pytest.mark.slow
async def test_a_damaged_page_is_named_or_harmless_and_never_a_crash(tmp_path):
    (tmp_path / "live").mkdir()
    journal = Journal(tmp_path / "live" / "weft.db")
    await journal.append(creation("r"))
    for n in range(60):
        await journal.append(Append("r", 1, [draft(f"/{n}", "x" * (n % 5) * 3_000, outcome=True)]))
    journal.close()
    sound = (tmp_path / "live" / "weft.db").read_bytes()
    draw, told = random.Random(7), 0
    for trial in range(150):
        data = bytearray(sound)
        at = draw.randrange(4096, len(data) - 64)
        data[at : at + draw.choice([1, 16, 64])] = draw.randbytes(1)
        home = tmp_path / str(trial)
        home.mkdir()
        (home / "weft.db").write_bytes(data[: len(sound)])
        try:
            journal = Journal(home / "weft.db")
        except WeftError:
            told += 1
            continue
        try:
            same = journal.verify("r").intact
            told += not same
            assert not same or [event.seq for event in journal.events("r")] == list(range(1, 62))
        except WeftError:
            told += 1
        journal.close()
    assert told > 30
