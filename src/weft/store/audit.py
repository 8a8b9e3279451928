"""The audit log: who did what to which thing, and what was denied. Entries are only ever added."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, select

from weft.store.database import translated
from weft.store.service_tables import audit
from weft.store.sql import Transaction


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

    def __init__(self, engine: Engine, path: Path | str) -> None:
        self._engine = engine
        self._path = path

    def list(
        self, which: AuditFilter = AuditFilter(), *, tenant: str = "local", before: int | None = None, limit: int = 50
    ) -> list[Entry]:
        """Entries, the newest first; `before` is the number of the last entry of the page before."""
        query = select(audit).where(audit.c.tenant == tenant, *which.conditions())
        if before is not None:
            query = query.where(audit.c.seq < before)
        with self._read() as connection:
            rows = connection.execute(query.order_by(audit.c.seq.desc()).limit(limit))
            return [Entry(**{**row._mapping, "data": json.loads(row.data)}) for row in rows]  # noqa: SLF001 -- SQLAlchemy's documented way to a mapping

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with translated(self._path), self._engine.connect() as connection:
            yield connection


def note(entry: Entry) -> Callable[[Transaction], None]:
    """Work for the writer: add an entry."""

    def work(connection: Transaction) -> None:
        connection.execute(
            "INSERT INTO audit (tenant, principal, act, target, outcome, data, at) VALUES (?,?,?,?,?,?,?)",
            (
                entry.tenant,
                entry.principal,
                entry.act,
                entry.target,
                entry.outcome,
                json.dumps(dict(entry.data), sort_keys=True),
                entry.at,
            ),
        )

    return work
