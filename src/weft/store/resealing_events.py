"""Sealing anew the events of runs, and the blobs that hold those that are long. See `weft.store.resealing`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from weft.core.canonical import sha256
from weft.store.append import INLINE_BYTES, commitment
from weft.store.history import opened_event
from weft.store.keyring import Keyring, version_of
from weft.store.sealing import Spot
from weft.store.sql import Transaction

Row = Sequence[Any]


@dataclass(frozen=True, slots=True)
class EventPass:
    """The payloads of events, and their salts."""

    keyring: Keyring

    @property
    def select(self) -> str:
        """Key, and the rest as `weft.store.history` reads it."""
        return (
            "SELECT e.run_id, e.seq, e.at, e.kind, e.path, e.data, e.blob, e.salt, e.commitment, e.hash, r.tenant, b.bytes "
            "FROM events e JOIN runs r ON r.id = e.run_id LEFT JOIN blobs b ON b.tenant = r.tenant AND b.hash = e.blob"
        )

    def change(self, connection: Transaction, row: Row) -> int:
        """Bring one event to its state; whether it was not."""
        run_id, seq, _, _, _, data, blob, salt, kept, _, tenant, hidden = row
        if data is None and hidden is None:
            return 0  # erased
        if kept is None:
            return (
                self._sealed(connection, row, salt or b"", hidden if data is None else data)
                if self.keyring.writes
                else 0
            )
        if self.keyring.writes and version_of(data) == self.keyring.version(connection, tenant):
            return 0
        salt, payload = opened_event(run_id, tuple(row[1:]), self.keyring)
        if self.keyring.writes:
            spot = Spot(tenant, "events", "data", (run_id, seq))
            stored = self.keyring.seal(connection, spot, salt if blob is not None else salt + payload)
            sql = "UPDATE events SET data=? WHERE run_id=? AND seq=? AND data=?"
            return connection.execute(sql, (stored, run_id, seq, data)).rowcount
        name = sha256(payload) if len(payload) > INLINE_BYTES else None
        _keep(connection, tenant, name, payload)
        return connection.execute(
            "UPDATE events SET data=?, blob=?, salt=?, commitment=NULL WHERE run_id=? AND seq=? AND data=?",
            (payload if name is None else None, name, salt, run_id, seq, data),
        ).rowcount

    def _sealed(self, connection: Transaction, row: Row, salt: bytes, payload: bytes) -> int:
        run_id, seq, blob, tenant = row[0], row[1], row[6], row[10]
        name = None
        if blob is not None:
            name = self.keyring.name(connection, tenant, payload)
            spot = Spot(tenant, "blobs", "bytes", (name,))
            _keep(connection, tenant, name, self.keyring.seal(connection, spot, payload))
        inside = salt if name is not None else salt + payload
        stored = self.keyring.seal(connection, Spot(tenant, "events", "data", (run_id, seq)), inside)
        return connection.execute(
            "UPDATE events SET data=?, blob=?, salt=NULL, commitment=? WHERE run_id=? AND seq=? AND commitment IS NULL",
            (stored, name, commitment(salt, payload), run_id, seq),
        ).rowcount


def _keep(connection: Transaction, tenant: str, name: str | None, value: bytes) -> None:
    if name is not None:
        connection.execute("INSERT INTO blobs VALUES (?,?,?) ON CONFLICT DO NOTHING", (tenant, name, value))


def without_orphans(*, sealed: bool) -> Callable[[Transaction], int]:
    """Work for the writer: delete blobs that no event refers to any more, once all events refer to `sealed` ones, or to plain ones."""
    old = "NOT LIKE" if sealed else "LIKE"

    def work(connection: Transaction) -> int:
        return connection.execute(
            f"DELETE FROM blobs WHERE hash {old} 'k%' AND hash NOT IN (SELECT blob FROM events WHERE blob IS NOT NULL)"  # noqa: S608 -- ours
        ).rowcount

    return work
