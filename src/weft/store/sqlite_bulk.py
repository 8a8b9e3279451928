"""What many runs write at the same time, in SQLite's words: one statement for all rows of a kind."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import cache

from weft.store.pending import Blob, Columns, Ended, Event, Values
from weft.store.sql import Rows
from weft.store.statuses import OPEN

_EVENTS = "INSERT INTO events VALUES (?,?,?,?,?,?,?,?,?,NULL,?)"
_SEALED = "INSERT INTO events VALUES (?,?,?,?,?,?,?,?,?,?,?)"
_PLAIN = 10
"""Values of an event that is not sealed."""
_WITHDRAW = "UPDATE gates SET status='withdrawn', closed_at=? WHERE run_id=? AND status='open'"
_WAKE = (
    "UPDATE runs SET due=? WHERE status='waiting' AND id=(SELECT parent FROM runs WHERE id=? AND parent IS NOT NULL)"
)


class SqliteBulk:
    """See `weft.store.pending.Bulk`."""

    def create(self, connection: sqlite3.Connection, columns: Columns, rows: Sequence[Values]) -> object:
        """See `Bulk.create`."""
        return connection.executemany(_insert(columns), rows)

    def change(self, connection: sqlite3.Connection, columns: Columns, rows: Sequence[Values]) -> Rows:
        """See `Bulk.change`."""
        return connection.executemany(_update(columns), rows)

    def end(self, connection: sqlite3.Connection, ended: Sequence[Ended]) -> None:
        """See `Bulk.end`."""
        connection.executemany(_WITHDRAW, ended)
        connection.executemany(_WAKE, ended)

    def write(self, connection: sqlite3.Connection, events: Sequence[Event], blobs: Sequence[Blob]) -> None:
        """See `Bulk.write`."""
        if blobs:
            connection.executemany("INSERT INTO blobs VALUES (?,?,?) ON CONFLICT DO NOTHING", blobs)
        if events:
            # Sealed ones bring their commitment along.
            connection.executemany(_SEALED if len(events[0]) > _PLAIN else _EVENTS, events)


@cache
def _insert(columns: Columns) -> str:
    return f"INSERT INTO runs ({','.join(columns)}) VALUES ({','.join('?' * len(columns))})"  # noqa: S608 -- our names


@cache
def _update(columns: Columns) -> str:
    sets = ",".join(f"{name}=?" for name in columns)
    return f"UPDATE runs SET {sets} WHERE id=? AND epoch=? AND head_seq=?{OPEN}"  # noqa: S608 -- our names
