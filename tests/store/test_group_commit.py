"""Group commit: many appends share a transaction, results come after it is durable, and one bad piece is undone alone."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import threading
import time

import pytest

from weft.core.errors import ConflictError, InternalError, StorageError, WeftError
from weft.store.append import Append
from weft.store.database import SqliteDatabase
from weft.store.journal import Journal
from weft.testing.conformance_store import creation, draft

HEAD = "SELECT head_seq FROM runs WHERE id='r'"


class Gate:
    """Work that holds the writer up inside its transaction until it is opened."""

    def __init__(self):
        self.reached, self.opened = threading.Event(), threading.Event()

    def __call__(self, connection):
        self.reached.set()
        assert self.opened.wait(60)


async def held_up(journal: Journal) -> Gate:
    gate = Gate()
    journal.writer.submit_and_forget(gate)
    await asyncio.to_thread(gate.reached.wait, 60)
    return gate


def commits(journal: Journal) -> list[str]:
    seen: list[str] = []
    journal.writer._connection.set_trace_callback(lambda sql: seen.append(sql) if sql == "COMMIT" else None)
    return seen


@pytest.fixture
async def journal(tmp_path):
    journal = Journal(tmp_path / "weft.db", busy_s=0.2)
    await journal.append(creation("r"))
    yield journal
    journal.close()


@pytest.mark.sqlite
async def test_what_queued_up_during_a_commit_shares_the_next_one(journal):
    seen = commits(journal)
    gate = await held_up(journal)
    futures = [journal.writer.submit(Append("r", 1, [draft(f"/{n}", n, outcome=True)])) for n in range(200)]
    gate.opened.set()
    assert await asyncio.gather(*futures) == list(range(2, 202))
    assert len(seen) == 2


async def test_a_result_is_told_only_when_another_connection_can_read_it(journal):
    gate = await held_up(journal)
    future = journal.writer.submit(Append("r", 1, [draft("/a", 1, outcome=True)]))
    await asyncio.sleep(0.05)
    assert not future.done()
    assert len(journal.events("r")) == 1
    gate.opened.set()
    await future
    assert len(journal.events("r")) == 2


@pytest.mark.sqlite
async def test_a_piece_that_fails_undoes_itself_alone(journal):
    def half(connection):
        connection.execute("INSERT INTO plans VALUES ('half', x'00')")
        raise ConflictError("no")

    def defective(connection):
        connection.execute("INSERT INTO plans VALUES ('half', x'00')")
        raise KeyError("oops")

    gate = await held_up(journal)
    futures = [
        journal.writer.submit(work)
        for work in (
            Append("r", 1, [draft("/a", 1, outcome=True)]),
            half,
            defective,
            Append("r", 1, [draft("/b", 2, outcome=True)]),
        )
    ]
    gate.opened.set()
    first, conflict, internal, last = await asyncio.gather(*futures, return_exceptions=True)
    assert (first, last) == (2, 3)
    assert isinstance(conflict, ConflictError)
    assert isinstance(internal, InternalError)
    assert sqlite3.connect(journal.database.path).execute("SELECT count(*) FROM plans").fetchone() == (1,)
    assert journal.verify("r").intact


@pytest.mark.sqlite
async def test_a_run_that_was_taken_over_is_refused_within_a_batch_and_its_neighbours_are_not(journal):
    await journal.append(creation("s", driver="dead"))
    other = Journal(journal.database.path)
    assert await other.writer.submit(other.claims.claim("s", "heir")) == 2
    await other.append(Append("r", 1, [draft("/elsewhere", 0, outcome=True)]))
    gate = await held_up(journal)
    futures = [
        journal.writer.submit(Append(run_id, 1, [draft(f"/{n}", n, outcome=True)]))
        for n in range(3)
        for run_id in ("r", "s")
    ]
    gate.opened.set()
    found = await asyncio.gather(*futures, return_exceptions=True)
    # What was remembered of the one's head was old news as well, which is no reason to refuse it.
    assert found[::2] == [3, 4, 5]
    assert all(isinstance(error, ConflictError) and "taken this run over" in error.message for error in found[1::2])
    assert [run.head_seq for run in (journal.runs.get("r"), journal.runs.get("s"))] == [5, 1]
    assert journal.verify("r").intact
    other.close()


async def test_work_between_two_appends_finds_the_head_where_the_first_one_left_it(journal):
    gate = await held_up(journal)
    futures = [
        journal.writer.submit(work)
        for work in (
            Append("r", 1, [draft("/a", 1, outcome=True)]),
            lambda connection: connection.execute(HEAD).fetchone()[0],
            Append("r", 1, [draft("/b", 2, outcome=True)], {"status": "running"}),
            Append("r", 1, [draft("/c", 3, outcome=True)], also=(lambda c: seen.extend(c.execute(HEAD).fetchone()),)),
        )
    ]
    seen: list[int] = []
    gate.opened.set()
    assert await asyncio.gather(*futures) == [2, 2, 3, 4]
    assert seen == [4]
    assert journal.verify("r").intact


async def test_text_that_sqlite_cannot_hold_fails_its_own_append_and_not_the_writer(journal):
    gate = await held_up(journal)
    futures = [journal.writer.submit(Append("r", 1, [draft(path, 1, outcome=True)])) for path in ("/\ud800", "/b")]
    gate.opened.set()
    bad, good = await asyncio.gather(*futures, return_exceptions=True)
    assert isinstance(bad, WeftError)
    assert good == 2
    assert await journal.append(Append("r", 1, [draft("/c", 1, outcome=True)])) == 3


@pytest.mark.sqlite
async def test_a_database_error_fails_the_whole_batch_each_with_its_own_error_and_the_next_batch_goes_on(journal):
    gate = await held_up(journal)
    futures = [journal.writer.submit(Append("r", 1, [draft("/a", 1, outcome=True)]))]
    futures.append(journal.writer.submit(lambda connection: connection.execute("SELECT * FROM nowhere")))
    gate.opened.set()
    found = await asyncio.gather(*futures, return_exceptions=True)
    assert all(isinstance(error, StorageError) for error in found)
    assert found[0] is not found[1]
    assert len(journal.events("r")) == 1
    assert await journal.append(Append("r", 1, [draft("/a", 1, outcome=True)])) == 2


async def test_closing_finishes_what_is_queued(tmp_path):
    journal = Journal(tmp_path / "weft.db")
    await journal.append(creation("r"))
    gate = await held_up(journal)
    futures = [journal.writer.submit(Append("r", 1, [draft(f"/{n}", n, outcome=True)])) for n in range(600)]
    closing = asyncio.create_task(asyncio.to_thread(journal.close))
    gate.opened.set()
    await closing
    assert await asyncio.gather(*futures) == list(range(2, 602))
    with pytest.raises(StorageError):
        journal.writer.submit(creation("late"))
    again = Journal(tmp_path / "weft.db")
    assert len(again.events("r")) == 601
    again.close()


async def test_two_event_loops_share_one_journal(journal):
    async def other_loop():
        await journal.append(creation("theirs"))
        for n in range(20):
            await journal.append(Append("theirs", 1, [draft(f"/{n}", n, outcome=True)]))

    thread = threading.Thread(target=lambda: asyncio.run(other_loop()))
    thread.start()
    for n in range(20):
        await journal.append(Append("r", 1, [draft(f"/{n}", n, outcome=True)]))
    await asyncio.to_thread(thread.join)
    assert len(journal.events("r")) == len(journal.events("theirs")) == 21
    assert journal.verify("theirs").intact


async def test_a_loop_that_is_closed_while_its_work_is_written_harms_nobody(journal):
    gate = await held_up(journal)

    async def abandon():
        journal.writer.submit(Append("r", 1, [draft("/a", 1, outcome=True)]))

    await asyncio.to_thread(lambda: asyncio.run(abandon()))
    gate.opened.set()
    assert await journal.append(Append("r", 1, [draft("/b", 1, outcome=True)])) == 3


async def test_a_cancelled_waiter_does_not_undo_its_append(journal):
    gate = await held_up(journal)
    waiting = asyncio.create_task(journal.append(Append("r", 1, [draft("/a", 1, outcome=True)])))
    await asyncio.sleep(0)
    waiting.cancel()
    gate.opened.set()
    assert await journal.append(Append("r", 1, [draft("/b", 1, outcome=True)])) == 3


@pytest.mark.sqlite
async def test_a_checkpoint_that_fails_neither_stops_the_writer_nor_fails_the_appends(journal, monkeypatch):
    class Stubborn:
        def __init__(self, inner):
            self._inner = inner
            self.refused = 0

        def execute(self, sql, *rest):
            if sql.startswith("PRAGMA wal_checkpoint"):
                self.refused += 1
                raise sqlite3.OperationalError("database or disk is full")
            return self._inner.execute(sql, *rest)

        def __getattr__(self, name):
            return getattr(self._inner, name)

    monkeypatch.setattr("weft.store.database._CHECKPOINT_PAGES", 0)
    monkeypatch.setattr("weft.store.database._CHECK_EVERY", 1)
    monkeypatch.setattr("weft.store.writer._IN_A_ROW", 0)
    journal.writer._connection = stubborn = Stubborn(journal.writer._connection)
    for n in range(3):
        assert await asyncio.wait_for(journal.append(Append("r", 1, [draft(f"/{n}", n)])), 30) == n + 2
    assert stubborn.refused >= 2


async def test_durability_full_waits_for_the_disk_and_fast_does_not(tmp_path):
    for durability, level in (("full", 2), ("fast", 1)):
        database = SqliteDatabase(tmp_path / f"{durability}.db", durability=durability)
        connection = database.connect()
        assert connection.execute("PRAGMA synchronous").fetchone() == (level,)
        assert connection.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connection.close()
        database.close()


@pytest.mark.sqlite
async def test_the_log_is_folded_into_the_file_once_it_is_large(tmp_path, monkeypatch):
    monkeypatch.setattr("weft.store.database._CHECKPOINT_PAGES", 50)
    monkeypatch.setattr("weft.store.database._CHECK_EVERY", 4)
    monkeypatch.setattr("weft.store.writer._IN_A_ROW", 4)
    journal = Journal(tmp_path / "weft.db")
    await journal.append(creation("r"))
    for n in range(120):
        await journal.append(Append("r", 1, [draft(f"/{n}", "x" * 7_000)]))
    wal = (tmp_path / "weft.db-wal").stat().st_size
    assert wal < 120 * 7_000 / 2
    assert journal.verify("r").intact
    journal.close()


@pytest.mark.sqlite
async def test_a_loop_that_has_nothing_else_to_do_needs_no_thread(tmp_path, monkeypatch):
    # Whatever else keeps this machine and its disk busy.
    monkeypatch.setattr("weft.store.writer._QUICK_S", 60.0)
    monkeypatch.setattr("weft.store.writer._SHORT_S", 50.0)
    journal = Journal(tmp_path / "weft.db")
    threads: list[str] = []

    def who(connection):
        threads.append(threading.current_thread().name)

    await journal.append(creation("r"))
    alone = [await journal.writer.submit(who) for _ in range(40)]
    assert len(alone) == 40
    assert threads.count("MainThread") > 20
    threads.clear()
    for _ in range(20):
        await asyncio.gather(*(journal.writer.submit(who) for _ in range(10)))
    assert threads.count("MainThread") > 100
    threads.clear()
    await asyncio.gather(*(journal.writer.submit(who) for _ in range(1_000)))
    assert "weft-writer" in threads, "what takes long does not hold up the loop"
    journal.close()


@pytest.mark.sqlite
async def test_a_loop_that_has_something_else_to_do_goes_on_with_it_while_a_thread_commits(tmp_path):
    journal = Journal(tmp_path / "weft.db")
    threads: list[str] = []
    await journal.append(creation("r"))

    async def other_work(until: asyncio.Event) -> None:
        while not until.is_set():
            await asyncio.sleep(0)

    done = asyncio.Event()
    busy = asyncio.ensure_future(other_work(done))
    for _ in range(5):
        submitted = [
            journal.writer.submit(lambda _: threads.append(threading.current_thread().name)) for _ in range(10)
        ]
        await asyncio.gather(*submitted)
    done.set()
    await busy
    assert set(threads) == {"weft-writer"}
    journal.close()


@pytest.mark.sqlite
async def test_one_append_after_another_does_not_keep_the_loop_from_its_timers(tmp_path, monkeypatch):
    # Whatever else keeps this machine and its disk busy.
    monkeypatch.setattr("weft.store.writer._QUICK_S", 60.0)
    monkeypatch.setattr("weft.store.writer._SHORT_S", 50.0)
    journal = Journal(tmp_path / "weft.db")
    await journal.append(creation("r"))
    at_once, rang = 0, []
    asyncio.get_running_loop().call_later(0, rang.append, True)
    for _ in range(40):
        submitted = journal.writer.submit(lambda _: None)
        at_once += submitted.done()
        await submitted
    assert at_once > 10, "where nobody else has anything to do, nobody has to be woken"
    assert rang
    with pytest.raises(ConflictError):
        await journal.append(creation("r"))
    journal.close()


@pytest.mark.sqlite
async def test_work_that_takes_long_is_done_by_the_thread_from_then_on(tmp_path, monkeypatch):
    monkeypatch.setattr("weft.store.writer._QUICK_S", 60.0)
    journal = Journal(tmp_path / "weft.db", durability="fast")
    threads: list[str] = []

    def slow(_):
        threads.append(threading.current_thread().name)
        time.sleep(0.02)

    await journal.append(creation("r"))
    for _ in range(20):
        await journal.writer.submit(slow)
    assert threads.count("MainThread") <= 1
    journal.close()


@pytest.mark.sqlite
async def test_nothing_is_told_before_what_was_committed_earlier(tmp_path, monkeypatch):
    monkeypatch.setattr("weft.store.writer._QUICK_S", 60.0)
    monkeypatch.setattr("weft.store.writer._SHORT_S", 60.0)
    journal = Journal(tmp_path / "weft.db", durability="fast")
    await journal.append(creation("r"))
    told: list[int] = []
    order = random.Random(7)

    async def step(number: int) -> None:
        told.append(await journal.append(Append("r", 1, [draft(f"/{number}", number)])))

    steps = []
    for number in range(3_000):
        steps.append(asyncio.ensure_future(step(number)))
        if order.random() < 0.3:
            await asyncio.sleep(0)
        if order.random() < 0.03:
            await asyncio.sleep(0.002)
    await asyncio.gather(*steps)
    assert told == sorted(told)
    journal.close()


@pytest.mark.sqlite
def test_a_commit_that_is_interrupted_leaves_nothing_half_done(tmp_path, monkeypatch):
    monkeypatch.setattr("weft.store.writer._QUICK_S", 60.0)
    monkeypatch.setattr("weft.store.writer._SHORT_S", 60.0)
    journal = Journal(tmp_path / "weft.db")

    def half(connection):
        connection.execute("INSERT INTO plans VALUES ('half', x'00')")
        raise KeyboardInterrupt

    async def interrupted() -> None:
        await journal.append(creation("r"))
        # The thread may still tidy up; only once it has nothing more to do does the loop commit by itself.
        await asyncio.to_thread(journal.writer.drain)
        await journal.writer.submit(half)

    async def afterwards() -> None:
        assert await journal.append(Append("r", 1, [draft("/a", 1)])) == 2

    with asyncio.Runner() as runner:
        with pytest.raises(KeyboardInterrupt):
            runner.run(interrupted())
        runner.run(afterwards())
    with journal.database.reading() as connection:
        assert connection.execute("SELECT count(*) FROM plans WHERE hash='half'").fetchone() == (0,)
    journal.close()


@pytest.mark.sqlite
@pytest.mark.parametrize("stop", [SystemExit, KeyboardInterrupt])
async def test_the_thread_outlives_whatever_work_raises(journal, monkeypatch, stop):
    monkeypatch.setattr("weft.store.writer._QUICK_S", 0.0)

    def half(connection):
        connection.execute("INSERT INTO plans VALUES ('half', x'00')")
        raise stop

    with pytest.raises(InternalError, match=stop.__name__):
        await asyncio.wait_for(journal.writer.submit(half), 60)
    assert await journal.append(Append("r", 1, [draft("/a", 1)])) == 2
    with journal.database.reading() as connection:
        assert connection.execute("SELECT count(*) FROM plans WHERE hash='half'").fetchone() == (0,)


@pytest.mark.sqlite
def test_a_place_that_can_have_no_log_is_refused(tmp_path, monkeypatch):
    plain = sqlite3.connect

    def without_shared_memory(path, **how):
        return plain(f"file:{path}?vfs=unix-none", uri=True, **how)

    monkeypatch.setattr("weft.store.database.sqlite3.connect", without_shared_memory)
    with pytest.raises(StorageError, match="cannot have a write-ahead log"):
        Journal(tmp_path / "weft.db")


@pytest.mark.sqlite
async def test_what_was_submitted_first_is_committed_first(tmp_path):
    journal = Journal(tmp_path / "weft.db")
    order: list[int] = []
    await journal.append(creation("r"))
    for number in range(0, 300, 3):
        waits = journal.writer.submit(lambda _, number=number: order.append(number))
        journal.writer.submit_and_forget(lambda _, number=number: order.append(number + 1))
        if number % 2:
            await waits
        last = journal.writer.submit(lambda _, number=number: order.append(number + 2))
        if number % 5 == 0:
            await last
    journal.writer.drain()
    assert order == list(range(300))
    journal.close()
