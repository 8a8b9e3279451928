"""Sealing anew what is stored: what is still plain, or sealed with a data key that is not the newest; and opening it for good.

It goes through the tables page by page, each in a transaction of its own, while runs go on. What was done stays done when it is
killed, and shows by itself: a value says with which key it is sealed. The hash chains of runs are not touched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from weft.store.data_keys import put_away
from weft.store.journal import Journal
from weft.store.keyring import Keyring, version_of
from weft.store.resealing_events import EventPass, without_orphans
from weft.store.sealing import (
    CONTENT,
    STORE,
    ShreddedError,
    Spot,
    is_sealed,
    open_bytes,
    open_text,
    seal_text,
    sealed_bytes,
)
from weft.store.service_tables import metadata
from weft.store.sql import Transaction

_PAGE = 200
Row = Sequence[Any]
Told = Callable[[str, int], object]


@dataclass(slots=True)
class Resealing:
    """Brings everything that is stored to the state that `keyring` writes: sealed with the newest key of each tenant, or plain.

    `done` counts the values that were changed, by table, `lost` those whose key was shredded.
    """

    journal: Journal
    keyring: Keyring
    page: int = _PAGE
    done: Counter[str] = field(default_factory=Counter)
    lost: int = 0

    def run(self, *, at: int, told: Told = lambda _table, _done: None) -> None:
        """Do it; `told` hears after each page how many values of a table were changed.

        Raises:
            WeftError: something that is sealed does not open, or the database refuses.
        """
        events = EventPass(self.keyring)
        self._walk("plans", "SELECT hash, body FROM plans", ("hash",), self._plan, told)
        self._walk("events", events.select, ("e.run_id", "e.seq"), events.change, told)
        self._walk("blobs", "SELECT tenant, hash, bytes FROM blobs", ("tenant", "hash"), self._blob, told)
        self.journal.writer.call(without_orphans(sealed=self.keyring.writes))
        self._walk("chains", "SELECT tenant, run_id, chain FROM chains", ("tenant", "run_id"), self._chain, told)
        for table in CONTENT:
            texts = _Texts(table, self.keyring)
            self._walk(table, _select(table), CONTENT[table].key, texts.change, told)
        if not self.keyring.writes:
            self.journal.writer.call(put_away(at))
        self.journal.database.scrub()

    def _walk(
        self, table: str, select: str, key: tuple[str, ...], change: Callable[[Transaction, Row], int], told: Told
    ) -> None:
        last: Row | None = None
        while True:

            def work(connection: Transaction, after: Row | None = last) -> tuple[Row | None, int, int]:
                rows = _after(connection, select, key, after, self.page)
                changed = lost = 0
                for row in rows:
                    try:
                        changed += change(connection, row)
                    except ShreddedError:
                        lost += 1
                return (rows[-1][: len(key)] if len(rows) == self.page else None), changed, lost

            last, changed, lost = self.journal.writer.call(work)
            self.done[table] += changed
            self.lost += lost
            told(table, self.done[table])
            if last is None:
                return

    def _plan(self, connection: Transaction, row: Row) -> int:
        hash_, body = row
        spot = Spot(STORE, "plans", "body", (hash_,))
        if not due(self.keyring, connection, spot, body):
            return 0
        plain = open_bytes(self.keyring, spot, body)
        stored = self.keyring.seal(connection, spot, plain) if self.keyring.writes else plain
        return connection.execute("UPDATE plans SET body=? WHERE hash=? AND body=?", (stored, hash_, body)).rowcount

    def _blob(self, connection: Transaction, row: Row) -> int:
        tenant, name, held = row
        spot = Spot(tenant, "blobs", "bytes", (name,))
        # Those that are plain have another name once they are sealed, and the other way round: the events' pass makes them.
        if not self.keyring.writes or not is_sealed(held) or not due(self.keyring, connection, spot, held):
            return 0
        stored = self.keyring.seal(connection, spot, self.keyring.open(spot, held))
        return connection.execute("UPDATE blobs SET bytes=? WHERE tenant=? AND hash=?", (stored, tenant, name)).rowcount

    def _chain(self, connection: Transaction, row: Row) -> int:
        tenant, run_id, chain = row
        if self.keyring.writes and not chain.startswith("k"):
            named = self.keyring.name(connection, tenant, chain.encode())
            sql, given = "UPDATE chains SET chain=? WHERE tenant=? AND run_id=?", (named, tenant, run_id)
            return connection.execute(sql, given).rowcount
        if not self.keyring.writes and chain.startswith("k"):
            # What it was the hash of nobody knows any more. A conversation that is sent again begins a new session.
            return connection.execute("DELETE FROM chains WHERE tenant=? AND run_id=?", (tenant, run_id)).rowcount
        return 0


def due(keyring: Keyring, connection: Transaction, spot: Spot, value: bytes) -> bool:
    """Whether bytes are not stored as `keyring` would store them now."""
    if not is_sealed(value):
        return keyring.writes
    return not keyring.writes or version_of(value) != keyring.version(connection, spot.tenant)


@dataclass(frozen=True, slots=True)
class _Texts:
    """The columns of text of one table."""

    table: str
    keyring: Keyring

    def change(self, connection: Transaction, row: Row) -> int:
        """Bring one row to its state; how many values were changed."""
        content = CONTENT[self.table]
        width = len(content.key)
        key, tenant, texts = tuple(row[:width]), row[width], row[width + 1 :]
        where = " AND ".join(f"{name}=?" for name in content.key)
        changed = 0
        for column, text in zip(content.texts, texts, strict=True):
            spot = Spot(tenant or "", self.table, column, key)
            if text is None or not self._due(connection, spot, text):
                continue
            if self.table == "messages":
                # The index of words follows rows that come and go. They are made anew from the runs when somebody searches.
                sql, given = f"DELETE FROM {self.table} WHERE {where}", key  # noqa: S608 -- our own names
            else:
                plain = open_text(self.keyring, spot, text)
                stored = seal_text(self.keyring, connection, spot, plain) if self.keyring.writes else plain
                sql = f"UPDATE {self.table} SET {column}=? WHERE {where} AND {column}=?"  # noqa: S608 -- our own names
                given = (stored, *key, text)
            changed += connection.execute(sql, given).rowcount
        return changed

    def _due(self, connection: Transaction, spot: Spot, text: str) -> bool:
        return due(self.keyring, connection, spot, sealed_bytes(spot, text) if is_sealed(text) else b"")


def _select(table: str) -> str:
    """Key, tenant and texts of every row of a table."""
    content = CONTENT[table]
    own = "tenant" in metadata.tables[table].columns
    tenant = "tenant" if own else f"(SELECT tenant FROM runs WHERE runs.id={table}.run_id)"  # noqa: S608 -- same
    return f"SELECT {', '.join((*content.key, tenant, *content.texts))} FROM {table}"  # noqa: S608 -- our own names


def _after(connection: Transaction, select: str, key: tuple[str, ...], after: Row | None, limit: int) -> list[Row]:
    beyond = f" WHERE ({', '.join(key)}) > ({', '.join('?' * len(key))})" if after is not None else ""
    sql = f"{select}{beyond} ORDER BY {', '.join(key)} LIMIT {limit}"
    return list(connection.execute(sql, tuple(after or ())).fetchall())


def census(journal: Journal) -> Counter[tuple[str, int]]:
    """How many values of each tenant are sealed with which version of its key; 0 are those in plain."""
    found: Counter[tuple[str, int]] = Counter()
    with journal.database.snapshot() as rows:
        for table in CONTENT:
            width = len(CONTENT[table].key)
            for row in rows(_select(table)):
                spot = Spot("", table, "", tuple(row[:width]))
                for text in row[width + 1 :]:
                    if text is not None:
                        found[row[width] or "", version_of(sealed_bytes(spot, text)) if is_sealed(text) else 0] += 1
        for sql in (
            f"SELECT '{STORE}', body FROM plans",  # noqa: S608 -- ours
            "SELECT tenant, bytes FROM blobs",
            "SELECT r.tenant, e.data FROM events e JOIN runs r ON r.id = e.run_id WHERE e.data IS NOT NULL",
        ):
            for tenant, value in rows(sql):
                found[tenant, version_of(value) if is_sealed(value) else 0] += 1
    return found
