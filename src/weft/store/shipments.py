"""How far the audit log of a tenant was shipped to a target, and who ships it.

What is about to be sent is written down first: a process that comes after a crash sends exactly those entries again, so that what they become
has the same name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, select

from weft.store.seen import seen_by
from weft.store.service_tables import shipments
from weft.store.sql import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """Entries up to `seq` have arrived; those up to `sending` may have, when it is not 0."""

    tenant: str
    target: str
    seq: int = 0
    sending: int = 0
    holder: str = ""


class Shipments:
    """Questions about what was shipped."""

    def __init__(self, engine: Engine, path: Path | str) -> None:
        self._engine = engine
        self._path = path

    def get(self, tenant: str, target: str) -> Shipment:
        """How far the log of a tenant was shipped."""
        columns = (shipments.c.seq, shipments.c.sending, shipments.c.holder)
        query = select(*columns).where(shipments.c.tenant == tenant, shipments.c.target == target)
        with seen_by(self._engine, self._path, tenant) as connection:
            row = connection.execute(query).first()
        if row is None:
            return Shipment(tenant=tenant, target=target)
        return Shipment(tenant=tenant, target=target, seq=row.seq, sending=row.sending, holder=row.holder)


def claim(
    tenant: str, target: str, holder: str, *, last: int, now: int, until: int
) -> Callable[[Transaction], Shipment | None]:
    """Work for the writer: `holder` is to send the entries up to `last`, or those that were being sent; None while another one has time for it."""

    def work(connection: Transaction) -> Shipment | None:
        row = connection.execute(
            "SELECT seq, sending, holder, until FROM shipments WHERE tenant=? AND target=?", (tenant, target)
        ).fetchone()
        seq, sending, other, free = row if row is not None else (0, 0, "", 0)
        if (other not in {"", holder} and free > now) or (not sending and last <= seq):
            return None
        connection.execute(
            "INSERT INTO shipments (tenant, target, seq, sending, holder, until) VALUES (?,?,?,?,?,?) "
            "ON CONFLICT (tenant, target) DO UPDATE SET sending=excluded.sending, holder=excluded.holder, until=excluded.until",
            (tenant, target, seq, sending or last, holder, until),
        )
        return Shipment(tenant=tenant, target=target, seq=seq, sending=sending, holder=holder)

    return work


def arrived(one: Shipment) -> Callable[[Transaction], None]:
    """Work for the writer: what was being sent has arrived, unless somebody else has taken over meanwhile."""

    def work(connection: Transaction) -> None:
        connection.execute(
            "UPDATE shipments SET seq=sending, sending=0, holder='', until=0 "
            "WHERE tenant=? AND target=? AND holder=? AND sending=?",
            (one.tenant, one.target, one.holder, one.sending),
        )

    return work


def let_go(one: Shipment) -> Callable[[Transaction], None]:
    """Work for the writer: somebody else may try."""

    def work(connection: Transaction) -> None:
        connection.execute(
            "UPDATE shipments SET holder='', until=0 WHERE tenant=? AND target=? AND holder=?",
            (one.tenant, one.target, one.holder),
        )

    return work
