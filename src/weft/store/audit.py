"""The audit log: who did what to which thing, and what was denied. Entries are only ever added.

Each tenant has a chain of its own, whose entries are numbered without a gap; its signed head says where it ends.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, select

from weft.core import canonical
from weft.core.errors import StorageError
from weft.store.audit_chain import GENESIS, Head, Row, body
from weft.store.seen import seen_by
from weft.store.service_tables import audit, audit_heads
from weft.store.sql import Transaction

_PAGE = 500
"""Few enough that a page is still in the processor's cache when it is hashed: larger ones are slower."""
_LENGTHS = {"principal": 300, "act": 100, "target": 500, "outcome": 20}
_MAX_DATA = 16_384
_SHORT, _FEW, _DEEP = 200, 40, 4
"""Characters, members and levels of what an entry says that are kept when all of it is too long."""
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
"""Characters that break a line, change its direction, or cannot be seen."""
_BREAKS = re.compile("[\x7f-\x9f\u2028\u2029]")
"""Where some readers see the end of a line although JSON has none."""
_PAGED = "SELECT {} FROM audit WHERE tenant=? AND seq>? ORDER BY seq LIMIT ?"
_INSERT = "INSERT INTO audit (tenant, seq, at, principal, act, target, outcome, data, hash) VALUES (?,?,?,?,?,?,?,?,?)"
_SEAL = (
    "INSERT INTO audit_heads (tenant, seq, hash, at, key, signature) VALUES (?,?,?,?,?,?) ON CONFLICT (tenant) DO UPDATE "
    "SET seq=excluded.seq, hash=excluded.hash, at=excluded.at, key=excluded.key, signature=excluded.signature"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One act. `act` is such as ``run.start``, `target` such as ``run/<id>``, `outcome` ``done``, ``denied`` or ``failed``."""

    principal: str
    act: str
    target: str
    at: int
    outcome: str = "done"
    data: Mapping[str, Any] = field(default_factory=dict)
    tenant: str = "local"
    seq: int = 0
    hash: str = ""


class Sealer(Protocol):
    """Vouches for the head of a chain."""

    @property
    def key(self) -> str:
        """The id of the key that signs."""
        ...

    def sign(self, statement: bytes) -> str:
        """The signature of `statement`, as Base64."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which entries. An `act` or `target` that ends in ``*`` is the beginning of one; times are in microseconds."""

    principal: str | None = None
    act: str | None = None
    target: str | None = None
    outcome: str | None = None
    since: int | None = None
    until: int | None = None

    def conditions(self) -> Iterator[Any]:
        """The filter in the words of the database."""
        for column in (audit.c.principal, audit.c.act, audit.c.target, audit.c.outcome):
            value = getattr(self, column.name)
            if value is not None and value.endswith("*"):
                yield column.startswith(value[:-1], autoescape=True)
            elif value is not None:
                yield column == value
        if self.since is not None:
            yield audit.c.at >= self.since
        if self.until is not None:
            yield audit.c.at < self.until


class Audit:
    """Questions about what was done."""

    def __init__(
        self, engine: Engine, path: Path | str, reading: Callable[[], AbstractContextManager[Transaction]]
    ) -> None:
        self._engine = engine
        self._path = path
        self._reading = reading

    def list(
        self, which: AuditFilter = AuditFilter(), *, tenant: str = "local", before: int | None = None, limit: int = 50
    ) -> list[Entry]:
        """Entries, the newest first; `before` is the number of the last entry of the page before."""
        query = select(audit).where(audit.c.tenant == tenant, *which.conditions())
        if before is not None:
            query = query.where(audit.c.seq < before)
        with self._read(tenant) as connection:
            rows = connection.execute(query.order_by(audit.c.seq.desc()).limit(limit))
            return [Entry(**{**row._mapping, "data": json.loads(row.data)}) for row in rows]  # noqa: SLF001 -- SQLAlchemy's documented way to a mapping

    def tenants(self) -> Sequence[str]:
        """The tenants that have a log."""
        with self._read() as connection:
            kept = connection.execute(select(audit.c.tenant).distinct()).scalars()
            return sorted({*kept, *connection.execute(select(audit_heads.c.tenant)).scalars()})

    def rows(self, tenant: str, *, after: int = 0) -> Iterator[Row]:
        """The entries after number `after` as they are stored, the oldest first; what is added meanwhile comes too."""
        return map(Row._make, chain.from_iterable(self.pages(tenant, after=after)))

    def pages(self, tenant: str, *, after: int = 0) -> Iterator[Sequence[Row]]:
        """The same in pages of plain tuples in the order of `Row`: what the driver gives, for a proof reads every entry."""
        while True:
            found = self._page(tenant, after)
            yield found
            if len(found) < _PAGE:
                return
            after = found[-1][1]

    def _page(self, tenant: str, after: int) -> Sequence[Row]:
        given = (tenant, after, _PAGE)
        try:
            with self._reading() as connection:
                found: list[Row] = connection.execute(_PAGED.format(", ".join(Row._fields)), given).fetchall()
                return found
        except StorageError:
            # SQLite holds whatever was put into its file, also what is no text: a proof has to come as far as that entry.
            raw = (f"CASE typeof({name}) WHEN 'text' THEN CAST({name} AS BLOB) ELSE {name} END" for name in Row._fields)
            with suppress(StorageError), self._reading() as connection:
                rows = connection.execute(_PAGED.format(", ".join(raw)), given).fetchall()
                return [Row(*map(_legible, row)) for row in rows]
            raise

    def hash_of(self, tenant: str, seq: int) -> str | None:
        """The hash of an entry, if it is there."""
        query = select(audit.c.hash).where(audit.c.tenant == tenant, audit.c.seq == seq)
        with self._read(tenant) as connection:
            return connection.execute(query).scalar()

    def head(self, tenant: str) -> Head | None:
        """The signed end of the log; None before the first entry."""
        with self._read(tenant) as connection:
            row = connection.execute(select(audit_heads).where(audit_heads.c.tenant == tenant)).first()
        return None if row is None else Head(**row._mapping)  # noqa: SLF001 -- same

    def _read(self, tenant: str | None = None) -> AbstractContextManager[Connection]:
        return seen_by(self._engine, self._path, tenant)


@dataclass(frozen=True, slots=True)
class Noted:
    """Entries that are added at the end of the transaction whose append has them; see `weft.store.pending.AtEnd`."""

    entries: Sequence[Entry]
    sealer: Sealer

    @property
    def kind(self) -> object:
        """One signature serves all that one key signs."""
        return self.sealer

    def do_all(self, connection: Transaction, works: Sequence[Noted]) -> None:
        """Add the entries of all of these."""
        note([entry for work in works for entry in work.entries], self.sealer)(connection)


def note(entries: Sequence[Entry], sealer: Sealer) -> Callable[[Transaction], None]:
    """Work for the writer: add entries, and have the new end of each chain signed."""

    def work(connection: Transaction) -> None:
        heads: dict[str, Head] = {}
        rows = []
        for entry in entries:
            head = heads.get(entry.tenant) or _head(connection, entry.tenant)
            row = _row(entry, head.seq + 1)
            hash_ = sha256(body(row, head.hash)).hexdigest()
            rows.append(row._replace(hash=hash_))
            heads[entry.tenant] = Head(tenant=entry.tenant, seq=row.seq, hash=hash_, at=entry.at, key=sealer.key)
        connection.executemany(_INSERT, rows)
        for head in heads.values():
            signature = sealer.sign(head.statement())
            connection.execute(_SEAL, (head.tenant, head.seq, head.hash, head.at, head.key, signature))

    return work


def _head(connection: Transaction, tenant: str) -> Head:
    """Where a chain goes on: after what was vouched for, whatever has become of it since."""
    for query in (
        "SELECT seq, hash FROM audit_heads WHERE tenant=?",
        "SELECT seq, hash FROM audit WHERE tenant=? ORDER BY seq DESC LIMIT 1",
    ):
        found = connection.execute(query, (tenant,)).fetchone()
        if found is not None:
            return Head(tenant=tenant, seq=found[0], hash=found[1], at=0, key="")
    return Head(tenant=tenant, seq=0, hash=GENESIS, at=0, key="")


def _row(entry: Entry, seq: int) -> Row:
    texts = {name: _clean(getattr(entry, name), most) for name, most in _LENGTHS.items()}
    return Row(tenant=entry.tenant, seq=seq, at=entry.at, data=_data(entry.data), **texts)


def _data(given: Mapping[str, Any]) -> str:
    """What an entry says beside its names, as JSON on one line. One that cannot be kept as it is keeps none of its neighbours out."""
    try:
        data = canonical.dumps(dict(given)).decode()
        if len(data) > _MAX_DATA:
            # Each value for itself: a long one hides no other.
            data = canonical.dumps({"shortened": _short(given)}).decode()
    except (ValueError, TypeError, RecursionError):
        data = canonical.dumps({"unreadable": sorted(str(name)[:_SHORT] for name in given)[:_FEW]}).decode()
    if len(data) > _MAX_DATA:
        data = canonical.dumps({"shortened": data[:1_000]}).decode()
    return data if data.isascii() else _BREAKS.sub(_escaped, data)


def _short(value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return value if len(value) <= _SHORT else f"{value[:_SHORT]}…"
    if depth > _DEEP:
        return "…"
    if isinstance(value, Mapping):
        return {str(key)[:_SHORT]: _short(value[key], depth + 1) for key in sorted(value, key=str)[:_FEW]}
    return [_short(one, depth + 1) for one in value[:_FEW]] if isinstance(value, list | tuple) else value


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _legible(value: Any) -> Any:
    """A column's value; for what is no text, one that is in no entry."""
    try:
        return value.decode() if isinstance(value, bytes) else value
    except UnicodeDecodeError:
        return "\0"


def _clean(text: str, most: int) -> str:
    """A text as every database can hold it and every reader sees it: one line, in one direction, with nothing in it that cannot be seen."""
    text = text[:most]
    return text if text.isascii() and text.isprintable() else _UNSEEN.sub("\ufffd", text)
