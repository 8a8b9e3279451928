"""Which database an address means."""

from __future__ import annotations

import sqlite3
from importlib import import_module
from pathlib import Path
from typing import Any

from weft.core.errors import StorageError, UnsupportedError
from weft.store import schema
from weft.store.complaints import translated
from weft.store.database import BUSY_S, Durability, SqliteDatabase
from weft.store.port import Database

POSTGRES = ("postgresql://", "postgres://")
"""How the address of a Postgres database begins."""


def open_database(where: Path | str, durability: Durability = "full", busy_s: float = BUSY_S) -> Database:
    """The database at a path or an address, at the newest schema.

    Raises:
        StorageError: it cannot be opened, or what talks to it is not installed.
        MismatchError: it was written by a newer Weft.
    """
    if is_postgres(where):
        postgres: Database = _postgres("database").PostgresDatabase(where, durability=durability)
        return postgres
    return SqliteDatabase(where, durability=durability, busy_s=busy_s)


def revision_of(where: Path | str) -> str | None:
    """The revision of the schema that a database is at, without changing it; None when there is nothing in it.

    Raises:
        StorageError: it cannot be read.
    """
    if is_postgres(where):
        revision: str | None = _postgres("database").revision_of(where)
        return revision
    if not Path(where).exists():
        return None
    with translated(where):
        connection = sqlite3.connect(f"{Path(where).absolute().as_uri()}?mode=ro", uri=True)
        try:
            return schema.current(connection)
        finally:
            connection.close()


def let_in(where: Path | str, role: str, tenant: str | None) -> None:
    """Let a role of the database see one tenant; without one, the tenant that its sessions name.

    Raises:
        UnsupportedError: the database has no roles.
        InputError: there is no such role, or it sees everything anyway.
    """
    _readers(where).let_in(where, role, tenant)


def shut_out(where: Path | str, role: str) -> None:
    """Let a role of the database see nothing any more.

    Raises:
        UnsupportedError: the database has no roles.
        InputError: it saw nothing.
    """
    _readers(where).shut_out(where, role)


def is_postgres(where: Path | str) -> bool:
    """Whether that is the address of a Postgres database."""
    return isinstance(where, str) and where.startswith(POSTGRES)


def _readers(where: Path | str) -> Any:
    if not is_postgres(where):
        raise UnsupportedError("a store in a file has no roles", fix="set store.url to a PostgreSQL database")
    return _postgres("sight")


def _postgres(module: str) -> Any:
    """A module of what talks to Postgres: its driver is an extra, and costs time to import."""
    try:
        return import_module(f"weft.store.postgres.{module}")
    except ImportError as error:
        raise StorageError("what talks to Postgres is not installed", fix="pip install 'weft[postgres]'") from error
