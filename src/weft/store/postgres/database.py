"""One Postgres database: its connections, its transactions, and its complaints in our words.

Functions that are work for the writer read and then write, as SQLite lets only one of them do at a time. Here they, and the
appends that others may have to see at once, take turns under one lock of the server's; the plain appends that make up nearly
all of what runs write do not: whether they hold is decided by the rows that they move.
"""

from __future__ import annotations

import random
import select
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from typing import Any, Literal

import psycopg
from psycopg import RawCursor
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import QueuePool

from weft.core.errors import StorageError, WeftError
from weft.store.append import Append
from weft.store.pending import Bulk
from weft.store.port import Bell, Complaints, Drivers, Work
from weft.store.postgres import schema
from weft.store.postgres.address import Address
from weft.store.postgres.arrays import taken_by
from weft.store.postgres.bulk import PostgresBulk
from weft.store.postgres.complaints import clash, in_our_words, lost
from weft.store.postgres.leases import Leases
from weft.store.postgres.narrow import NarrowConnection, NarrowCursor, NarrowRawCursor
from weft.store.postgres.serving import serving_role
from weft.store.postgres.statements import Reading, Statements
from weft.store.postgres.writing import TURNS, Writing
from weft.store.statuses import TERMINAL

_PATIENCE_S = 30.0
"""How long a writer waits for a server that is away."""
_READ_PATIENCE_S = 5.0
_JITTER = random.SystemRandom()
"""Not the module's own, which programs may have seeded."""
_MOST_CLASHES = 20
_MOST_LOSSES = 5
_PAGE = 1_000
_SEEN_BY_OTHERS = TERMINAL | {"waiting"}


