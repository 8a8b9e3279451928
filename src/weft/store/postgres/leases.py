"""Who drives, and the bell, on Postgres: one connection a process, which both are bound to.

A driver is a row whose beat the server's clock stamps, and a lock that dies with the connection. The lock tells within a moment
that a process is dead, the beat within seconds that it is frozen, cut off, or does not turn. Neither is trusted with more than that: what protects
a run is its epoch, so a driver that was given up too early finds its appends refused and does no harm.
"""

from __future__ import annotations

import math
import os
import select
import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any

import psycopg

from weft.core.clock import since_boot
from weft.core.errors import StorageError

TTL_S = 2.0
"""How old a beat may be."""
HELD_S = TTL_S / 2
"""How long after a beat its process begins acts that must not happen twice: the rest is for those that it has begun."""
LOOK_S = 0.25
"""How often a process beats, and looks at the others."""
STILL_S = 2.0
"""A process of which nobody has asked for the bell for so long does not turn any more, and stops beating."""
_BOOT_S = 3.0
"""How long everybody has to come back, before they are given up, after the server's start or after it lets a process in again."""
_BELL = "weft_bell"
_SALT = 0x57454654
_KEPT = "1 hour"
_LIVING = f"""
(d.beat > clock_timestamp() - interval '{TTL_S} s' AND EXISTS (
    SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND ((l.classid::bigint << 32) | l.objid::bigint) = hashtextextended(d.id, {_SALT})
) OR pg_postmaster_start_time() > clock_timestamp() - interval '{_BOOT_S} s')
"""  # noqa: S608 -- ours
_BEAT = (
    "INSERT INTO drivers (id, beat) SELECT m.id, clock_timestamp() FROM unnest(%s::text[]) AS m(id) "
    "ON CONFLICT (id) DO UPDATE SET beat = clock_timestamp()"
)
_OTHERS = f"SELECT d.id FROM drivers d WHERE {_LIVING}"  # noqa: S608 -- ours
_ONE = f"SELECT EXISTS (SELECT FROM drivers d WHERE d.id = %s AND {_LIVING})"  # noqa: S608 -- ours
_FORGET = f"DELETE FROM drivers WHERE beat < clock_timestamp() - interval '{_KEPT}'"  # noqa: S608 -- ours
_HOLD = f"SELECT pg_advisory_lock(hashtextextended(%s, {_SALT}))"
_FREE = f"SELECT pg_advisory_unlock(hashtextextended(%s, {_SALT}))"


