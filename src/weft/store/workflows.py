"""Registered workflows: the text of each version, which never changes once it is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, func, select

from weft.core.canonical import sha256
from weft.core.errors import NotFoundError
from weft.store.sealing import Seal, Spot, as_stored, open_text, opened
from weft.store.seen import seen_by
from weft.store.service_tables import workflows
from weft.store.sql import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """One version of a workflow. `hash` is SHA-256 of `source`, its text; `created_at` is in microseconds."""

    name: str
    version: int
    hash: str
    source: str
    note: str = ""
    principal: str = "local"
    created_at: int = 0
    tenant: str = "local"


_NAMES = [column.name for column in workflows.c]
_NEWEST = f"SELECT {', '.join(_NAMES)} FROM workflows WHERE tenant=? AND name=? ORDER BY version DESC LIMIT 1"  # noqa: S608 -- our own names


class Workflows:
    """Questions about registered workflows."""

    def __init__(
        self,
        engine: Engine,
        path: Path | str,
        at_once: Callable[[str | None], AbstractContextManager[Transaction]],
        seal: Seal | None = None,
    ) -> None:
        self._seal = seal
        self._engine = engine
        self._at_once = at_once
        self._path = path

    def latest(self, *, tenant: str = "local") -> list[Registered]:
        """The newest version of each workflow, by name."""
        newest = (
            select(workflows.c.name, func.max(workflows.c.version).label("version"))
            .where(workflows.c.tenant == tenant)
            .group_by(workflows.c.name)
            .subquery()
        )
        query = (
            select(workflows)
            .join(newest, (workflows.c.name == newest.c.name) & (workflows.c.version == newest.c.version))
            .where(workflows.c.tenant == tenant)
            .order_by(workflows.c.name)
        )
        with self._read(tenant) as connection:
            return [self._made(row._mapping) for row in connection.execute(query)]  # noqa: SLF001 -- SQLAlchemy's documented way to a mapping

    def newest(self, name: str, *, tenant: str = "local") -> Registered | None:
        """The newest version of a workflow, if it is registered."""
        with self._at_once(tenant) as connection:
            row = connection.execute(_NEWEST, (tenant, name)).fetchone()
        return None if row is None else self._made(dict(zip(_NAMES, row, strict=True)))

    def versions(self, name: str, *, tenant: str = "local") -> list[Registered]:
        """All versions of a workflow, the newest first."""
        query = (
            select(workflows)
            .where(workflows.c.tenant == tenant, workflows.c.name == name)
            .order_by(workflows.c.version.desc())
        )
        with self._read(tenant) as connection:
            return [self._made(row._mapping) for row in connection.execute(query)]  # noqa: SLF001 -- same

    def get(self, name: str, version: int | None = None, *, tenant: str = "local") -> Registered:
        """One version of a workflow, the newest by default.

        Raises:
            NotFoundError: there is none.
        """
        found = self.versions(name, tenant=tenant)
        for one in found:
            if version is None or one.version == version:
                return one
        what = f"version {version} of {name!r}" if found else f"workflow {name!r}"
        raise NotFoundError(f"there is no {what}", fix="list the workflows to see what is registered")

    def _made(self, row: Mapping[Any, Any]) -> Registered:
        return Registered(**opened(self._seal, "workflows", row))

    def _read(self, tenant: str | None = None) -> AbstractContextManager[Connection]:
        return seen_by(self._engine, self._path, tenant)


def register(
    name: str, source: str, *, note: str, principal: str, at: int, tenant: str = "local"
) -> Callable[[Transaction], Registered]:
    """Work for the writer: keep `source` as the next version of `name`. The text of the newest version again makes none."""
    hash_ = sha256(source.encode())

    def work(connection: Transaction) -> Registered:
        row = connection.execute(
            "SELECT version, hash, note, principal, created_at FROM workflows WHERE tenant=? AND name=? "
            "ORDER BY version DESC LIMIT 1",
            (tenant, name),
        ).fetchone()
        if row is not None and row[1] == hash_:
            return Registered(
                name=name,
                version=row[0],
                hash=hash_,
                source=source,
                note=open_text(connection.seal, Spot(tenant, "workflows", "note", (tenant, name, row[0])), row[2]),
                principal=row[3],
                created_at=row[4],
                tenant=tenant,
            )
        made = Registered(
            name=name,
            version=1 if row is None else row[0] + 1,
            hash=hash_,
            source=source,
            note=note,
            principal=principal,
            created_at=at,
            tenant=tenant,
        )
        stored, said = as_stored(
            connection, "workflows", tenant, (tenant, name, made.version), source=source, note=note
        )
        connection.execute(
            "INSERT INTO workflows (tenant, name, version, hash, source, note, principal, created_at) "
            "VALUES (?,?,?,?,?,?,?,?)",
            (tenant, name, made.version, hash_, stored, said, principal, at),
        )
        return made

    return work


def unregister(name: str, *, tenant: str = "local") -> Callable[[Transaction], int]:
    """Work for the writer: forget all versions of a workflow, and say how many there were. Runs keep their plans."""

    def work(connection: Transaction) -> int:
        return connection.execute("DELETE FROM workflows WHERE tenant=? AND name=?", (tenant, name)).rowcount

    return work
