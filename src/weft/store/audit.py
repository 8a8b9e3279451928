"""The audit log: who did what to which thing, and what was denied. Entries are only ever added."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, select

from weft.store.database import translated
from weft.store.service_tables import audit


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


class Audit:
    """Questions about what was done."""

    def __init__(self, engine: Engine, path: Path | str) -> None:
        self._engine = engine
        self._path = path

    def list(
        self, *, tenant: str = "local", act: str | None = None, before: int | None = None, limit: int = 50
    ) -> list[Entry]:
        """Entries, the newest first; `before` is the number of the last entry of the page before."""
        query = select(audit).where(audit.c.tenant == tenant)
        if act is not None:
            query = query.where(audit.c.act == act)
        if before is not None:
            query = query.where(audit.c.seq < before)
        with self._read() as connection:
            rows = connection.execute(query.order_by(audit.c.seq.desc()).limit(limit))
            return [Entry(**{**row._mapping, "data": json.loads(row.data)}) for row in rows]  # noqa: SLF001 -- SQLAlchemy's documented way to a mapping

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with translated(self._path), self._engine.connect() as connection:
            yield connection


def note(entry: Entry) -> Callable[[sqlite3.Connection], None]:
    """Work for the writer: add an entry."""

    def work(connection: sqlite3.Connection) -> None:
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
