"""The ceiling: a group-commit writer thread on SQLite, with nothing around it.

One thread owns the connection (WAL, synchronous=FULL). A batch is whatever was queued while the last one was being written. No
engine on SQLite can promise durability faster than this in one process; there are no hashes, no plan and no reading back.
"""

import asyncio
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections import deque
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from report import publish

PAYLOAD = b"x" * 120


class Writer:
    """Appends rows durably; `append` returns when its row is on disk."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._path = path
        self._loop = loop
        self._queue: deque = deque()
        self._wake = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def append(self, run: int, seq: int) -> asyncio.Future:
        done = self._loop.create_future()
        self._queue.append((run, seq, done))
        self._wake.release()
        return done

    def close(self) -> None:
        self._queue.append(None)
        self._wake.release()
        self._thread.join()

    def _write(self) -> None:
        connection = sqlite3.connect(self._path, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(
            "CREATE TABLE events (run INTEGER, seq INTEGER, data BLOB, PRIMARY KEY (run, seq)) WITHOUT ROWID"
        )
        open_ = True
        while open_:
            self._wake.acquire()
            batch = []
            while self._queue:
                item = self._queue.popleft()
                if item is None:
                    open_ = False
                    break
                batch.append(item)
            if batch:
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany(
                    "INSERT INTO events VALUES (?, ?, ?)", [(run, seq, PAYLOAD) for run, seq, _ in batch]
                )
                connection.execute("COMMIT")
                self._loop.call_soon_threadsafe(_resolve, batch)
        connection.close()


def _resolve(batch: list) -> None:
    for _, _, done in batch:
        done.set_result(None)


async def run(writer: Writer, number: int, steps: int) -> None:
    for seq in range(steps):
        await writer.append(number, seq)


async def measure(case: str) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        writer = Writer(Path(folder) / "bare.db", asyncio.get_running_loop())
        await run(writer, -1, 20)
        times = []
        runs, steps, rounds = (50, 10, 30) if case == "throughput" else (1, 100, 5)
        for round_ in range(rounds):
            start = time.perf_counter()
            await asyncio.gather(*(run(writer, round_ * runs + number, steps) for number in range(runs)))
            times.append(time.perf_counter() - start)
        writer.close()
    middle = statistics.median(times)
    if case == "throughput":
        return {"steps_per_s": runs * steps / middle}
    return {"ms_per_step": middle / steps * 1000}


if __name__ == "__main__":
    publish(
        "bare writer",
        sqlite3.sqlite_version,
        {case: lambda case=case: asyncio.run(measure(case)) for case in ("throughput", "alone")},
    )
