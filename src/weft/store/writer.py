"""Group commit: one thread a process writes, and a batch is whatever queued up while the last one reached the disk.

There is no batching timer: alone, an append waits for one commit; under load, many share one. One that is alone in its turn of the
event loop, with nothing under way, a free file and a disk that was quick the last time, is committed where it stands: handing it to
the thread and back takes as long as the disk does. So are several, when the loop would have nothing to do meanwhile; and if it has
nothing else to do even now, what comes is committed before the turn is over, and whoever waits for it need not be woken.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import queue
import threading
import time
from collections.abc import Sequence
from typing import Any

from weft.core.errors import ConflictError, InternalError, StorageError, WeftError
from weft.core.ids import Entropy
from weft.store.append import Append, Appender
from weft.store.pending import Pending
from weft.store.port import Database, Work
from weft.store.sealing import Seal
from weft.store.sql import Transaction


class Commit(asyncio.Future[Any]):
    """What becomes of work that is queued. Nobody takes it back: who is stopped while they wait for it is stopped once it is known."""

    def cancel(self, msg: Any | None = None) -> bool:
        """Refuse, so that whoever waits is cancelled only when this is done."""
        del msg
        return False


Answer = tuple[Commit | None, Any]
_Item = tuple[Work, Commit | None]

_BATCH = 256
_AT_ONCE = 64
"""So much is written in about a millisecond, before the disk has its turn."""
_QUICK_S, _SHORT_S = 0.001, 0.004
"""So long may the disk have taken over the last commit, and all of it, if the event loop is to do the next one itself."""
_TURN = 8
"""After so many that were committed before the loop's turn was over, it has one."""
_IN_A_ROW = 64
"""After so many of those the thread has its turn, for it also tidies up."""


