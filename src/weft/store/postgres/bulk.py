"""Many rows in one statement: arrays, one for each column."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from weft.store.append import OPEN, Blob, Event, Move
from weft.store.postgres.arrays import Bigints, Blobs, Texts
from weft.store.postgres.statements import Statements
from weft.store.sql import Rows

_MOVE = (
    "UPDATE runs SET head_seq=m.seq, head_hash=m.hash, updated_at=m.at "  # noqa: S608 -- ours
    "FROM unnest($1::bigint[],$2::bytea[],$3::bigint[],$4::text[],$5::bigint[],$6::bigint[]) "
    "AS m(seq,hash,at,run,epoch,before) "
    "WHERE id=m.run AND runs.epoch=m.epoch AND head_seq=m.before" + OPEN
).encode()
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
_RUN = 3
_MOVE_COLUMNS = (Bigints, Blobs, Bigints, Texts, Bigints, Bigints)
_EVENT_COLUMNS = (Texts, Bigints, Bigints, Texts, Texts, Bigints, Blobs, Texts, Blobs, Blobs)
_SEALED_COLUMNS = (*_EVENT_COLUMNS[:-1], Blobs, Blobs)
_BLOB_COLUMNS = (Texts, Texts, Blobs)


class PostgresBulk:
    """See `weft.store.append.Bulk`."""

    def move(self, connection: Statements, moves: Sequence[Move]) -> Rows:
        """Move heads, in the same order whoever does it, so that two processes do not wait for each other."""
        moved: Rows = connection.send(_MOVE, _columns(_MOVE_COLUMNS, sorted(moves, key=itemgetter(_RUN))))
        return moved

    def write(
        self, connection: Statements, moves: Sequence[Move], events: Sequence[Event], blobs: Sequence[Blob]
    ) -> Rows | None:
        """Move heads and write rows, all on one way to the server and back."""
        moved = self.move(connection, moves) if moves else None
        if blobs:
            connection.send(_BLOBS, _columns(_BLOB_COLUMNS, sorted({blob[:2]: blob for blob in blobs}.values())))
        if events:
            sealed = len(events[0]) > len(_EVENT_COLUMNS)
            statement, kinds = (_SEALED, _SEALED_COLUMNS) if sealed else (_EVENTS, _EVENT_COLUMNS)
            connection.send(statement, _columns(kinds, events))
        connection.hear()
        return moved


def _columns(kinds: Sequence[Any], rows: Sequence[tuple[Any, ...]]) -> list[bytes]:
    return [kind.of(column) for kind, column in zip(kinds, zip(*rows, strict=True), strict=True)]
