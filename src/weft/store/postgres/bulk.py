"""Many rows in one statement: arrays, one for each column."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from operator import itemgetter
from typing import Any

from weft.store.pending import Blob, Columns, Ended, Event, Values
from weft.store.postgres.arrays import Bigints, Blobs, Texts
from weft.store.postgres.statements import Statements
from weft.store.sql import Rows
from weft.store.statuses import OPEN

_WITHDRAW = (
    b"UPDATE gates SET status='withdrawn', closed_at=(SELECT max(at) FROM unnest($1::bigint[],$2::text[]) AS e(at,run) "
    b"WHERE e.run=run_id) WHERE run_id=ANY($2::text[]) AND status='open'"
)
_WAKE = (
    b"UPDATE runs SET due=(SELECT max(at) FROM unnest($1::bigint[]) AS e(at)) WHERE status='waiting' "
    b"AND id=ANY(ARRAY(SELECT parent FROM runs WHERE id=ANY($2::text[]) AND parent IS NOT NULL))"
)
"""Written so that both are found by their ids however many gates and runs wait."""
_EVENTS = (
    b"INSERT INTO events (run_id,seq,at,kind,path,outcome,data,blob,salt,hash) SELECT * FROM "
    b"unnest($1::text[],$2::bigint[],$3::bigint[],$4::text[],$5::text[],$6::bigint[],$7::bytea[],$8::text[],$9::bytea[],"
    b"$10::bytea[])"
)
_SEALED = (
    b"INSERT INTO events (run_id,seq,at,kind,path,outcome,data,blob,salt,commitment,hash) SELECT * FROM "
    b"unnest($1::text[],$2::bigint[],$3::bigint[],$4::text[],$5::text[],$6::bigint[],$7::bytea[],$8::text[],$9::bytea[],"
    b"$10::bytea[],$11::bytea[])"
)
_BLOBS = (
    b"INSERT INTO blobs (tenant,hash,bytes) SELECT * FROM unnest($1::text[],$2::text[],$3::bytea[]) "
    b"ON CONFLICT DO NOTHING"
)
_NUMBERS = frozenset({"epoch", "generation", "head_seq", "base_seq", "created_at", "updated_at", "due", "ended_at"})
"""Columns of ``runs`` that hold numbers; the hash of the head apart, the others hold texts."""
_TYPES = {Bigints: "bigint[]", Blobs: "bytea[]", Texts: "text[]"}
_WHERE = (Texts, Bigints, Bigints)
_EVENT_COLUMNS = (Texts, Bigints, Bigints, Texts, Texts, Bigints, Blobs, Texts, Blobs, Blobs)
_SEALED_COLUMNS = (*_EVENT_COLUMNS[:-1], Blobs, Blobs)
_BLOB_COLUMNS = (Texts, Texts, Blobs)


class PostgresBulk:
    """See `weft.store.append.Bulk`."""

    def create(self, connection: Statements, columns: Columns, rows: Sequence[Values]) -> object:
        """Insert rows of ``runs``."""
        statement, kinds = _insert(columns)
        return connection.send(statement, _arrays(kinds, rows))

    def change(self, connection: Statements, columns: Columns, rows: Sequence[Values]) -> Rows:
        """Set columns of runs, in the same order whoever does it, so that two processes do not wait for each other."""
        statement, kinds = _update(columns)
        changed: Rows = connection.send(statement, _arrays(kinds, sorted(rows, key=itemgetter(-len(_WHERE)))))
        return changed

    def end(self, connection: Statements, ended: Sequence[Ended]) -> None:
        """Withdraw the gates of runs and wake their parents."""
        for statement in (_WITHDRAW, _WAKE):
            connection.send(statement, _arrays((Bigints, Texts), ended))

    def write(self, connection: Statements, events: Sequence[Event], blobs: Sequence[Blob]) -> None:
        """Write rows, all on one way to the server and back."""
        if blobs:
            connection.send(_BLOBS, _arrays(_BLOB_COLUMNS, sorted({blob[:2]: blob for blob in blobs}.values())))
        if events:
            sealed = len(events[0]) > len(_EVENT_COLUMNS)
            statement, kinds = (_SEALED, _SEALED_COLUMNS) if sealed else (_EVENTS, _EVENT_COLUMNS)
            connection.send(statement, _arrays(kinds, events))
        connection.hear()


@cache
def _insert(columns: Columns) -> tuple[bytes, Sequence[Any]]:
    kinds = tuple(map(_kind, columns))
    statement = f"INSERT INTO runs ({','.join(columns)}) SELECT * FROM unnest({_parameters(kinds)})"  # noqa: S608 -- our names
    return statement.encode(), kinds


@cache
def _update(columns: Columns) -> tuple[bytes, Sequence[Any]]:
    kinds = (*map(_kind, columns), *_WHERE)
    statement = (
        f"UPDATE runs SET {','.join(f'{name}=m.{name}' for name in columns)} "  # noqa: S608 -- our names
        f"FROM unnest({_parameters(kinds)}) AS m({','.join(columns)},run,epoch_then,before) "
        "WHERE id=m.run AND runs.epoch=m.epoch_then AND runs.head_seq=m.before" + OPEN.replace("status", "runs.status")
        # Of the row as it is: what it is set to may have columns of the same names.
    )
    return statement.encode(), kinds


def _kind(column: str) -> Any:
    if column in _NUMBERS:
        return Bigints
    return Blobs if column == "head_hash" else Texts


def _parameters(kinds: Sequence[Any]) -> str:
    return ",".join(f"${number}::{_TYPES[kind]}" for number, kind in enumerate(kinds, 1))


def _arrays(kinds: Sequence[Any], rows: Sequence[tuple[Any, ...]]) -> list[bytes]:
    return [kind.of(column) for kind, column in zip(kinds, zip(*rows, strict=True), strict=True)]
