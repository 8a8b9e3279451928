"""Many rows in one statement: arrays, one for each column."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from weft.store.append import OPEN, Blob, Event, Move
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
_PLAIN = 10
"""Values of an event that is not sealed."""
_BLOBS = (
    b"INSERT INTO blobs (tenant,hash,bytes) SELECT * FROM unnest($1::text[],$2::text[],$3::bytea[]) "
    b"ON CONFLICT DO NOTHING"
)
_RUN = 3


class PostgresBulk:
    """See `weft.store.append.Bulk`."""

    def move(self, connection: Statements, moves: Sequence[Move]) -> Rows:
        """Move heads, in the same order whoever does it, so that two processes do not wait for each other."""
        moved: Rows = connection.send(_MOVE, _columns(sorted(moves, key=itemgetter(_RUN))))
        return moved

    def write(
        self, connection: Statements, moves: Sequence[Move], events: Sequence[Event], blobs: Sequence[Blob]
    ) -> Rows | None:
        """Move heads and write rows, all on one way to the server and back."""
        moved = self.move(connection, moves) if moves else None
        if blobs:
            connection.send(_BLOBS, _columns(sorted({blob[:2]: blob for blob in blobs}.values())))
        if events:
            connection.send(_SEALED if len(events[0]) > _PLAIN else _EVENTS, _columns(events))
        connection.hear()
        return moved


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