class Writer:
    """The only writer of a database in this process.

    With `inline`, work is committed by the caller's own thread before `submit` returns: simulations need that.
    """

    def __init__(
        self,
        database: Database,
        *,
        entropy: Entropy = os.urandom,
        inline: bool = False,
        seal: Seal | None = None,
    ) -> None:
        self._database = database
        self._connection = database.connect()
        self._connection.seal = seal
        self._complaints = database.complaints
        self._pending = Pending(database.bulk)
        self._appender = Appender(entropy, self._pending, seal if seal is not None and seal.writes else None)
        self._queue: queue.SimpleQueue[Sequence[_Item] | None] = queue.SimpleQueue()
        self._closed = False
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._fresh: list[_Item] = []
        """What came in this turn of `_loop`."""
        self._under_way = 0
        """Things that the thread has, or will have."""
        self._untold = 0
        """Batches of the thread's that `_loop` has not heard of: nothing later may be told before."""
        self._disk_s = self._all_s = _SHORT_S
        self._in_a_row = 0
        self._thread: threading.Thread | None = None
        if not inline:
            self._thread = threading.Thread(target=self._serve, name="weft-writer", daemon=True)
            self._thread.start()

    def submit(self, work: Work) -> Commit:
        """Queue `work`; the future has its result once it is durable, or the `WeftError` that refused it."""
        loop = asyncio.get_running_loop()
        future = Commit(loop=loop)
        if self._loop is None or self._loop.is_closed():
            with self._lock:
                self._loop, self._untold = loop, 0
        if self._thread is None or loop is not self._loop or self._closed:
            self._enqueue(work, future)
            return future
        with self._lock:
            self._fresh.append((work, future))
            first = len(self._fresh) == 1
        if first and not (self._in_a_row % _TURN and self._is_quick() and self._idle() and self._commit_here()):
            loop.call_soon(self._turn)
        return future

    def submit_and_forget(self, work: Work) -> None:
        """Queue `work` behind what was queued before; nobody is told when it fails."""
        self._hand_over_fresh()
        self._enqueue(work, None)

    def call(self, work: Work) -> Any:
        """Commit `work` now and return its result, from a thread that runs no event loop or may block it."""
        with self._database.exclusive():
            results = self._commit([work])
        if isinstance(results[0], Exception):
            raise results[0]
        return results[0]

    def drain(self) -> None:
        """Return once everything that was queued before is committed or refused; blocks."""
        reached = threading.Event()
        self.submit_and_forget(lambda _: reached.set())
        reached.wait()
        with self._database.exclusive():
            # The batch that held the mark was committed under this lock.
            return

    def close(self) -> None:
        """Finish what is queued, checkpoint, and let go of the file."""
        if self._closed:
            return
        self._hand_over_fresh()
        self._closed = True
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
        with self._database.exclusive():
            self._database.disconnect(self._connection)

    def _enqueue(self, work: Work, future: Commit | None) -> None:
        if self._closed:
            raise StorageError("the journal is closed", fix="this is a defect: please report it")
        if self._thread is None:
            with self._database.exclusive():
                results = self._commit([work])
            _deliver([(future, results[0])])
        else:
            self._hand_over([(work, future)])

    def _turn(self) -> None:
        """The turn of the event loop is over in which something came."""
        with self._lock:
            count = len(self._fresh)
        if not count:
            return
        here = count == 1 or (count <= _AT_ONCE and self._idle())
        if not (here and self._is_quick() and self._commit_here()):
            self._hand_over_fresh()

    def _is_quick(self) -> bool:
        """Whether a commit would have nobody to wait for, as far as that can be told, and the thread has had its turns."""
        free = not self._under_way and not self._untold and self._in_a_row < _IN_A_ROW
        return free and self._disk_s < _QUICK_S and self._all_s < _SHORT_S

    def _idle(self) -> bool:
        """Whether the event loop has nothing else to do at this moment, as far as it lets us know."""
        # Nothing public says so. What sockets have brought by now is in there, too: the loop asks them before each turn.
        return not getattr(self._loop, "_ready", True)

    def _commit_here(self) -> bool:
        """Commit what has come, unless somebody would have to be waited for."""
        if not self._database.seize(self._connection):
            return False
        try:
            with self._lock:
                fresh, self._fresh = self._fresh, []
            try:
                results = self._commit([work for work, _ in fresh])
            except BaseException:
                stopped = InternalError("it was stopped while it was being written", fix="resume the run")
                _deliver([(future, stopped) for _, future in fresh])
                for _, future in fresh:
                    if future is not None:
                        future.exception()  # read: whoever submitted it meets the exception that is raised here
                raise
        finally:
            self._database.release()
        self._in_a_row += 1
        _deliver([(future, result) for (_, future), result in zip(fresh, results, strict=True)])
        return True

    def _hand_over_fresh(self) -> None:
        with self._lock:
            fresh, self._fresh = self._fresh, []
            self._put(fresh)

    def _hand_over(self, items: Sequence[_Item]) -> None:
        with self._lock:
            self._put(items)

    def _put(self, items: Sequence[_Item]) -> None:
        self._under_way += len(items)
        # Many at once, for each thing that is put wakes the thread.
        for begin in range(0, len(items), _BATCH):
            self._queue.put(items[begin : begin + _BATCH])

    def _serve(self) -> None:
        open_ = True
        while open_:
            came = self._queue.get()
            batch = list(came or ())
            while came is not None and len(batch) < _BATCH and not self._queue.empty():
                came = self._queue.get()
                batch.extend(came or ())
            open_ = came is not None
            if not batch:
                continue
            with self._database.exclusive():
                results = self._outlived(batch)
                commits, self._in_a_row = 1 + self._in_a_row, 0
                self._post(batch, results)
                self._database.tidy(self._connection, commits)

    def _outlived(self, batch: Sequence[_Item]) -> Sequence[Any]:
        """What becomes of `batch`. Nothing ends the thread: whoever came later would wait for ever."""
        try:
            return self._commit([work for work, _ in batch])
        except BaseException as error:  # noqa: BLE001 -- those who wait are told, and nobody else is there
            defect = InternalError(f"{type(error).__name__}: {error}", fix="this is a defect: please report it")
            return [defect for _ in batch]

    def _post(self, batch: Sequence[_Item], results: Sequence[Any]) -> None:
        """Hand results to the event loops that wait for them, one wake-up a loop."""
        loops: dict[asyncio.AbstractEventLoop, list[Answer]] = {}
        for (_, future), result in zip(batch, results, strict=True):
            if future is not None:
                loops.setdefault(future.get_loop(), []).append((future, result))
        with self._lock:
            self._under_way -= len(batch)
            main = self._loop
            self._untold += main in loops
        for loop, own in loops.items():
            try:
                loop.call_soon_threadsafe(self._tell if loop is main else _deliver, own)
            except RuntimeError:
                # The loop was closed while its work was being written: nobody is left to tell, and the journal has it.
                continue

    def _tell(self, answers: list[Answer]) -> None:
        with self._lock:
            self._untold -= 1
        _deliver(answers)

    def _commit(self, batch: Sequence[Work]) -> list[Any]:
        """All of `batch`, durable or refused piece by piece."""
        began = time.perf_counter()
        try:
            return self._until_done(batch)
        except BaseException:
            # Whatever it was, the next batch begins with nothing of this one.
            self._roll_back()
            raise
        finally:
            self._all_s = time.perf_counter() - began

    def _until_done(self, batch: Sequence[Work]) -> list[Any]:
        for attempt in itertools.count(1):
            try:
                return self._attempt(batch)
            except self._complaints.any as error:
                self._roll_back()
                try:
                    again = self._database.again(self._connection, error, attempt)
                except WeftError as final:
                    return [final for _ in batch]
                if not again:
                    return [self._database.in_our_words(error) for _ in batch]
        raise AssertionError

    def _attempt(self, batch: Sequence[Work]) -> list[Any]:
        """All of `batch` in one transaction; only if something is refused is each piece taken apart from the others."""
        results = self._together(batch)
        if isinstance(results, Exception):
            # An append that stood alone may have been refused for what was remembered of its run: now that is looked up.
            alone = len(batch) == 1 and not isinstance(batch[0], Append)
            return [results] if alone else self._apart(batch)
        return results

    def _together(self, batch: Sequence[Work]) -> list[Any] | Exception:
        """Apply and commit `batch`. One refusal undoes everything, and is what is returned."""
        connection = self._connection
        self._database.begin(connection, batch)
        try:
            results = [self._apply(connection, work) for work in batch]
            self._pending.flush(connection)
        except Exception as error:  # noqa: BLE001 -- what is no refusal is raised again
            refusal = self._refusal(error)
            self._roll_back()
            return refusal
        self._make_durable(connection)
        return results

    def _apart(self, batch: Sequence[Work]) -> list[Any]:
        """Apply and commit `batch`, but for the pieces that are refused."""
        connection = self._connection
        self._database.begin(connection, batch)
        results = [self._apply_apart(connection, work) for work in batch]
        self._make_durable(connection)
        return results

    def _make_durable(self, connection: Transaction) -> None:
        began = time.perf_counter()
        self._database.commit(connection)
        self._disk_s = time.perf_counter() - began

    def _apply_apart(self, connection: Transaction, work: Work) -> Any:
        """One piece of a batch. Its own failure undoes it alone; a failure of the database goes up."""
        connection.execute("SAVEPOINT piece")
        try:
            result = self._apply(connection, work)
            self._pending.flush(connection)
        except Exception as error:  # noqa: BLE001 -- what is no refusal is raised again
            result = self._refusal(error)
            connection.execute("ROLLBACK TO piece")
            self._appender.forget()
        connection.execute("RELEASE piece")
        return result

    def _apply(self, connection: Transaction, work: Work) -> Any:
        if isinstance(work, Append):
            return self._appender.apply(connection, work)
        self._pending.flush(connection)
        return work(connection)

    def _refusal(self, error: Exception) -> Exception:
        """What the work is told that raised `error`, whatever that was: the writer must outlive it.

        Raises:
            Exception: `error`, which is a failure of the database.
        """
        complaints = self._complaints
        if isinstance(error, WeftError):
            return error
        if isinstance(error, complaints.taken):
            return ConflictError("it is there already, or a step of this run has its outcome already")
        if isinstance(error, complaints.unfit):
            return self._database.in_our_words(error)
        if isinstance(error, complaints.any):
            raise error
        return InternalError(f"{type(error).__name__}: {error}", fix="this is a defect: please report it")

    def _roll_back(self) -> None:
        self._appender.forget()
        self._database.roll_back(self._connection)


def _deliver(answers: list[Answer]) -> None:
    for future, result in answers:
        if future is None or future.done():
            continue
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)