class PostgresDatabase:
    """The database at a ``postgresql://`` address; see `weft.store.port.Database`.

    ``full`` makes each commit wait for the disk. ``fast`` leaves that to the server: a commit survives the death of the process,
    but the newest ones may be lost when the server dies.
    """

    in_memory = False

    def __init__(self, url: str, *, durability: Literal["full", "fast"] = "full") -> None:
        self._address = Address.of(url)
        self._durability: Literal["full", "fast"] = durability
        self._writing = threading.Lock()
        self._reading = threading.Lock()
        self._reader: Reading | None = None
        self.path: Any = self._address.shown
        self.complaints = Complaints(
            psycopg.Error, psycopg.IntegrityError, (psycopg.DataError, psycopg.ProgrammingError)
        )
        self.bulk: Bulk = PostgresBulk()
        with self._said_well():
            first = self._connected(0.0)
            try:
                schema.upgrade(first)
                self.serving = serving_role(first)
                self.narrows = self.serving is not None
            finally:
                first.close()
        self.engine = schema.engine_of(
            lambda: self._narrow(cursor_factory=NarrowCursor),
            pool=QueuePool,
            pool_size=4,
            max_overflow=8,
            isolation_level="AUTOCOMMIT",
        )
        event.listen(self.engine, "handle_error", self._translate)
        event.listen(self.engine, "checkout", _check)
        self._leases = Leases(lambda: self._connected(_READ_PATIENCE_S))
        self.drivers: Drivers = self._leases
        self.bell: Bell = self._leases

    def connect(self) -> Writing:
        """The connection of this process's writer."""
        return Writing(self._raw(0.0))

    def disconnect(self, connection: Writing) -> None:
        """The writer is done with it."""
        connection.raw.close()

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold off the other threads of this process; other processes need not wait."""
        with self._writing:
            yield

    def seize(self, connection: Writing) -> bool:
        """Never: the server is somebody."""
        del connection
        return False

    def release(self) -> None:
        """Nothing was seized."""

    def begin(self, connection: Writing, batch: Sequence[Work]) -> None:
        """Begin the transaction of a batch, in turn with others if it has to be."""
        connection.begin(in_turn=not all(map(_plain, batch)))

    def commit(self, connection: Writing) -> None:
        """End it. When the connection is lost over that, ask the server what has become of it."""
        try:
            connection.commit()
        except psycopg.OperationalError as error:
            if not lost(error) or not self._was_committed(connection):
                raise

    def roll_back(self, connection: Writing) -> None:
        """Undo it, if there is one. A lost connection has undone it by itself."""
        with suppress(psycopg.Error):
            connection.roll_back()

    def again(self, connection: Writing, error: Exception, attempt: int) -> bool:
        """Wait for a server that is away, and let those go first who were chosen to."""
        if clash(error) and attempt <= _MOST_CLASHES:
            time.sleep(_JITTER.uniform(0.0, 0.01 * attempt))
            return True
        if lost(error) and attempt <= _MOST_LOSSES:
            connection.renew(self._raw(_PATIENCE_S))
            return True
        return False

    def tidy(self, connection: Writing, commits: int) -> None:
        """Nothing: the server tidies up by itself."""

    def in_our_words(self, error: Exception) -> WeftError:
        """What the driver complains of, as an error that says what to do."""
        assert isinstance(error, psycopg.Error)
        return in_our_words(error, self.path)

    @contextmanager
    def reading(self, tenant: str | None = None) -> Iterator[Statements]:
        """Where this process reads."""
        with self._reading, self._said_well():
            if self._reader is None:
                self._reader = Reading(partial(self._narrow, cursor_factory=NarrowRawCursor, prepare_threshold=1))
            self._reader.tenant = tenant
            try:
                yield self._reader
            finally:
                self._reader.tenant = None

    def migrate(self, to: str) -> None:
        """See `weft.store.port.Database`."""
        with self._said_well(), closing(self._address.connect(patient=True)) as connection:
            schema.upgrade(connection, to=to)

    @contextmanager
    def snapshot(self) -> Iterator[Callable[[str], Iterator[Sequence[Any]]]]:
        """See `weft.store.port.Database`."""
        with self._said_well(), closing(self._address.connect(patient=True)) as connection:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")

            def rows(sql: str) -> Iterator[Sequence[Any]]:
                with connection.cursor("weft_backup") as cursor:
                    cursor.itersize = _PAGE
                    cursor.execute(sql.encode())
                    yield from cursor

            yield rows

    @contextmanager
    def loading(self) -> Iterator[Statements]:
        """See `weft.store.port.Database`."""
        with (
            self._said_well(),
            closing(self._address.connect(patient=True, cursor_factory=RawCursor)) as connection,
            connection.transaction(),
        ):
            connection.execute(TURNS)
            yield Statements(connection)
            for statement in schema.NUMBERING:
                connection.execute(statement.encode())

    def flaws(self) -> Sequence[str]:
        """Nothing that the server tells without being asked: it checks its pages as it reads them."""
        return ()

    def scrub(self) -> None:
        """Nothing: the server frees what is dead by itself, and only its owner can have it overwritten."""

    def close(self) -> None:
        """Let go of everything but the writer's connection."""
        self._leases.close()
        self.engine.dispose()
        if self._reader is not None:
            self._reader.raw.close()

    def _narrow(self, **how: Any) -> NarrowConnection:
        connection = self._connected(_READ_PATIENCE_S, **how)
        connection.serving = self.serving
        return connection

    def _raw(self, patience_s: float) -> psycopg.Connection[Any]:
        connection = self._connected(patience_s, cursor_factory=RawCursor, prepare_threshold=1)
        taken_by(connection)
        return connection

    def _connected(self, patience_s: float, **how: Any) -> NarrowConnection:
        """A new connection. A server that is away is tried again, not all at the same moment.

        Raises:
            StorageError: it did not come back in time, or does not let us in.
        """
        until = time.monotonic() + patience_s
        wait = 0.02
        while True:
            try:
                return self._address.connect(durability=self._durability, **how)
            except psycopg.OperationalError as error:
                # What refuses us for good says so with the first byte of its answer; a server that starts says 57P03.
                if time.monotonic() + wait > until:
                    raise in_our_words(error, self.path) from None
            time.sleep(wait * _JITTER.uniform(0.5, 1.0))
            wait = min(1.0, 2 * wait)

    def _was_committed(self, connection: Writing) -> bool:
        """What the server says of a transaction whose end was lost on the way."""
        xid = connection.xid
        connection.renew(self._raw(_PATIENCE_S))
        until = time.monotonic() + _PATIENCE_S
        while time.monotonic() < until:
            try:
                row = connection.raw.execute(b"SELECT pg_xact_status($1::text::xid8)", (xid,)).fetchone()
            except psycopg.DataError:
                return False  # a server that has never come that far
            if row is None or row[0] != "in progress":
                return row is not None and row[0] == "committed"
            time.sleep(0.02)
        raise StorageError(
            f"nobody knows whether {self.path} has kept the newest events", fix="see that it runs, then `weft resume`"
        )

    @contextmanager
    def _said_well(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise in_our_words(error, self.path) from error

    def _translate(self, context: ExceptionContext) -> None:
        if isinstance(context.original_exception, psycopg.Error):
            raise in_our_words(context.original_exception, self.path) from context.original_exception


def revision_of(url: str) -> str | None:
    """The revision of the schema that a database is at, without changing it; None when there is nothing in it."""
    address = Address.of(url)
    try:
        with closing(address.connect()) as connection:
            return schema.current(connection)
    except psycopg.Error as error:
        raise in_our_words(error, address.shown) from error


def _check(raw: psycopg.Connection[Any], record: object, proxy: object) -> None:
    """Refuse a connection that the server has closed: it can be read from, though nothing was asked."""
    del record, proxy
    if raw.closed:
        raise DisconnectionError
    # The server's last words come before the end.
    while select.select([raw], [], [], 0)[0]:
        try:
            raw.pgconn.consume_input()
        except psycopg.OperationalError as error:
            raise DisconnectionError from error


def _plain(work: Work) -> bool:
    """Whether a piece of work is decided by the row of its own run alone, whatever others do at the same time."""
    if not isinstance(work, Append) or work.also or work.reopen:
        return False
    if work.create is not None and work.create.base is not None:
        return False
    return not work.patch or work.patch.get("status") not in _SEEN_BY_OTHERS