class Leases:
    """The drivers and the bell of one database, as this process sees them; see `weft.store.port`."""

    def __init__(self, connect: Callable[[], psycopg.Connection[Any]]) -> None:
        self._connect = connect
        self._mutex = threading.RLock()
        self._connection: psycopg.Connection[Any] | None = None
        self._thread: threading.Thread | None = None
        self._wake = os.pipe()
        self._closed = False
        self.held_until = -math.inf
        self.gaps = 0
        self._beaten = self._turned = -math.inf
        self._held: set[str] = set()
        self._living: frozenset[str] = frozenset()
        self._looked = float("-inf")
        self._dead: dict[str, float] = {}
        self._started: object = None
        """When the server was started, as it says."""
        self._spared: frozenset[str] = frozenset()
        self._spared_until = -math.inf
        self._rings = 0

    def enter(self, driver: str) -> None:
        """Hold the name `driver` until `leave`, or until this process dies or is cut off."""
        with self._mutex:
            connection = self._watching()
            connection.execute(_HOLD, (driver,))
            now = since_boot()
            connection.execute(_BEAT, ([driver],))
            if not self._held:
                # A new name: nobody can have given it up.
                self._beaten, self._turned, self.held_until = now, now, now + HELD_S
            self._held.add(driver)

    def leave(self, driver: str) -> None:
        """Let go of the name, and tell the others."""
        with self._mutex:
            if driver not in self._held:
                return
            self._held.discard(driver)
            self._living -= {driver}
            if self._connection is None:
                return
            # Without a connection there is nothing to let go of.
            with suppress(psycopg.Error):
                self._connection.execute("DELETE FROM drivers WHERE id = %s", (driver,))
                self._connection.execute(_FREE, (driver,))
                self._connection.execute("SELECT pg_notify(%s, %s)", (_BELL, driver))

    def alive(self, driver: str | None) -> bool:
        """Whether the process behind `driver` still lives."""
        if driver is None:
            return False
        if driver in self._held:
            return True
        now = monotonic()
        if driver in self._living and now - self._looked < 2 * LOOK_S:
            return True
        if driver in self._spared and now < self._spared_until:
            return True
        if self._dead.get(driver, 0.0) > now:
            return False
        return self._ask(driver)

    def ring(self) -> None:
        """Tell the drivers of all processes to look."""
        with self._mutex:
            self._run("SELECT pg_notify(%s, '')", _BELL)

    def heard(self) -> tuple[int, int]:
        """A value that changes when somebody rings. Who drives asks for it all the time: that is how it is seen to turn."""
        self._turned = since_boot()
        if self._thread is None:
            with self._mutex:
                self._watching()
        return (self._rings, 0)

    def close(self) -> None:
        """Let go of everything; once."""
        if self._closed:
            return
        self._closed = True
        if self._thread is not None:
            os.write(self._wake[1], b".")
            self._thread.join()
        with self._mutex:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
        for end in self._wake:
            os.close(end)

    def _ask(self, driver: str) -> bool:
        with self._mutex:
            row = self._run(_ONE, driver)
        if row is not None and row[0]:
            return True
        if len(self._dead) > 1_000:
            self._dead.clear()
        self._dead[driver] = monotonic() + LOOK_S
        return False

    def _run(self, sql: str, value: str) -> Any:
        """One statement, on a new connection if the one that there is turns out to be lost."""
        for last in (False, True):
            try:
                return self._open().execute(sql, (value,)).fetchone()
            except psycopg.OperationalError as error:
                self._drop()
                if last:
                    raise StorageError(
                        "the database cannot be reached", fix="see that it runs, then try again"
                    ) from error
        return None

    def _open(self) -> psycopg.Connection[Any]:
        if self._connection is None:
            self._connection = connection = self._connect()
            connection.add_notify_handler(self._rung)
            if self._thread is not None:
                self._listen(connection)
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        # The lock is gone with it, and whoever looks takes this process for dead.
        self.held_until = self._beaten = -math.inf

    def _watching(self) -> psycopg.Connection[Any]:
        """The connection, with a thread that listens, beats and looks."""
        connection = self._open()
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="weft-leases", daemon=True)
            self._listen(connection)
            self._thread.start()
        return connection

    def _listen(self, connection: psycopg.Connection[Any]) -> None:
        connection.execute(f"LISTEN {_BELL}")
        self._spare(connection)
        for driver in self._held:
            connection.execute(_HOLD, (driver,))
        self._look(connection)
        # Whatever was rung while nobody listened.
        self._rings += 1

    def _spare(self, connection: psycopg.Connection[Any]) -> None:
        """After the server was started anew, those who lived before have time. It may have mended itself for long before it let anybody in."""
        row = connection.execute("SELECT pg_postmaster_start_time()").fetchone()
        started = None if row is None else row[0]
        if self._started is not None and started != self._started:
            self._spared, self._spared_until = self._living, monotonic() + _BOOT_S
        self._started = started

    def _rung(self, notification: psycopg.Notify) -> None:
        self._heard(notification.payload)

    def _heard(self, left: str) -> None:
        """The bell has rung; `left` is the name that was let go of, if any."""
        self._living -= {left}
        self._spared -= {left}
        self._rings += 1

    def _watch(self) -> None:
        wait = 0.0
        while not self._closed:
            try:
                with self._mutex:
                    connection = self._open()
                    left = self._looked + LOOK_S - monotonic()
                readable, _, _ = select.select([connection.fileno(), self._wake[0]], [], [], max(0.0, left))
                with self._mutex:
                    if connection is self._connection and self._wake[0] not in readable:
                        self._tend(connection, heard=connection.fileno() in readable)
                wait = 0.0
            except (psycopg.Error, StorageError, OSError, ValueError):
                with self._mutex:
                    self._drop()
                wait = min(1.0, 2 * wait + 0.05)
                select.select([self._wake[0]], [], [], wait * (0.5 + os.urandom(1)[0] / 256))

    def _tend(self, connection: psycopg.Connection[Any], *, heard: bool) -> None:
        if heard:
            connection.pgconn.consume_input()
            while (notification := connection.pgconn.notifies()) is not None:
                self._heard(notification.extra.decode(errors="replace"))
        if monotonic() >= self._looked + LOOK_S:
            self._look(connection)

    def _look(self, connection: psycopg.Connection[Any]) -> None:
        """Beat, and see who else does. Who does no more is a reason to look for what they have left behind."""
        now = since_boot()
        if self._held and now - self._turned < STILL_S:
            connection.execute(_BEAT, (list(self._held),))
            # After a gap, others may act for a moment on what they saw in it: only the next beat counts again.
            if now - self._beaten <= HELD_S:
                self.held_until = now + HELD_S
            else:
                self.gaps += 1
            self._beaten = now
        living = frozenset(row[0] for row in connection.execute(_OTHERS))
        if monotonic() < self._spared_until:
            living |= self._spared
        if self._living - living:
            self._rings += 1
            connection.execute(_FORGET)
        self._living = living
        self._looked = monotonic()
