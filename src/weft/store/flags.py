"""Feature flags: the values that somebody has set, by name."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, select

from weft.store.complaints import translated
from weft.store.service_tables import flags
from weft.store.sql import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFlag:
    """A flag that was set, to a JSON value, by whom and when (microseconds)."""

    name: str
    value: Any
    principal: str
    updated_at: int
    tenant: str = "local"


class SetFlags:
    """Questions about flags that were set."""

    def __init__(self, engine: Engine, path: Path | str) -> None:
        self._engine = engine
        self._path = path

    def all(self) -> list[SetFlag]:
        """Every flag of every tenant that was set."""
        with self._read() as connection:
            rows = connection.execute(select(flags))
            return [SetFlag(**{**row._mapping, "value": json.loads(row.value)}) for row in rows]  # noqa: SLF001 -- SQLAlchemy's documented way to a mapping

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with translated(self._path), self._engine.connect() as connection:
            yield connection


def set_flag(flag: SetFlag) -> Callable[[Transaction], None]:
    """Work for the writer: set a flag."""

    def work(connection: Transaction) -> None:
        connection.execute(
            "INSERT INTO flags (tenant, name, value, principal, updated_at) VALUES (?,?,?,?,?) ON CONFLICT (tenant, name) "
            "DO UPDATE SET value=excluded.value, principal=excluded.principal, updated_at=excluded.updated_at",
            (flag.tenant, flag.name, json.dumps(flag.value), flag.principal, flag.updated_at),
        )

    return work


def unset_flag(name: str, *, tenant: str = "local") -> Callable[[Transaction], None]:
    """Work for the writer: have a flag say what it says by default."""

    def work(connection: Transaction) -> None:
        connection.execute("DELETE FROM flags WHERE tenant=? AND name=?", (tenant, name))

    return work
