"""The table of data keys: of each tenant the versions that it has had, wrapped by a master key that is kept elsewhere.

Version 0 names content, versions from 1 on seal it. A row without a key is one that was shredded; one that has ended and has its key
still is put away: nothing is sealed with it any more, as far as we know.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from weft.store.complaints import translated
from weft.store.port import Database
from weft.store.sealing import Keeping, Seal
from weft.store.sql import Transaction

NAMES = 0
"""The version of the key that names content; it stays the same as long as its tenant is not shredded."""
_COLUMNS = "tenant, version, wrapped, master, created_at, ended_at"
_ONE = f"SELECT {_COLUMNS} FROM data_keys WHERE tenant=? AND version=?"  # noqa: S608 -- ours
_NEWEST = f"SELECT {_COLUMNS} FROM data_keys WHERE tenant=? AND version>0 ORDER BY version DESC LIMIT 1"  # noqa: S608 -- ours
_ALL = f"SELECT {_COLUMNS} FROM data_keys ORDER BY tenant, version"  # noqa: S608 -- ours
_SAMPLES = (
    f"SELECT {_COLUMNS} FROM data_keys k WHERE ended_at IS NULL AND NOT EXISTS (SELECT 1 FROM data_keys o "  # noqa: S608 -- ours
    "WHERE o.master=k.master AND o.ended_at IS NULL AND (o.tenant<k.tenant OR (o.tenant=k.tenant AND o.version<k.version)))"
)


class KeyRow(NamedTuple):
    """One data key as it is stored; times are in microseconds. `master` is the id of the master key that wraps it."""

    tenant: str
    version: int
    wrapped: bytes | None
    master: str
    created_at: int
    ended_at: int | None


class Keys(Seal, Protocol):
    """A seal whose keys are in a store."""

    def attach(self, rows: DataKeys) -> None:
        """Use the data keys of this store.

        Raises:
            StorageError: some are wrapped by a master key that is not here.
            MismatchError: a data key is not what was stored.
        """


class DataKeys:
    """Questions about the data keys of a database, asked beside whatever transaction is open."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, tenant: str, version: int) -> KeyRow | None:
        """One of them."""
        found = self._ask(_ONE, (tenant, version))
        return found[0] if found else None

    def all(self) -> list[KeyRow]:
        """All of them, by tenant and version."""
        return self._ask(_ALL)

    def samples(self) -> list[KeyRow]:
        """One for each master key that wraps any that is in use; none in a store that is not sealed."""
        return self._ask(_SAMPLES)

    def _ask(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[KeyRow]:
        if self._database.in_memory:
            # There is one connection, and what SQLAlchemy does when it is done would undo a transaction on it.
            return [KeyRow(*row) for row in self._database.connect().execute(sql, parameters).fetchall()]
        engine = self._database.engine
        asked = sql if engine.dialect.paramstyle == "qmark" else sql.replace("?", "%s")
        with translated(self._database.path), engine.connect() as connection:
            return [KeyRow(*row) for row in connection.exec_driver_sql(asked, parameters).fetchall()]


def row_of(connection: Keeping, tenant: str, version: int) -> KeyRow | None:
    """One data key."""
    row = connection.execute(_ONE, (tenant, version)).fetchone()
    return None if row is None else KeyRow(*row)


def newest(connection: Keeping, tenant: str) -> KeyRow | None:
    """The data key of a tenant that seals."""
    row = connection.execute(_NEWEST, (tenant,)).fetchone()
    return None if row is None else KeyRow(*row)


def insert(connection: Keeping, row: KeyRow) -> None:
    """Keep a new data key, unless there is one of this version."""
    connection.execute(
        "INSERT INTO data_keys (tenant, version, wrapped, master, created_at) VALUES (?,?,?,?,?) ON CONFLICT DO NOTHING",
        row[:5],
    )


def rewrap(row: KeyRow, wrapped: bytes, master: str) -> Callable[[Transaction], bool]:
    """Work for the writer: keep a data key as another master key wraps it, unless it has changed meanwhile."""

    def work(connection: Keeping) -> bool:
        done = connection.execute(
            "UPDATE data_keys SET wrapped=?, master=? WHERE tenant=? AND version=? AND master=? AND wrapped IS NOT NULL",
            (wrapped, master, row.tenant, row.version, row.master),
        )
        return bool(done.rowcount == 1)

    return work


def shred(tenant: str, at: int) -> Callable[[Transaction], int]:
    """Work for the writer: destroy the data keys of a tenant; how many there were. What they sealed is as good as gone."""

    def work(connection: Keeping) -> int:
        connection.execute("DELETE FROM data_keys WHERE tenant=? AND version=?", (tenant, NAMES))
        done = connection.execute(
            "UPDATE data_keys SET wrapped=NULL, ended_at=? WHERE tenant=? AND wrapped IS NOT NULL", (at, tenant)
        )
        return int(done.rowcount)

    return work


def put_away(at: int) -> Callable[[Transaction], int]:
    """Work for the writer: nothing is sealed any more. Keys stay, for whoever has overlooked something."""

    def work(connection: Transaction) -> int:
        done = connection.execute("UPDATE data_keys SET ended_at=? WHERE ended_at IS NULL", (at,))
        return int(done.rowcount)

    return work
