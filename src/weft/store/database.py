"""SQLite: one file, its connections, its cross-process writer lock, and its complaints in our words.

SQLite before 3.51.3 can corrupt a write-ahead log when one connection checkpoints while another writes, and the SQLite that
comes with Python often is older. So automatic checkpoints are off on every connection, and a checkpoint or a write happens
only under `Database.exclusive`, a file lock that all processes of one home share. The same lock makes writers queue in the
kernel instead of polling a busy database.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import QueuePool, StaticPool

from weft.core.errors import StorageError, WeftError
from weft.store import schema
from weft.store.complaints import busy, in_our_words, translated
from weft.store.drivers import FileDrivers
from weft.store.inbox import FileBell
from weft.store.pending import Bulk
from weft.store.port import Bell, Complaints, Drivers, Work
from weft.store.sealing import Seal
from weft.store.sqlite_bulk import SqliteBulk

Durability = Literal["full", "fast"]
MEMORY = ":memory:"
BUSY_S = 5.0
"""How long a program that is not Weft may keep the database locked before we complain (seconds)."""
_LOOK_AGAIN_S = 0.005
_CHECKPOINT_PAGES = 2_000
_CHECK_EVERY = 64
_REINDEX = "INSERT INTO messages_words(messages_words) VALUES ('rebuild')"


class SqliteConnection(sqlite3.Connection):
    """See `weft.store.sql.Transaction`."""

    seal: Seal | None = None


@cache
def _fresh() -> sqlite3.Connection:
    """An empty database at the newest schema. Private ones are copied from it: migrations take longer than most of what is done in one."""
    connection = sqlite3.connect(MEMORY, isolation_level=None, check_same_thread=False)
    schema.upgrade(connection)
    return connection


class SqliteDatabase:
    """A journal file, or a private one in memory when `path` is ``":memory:"``.

    ``full`` makes each commit wait for the disk. ``fast`` leaves that to the operating system: a commit survives the death of
    the process, but the newest ones may be lost when the machine loses power.
    """

    narrows = False

    def __init__(self, path: Path | str, *, durability: Durability = "full", busy_s: float = BUSY_S) -> None:
        self.path: Any = path
        self._busy_s = busy_s
        self.durability: Durability = durability
        self.in_memory = path == MEMORY
        self._lock_fd: int | None = None
        self._thread_lock = threading.Lock()
        self._memory: SqliteConnection | None = None
        self._reading = threading.Lock()
        self._batches = 0
        self.complaints = Complaints(
            sqlite3.Error, sqlite3.IntegrityError, (sqlite3.DataError, sqlite3.ProgrammingError, sqlite3.InterfaceError)
        )
        self.bulk: Bulk = SqliteBulk()
        on_disk = None if self.in_memory else Path(path)
        if on_disk is not None:
            self._prepare_files(on_disk)
        try:
            with self.exclusive():
                self._upgrade()
            self._reader = self._connected()
        except WeftError:
            self._let_go()
            raise
        self.engine = self._engine()
        self.drivers: Drivers = FileDrivers(on_disk.parent / "drivers" if on_disk else None)
        self._file_bell = FileBell(Path(f"{on_disk}-bell") if on_disk else None)
        self.bell: Bell = self._file_bell

    def _engine(self) -> Engine:
        """For reading, with a connection for each thread that reads: one that two of them use at once can end the process."""
        if self.in_memory:
            return create_engine("sqlite://", creator=lambda: self._reader, poolclass=StaticPool)
        return create_engine(
            "sqlite://", creator=self._connected, poolclass=QueuePool, max_overflow=-1, pool_use_lifo=True
        )

    def _upgrade(self) -> None:
        connection = self._connected()
        try:
            with translated(self.path):
                if self.in_memory:
                    _fresh().backup(connection)
                else:
                    schema.upgrade(connection)
        finally:
            if not self.in_memory:
                connection.close()

    def _prepare_files(self, path: Path) -> None:
        try:
            # What a run was given and answered is its owner's business: nobody else may read it. SQLite gives the log beside the
            # file the rights of the file.
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock_fd = os.open(f"{path}-writer.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if not path.exists():
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise StorageError(
                f"cannot use {str(path.parent)!r}: {error.strerror}",
                fix="point WEFT_HOME at a folder that you may write to",
            ) from error

    def connect(self) -> SqliteConnection:
        """The connection of this process's writer."""
        return self._connected(0.0)

    def _connected(self, busy_s: float | None = None) -> SqliteConnection:
        """A new connection in autocommit mode (in memory: always the same one). It waits for `busy_s` by itself for who holds the file."""
        if self._memory is not None:
            return self._memory
        with translated(self.path):
            connection = sqlite3.connect(
                self.path,
                timeout=self._busy_s if busy_s is None else busy_s,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=64,
                factory=SqliteConnection,
            )
            try:
                self._configure(connection)
            except sqlite3.Error:
                connection.close()
                raise
        return connection

    def _configure(self, connection: SqliteConnection) -> None:
        connection.execute("PRAGMA wal_autocheckpoint=0")
        if self.in_memory:
            self._memory = connection
            return
        mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
        if mode != "wal":
            mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        if mode != "wal":
            raise StorageError(
                f"{self.path} cannot have a write-ahead log where it is",
                fix="put WEFT_HOME on a local disk: file systems of a network lack what that takes",
            )
        connection.execute(f"PRAGMA synchronous={'FULL' if self.durability == 'full' else 'NORMAL'}")

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold off every other writer of this file, in this process and in others."""
        with self._thread_lock:
            if self._lock_fd is None:
                yield
                return
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._lock_fd, fcntl.LOCK_UN)

    def seize(self, connection: sqlite3.Connection) -> bool:
        """See `weft.store.port.Database`."""
        # Not a context manager: an append that is alone passes here, and one of those takes as long as all of this.
        if not self._thread_lock.acquire(blocking=False):
            return False
        try:
            if self._lock_fd is not None:
                fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            connection.execute("BEGIN IMMEDIATE")
        except (BlockingIOError, sqlite3.Error):
            # Another process writes, or a program holds the file that knows nothing of our lock.
            self.release()
            return False
        except BaseException:
            self.release()
            raise
        return True

    def release(self) -> None:
        """See `weft.store.port.Database`."""
        try:
            if self._lock_fd is not None:
                fcntl.flock(self._lock_fd, fcntl.LOCK_UN)
        finally:
            self._thread_lock.release()

    def disconnect(self, connection: sqlite3.Connection) -> None:
        """See `weft.store.port.Database`."""
        if not self.in_memory:
            connection.close()

    def begin(self, connection: sqlite3.Connection, batch: Sequence[Work]) -> None:
        """See `weft.store.port.Database`."""
        del batch
        if connection.in_transaction:  # `seize` has begun it already
            return
        until = time.monotonic() + self._busy_s
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                # SQLite would wait by itself, but on this connection `seize` must not, and to tell it each time takes long.
                if not busy(error) or time.monotonic() > until:
                    raise
                time.sleep(_LOOK_AGAIN_S)
            else:
                return

    def commit(self, connection: sqlite3.Connection) -> None:
        """See `weft.store.port.Database`."""
        connection.execute("COMMIT")

    def roll_back(self, connection: sqlite3.Connection) -> None:
        """See `weft.store.port.Database`."""
        if connection.in_transaction:
            # SQLite may have rolled back by itself (it does so on a full disk); nothing is left to undo then.
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")

    def again(self, connection: sqlite3.Connection, error: Exception, attempt: int) -> bool:
        """See `weft.store.port.Database`: SQLite has waited for everything that is worth waiting for."""
        del connection, error, attempt
        return False

    def tidy(self, connection: sqlite3.Connection, commits: int) -> None:
        """Move a log that has grown into the file."""
        self._batches += commits
        if self._batches < _CHECK_EVERY or self.in_memory:
            return
        self._batches = 0
        wal = Path(f"{self.path}-wal")
        if wal.exists() and wal.stat().st_size > _CHECKPOINT_PAGES * 4096:
            # What could not be moved (a full disk, say) stays in the log, which is just as durable, until the next time.
            with suppress(sqlite3.Error):
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def in_our_words(self, error: Exception) -> WeftError:
        """See `weft.store.port.Database`."""
        assert isinstance(error, sqlite3.Error)
        return in_our_words(error, self.path)

    @contextmanager
    def reading(self, tenant: str | None = None) -> Iterator[SqliteConnection]:
        """See `weft.store.port.Database`. A file knows no tenants."""
        del tenant
        with self._reading, translated(self.path):
            yield self._reader

    def migrate(self, to: str) -> None:
        """See `weft.store.port.Database`."""
        connection = self._connected()
        with self.exclusive(), translated(self.path):
            schema.upgrade(connection, to=to)
        self.disconnect(connection)

    @contextmanager
    def snapshot(self) -> Iterator[Callable[[str], Iterator[Sequence[Any]]]]:
        """See `weft.store.port.Database`."""
        connection = self._connected()
        with translated(self.path):
            connection.execute("BEGIN")
            try:
                yield lambda sql: iter(connection.execute(sql))
            finally:
                connection.execute("ROLLBACK")
                self.disconnect(connection)

    @contextmanager
    def loading(self) -> Iterator[SqliteConnection]:
        """See `weft.store.port.Database`."""
        connection = self._connected()
        with self.exclusive(), translated(self.path):
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                self.roll_back(connection)
                self.disconnect(connection)

    def flaws(self) -> Sequence[str]:
        """See `weft.store.port.Database`."""
        with self.reading() as connection:
            found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(20)")]
        return [] if found == ["ok"] else found

    def scrub(self) -> None:
        """See `weft.store.port.Database`. The index of words keeps what was deleted until it is made anew, and goes by places that move."""
        with self.exclusive(), translated(self.path):
            connection = self._connected()
            for statement in (_REINDEX, "VACUUM", _REINDEX, "PRAGMA wal_checkpoint(TRUNCATE)"):
                connection.execute(statement).fetchall()
            self.disconnect(connection)

    def close(self) -> None:
        """Let go of the file."""
        if not self.in_memory:
            with self.exclusive():
                self.engine.dispose()
                self._reader.close()
        self._file_bell.close()
        self._let_go()

    def _let_go(self) -> None:
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None
        if self._memory is not None:
            self._memory.close()
            self._memory = None
