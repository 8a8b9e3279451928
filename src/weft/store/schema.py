"""Bring a database to the newest schema."""

from __future__ import annotations

import sqlite3
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.dialects.sqlite import dialect
from sqlalchemy.schema import CreateIndex, CreateTable

from weft.core.errors import MismatchError
from weft.store.service_tables import metadata

HEAD = "0013"
"""The newest revision under `migrations/versions`; a test holds it to Alembic's own answer."""
VERSIONS = """CREATE TABLE IF NOT EXISTS alembic_version (
    version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
)"""
"""Alembic's own table."""
EXTRAS = (
    "CREATE VIRTUAL TABLE messages_words USING fts5(content, content='messages', tokenize='unicode61')",
    (
        "CREATE TRIGGER messages_added AFTER INSERT ON messages BEGIN "
        "INSERT INTO messages_words(rowid, content) VALUES (new.rowid, new.content); END"
    ),
    (
        "CREATE TRIGGER messages_gone AFTER DELETE ON messages BEGIN "
        "INSERT INTO messages_words(messages_words, rowid, content) VALUES ('delete', old.rowid, old.content); END"
    ),
    (
        "CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN "
        "SELECT RAISE(ABORT, 'entries of the audit log are never changed'); END"
    ),
    (
        "CREATE TRIGGER audit_keeps BEFORE DELETE ON audit BEGIN "
        "SELECT RAISE(ABORT, 'entries of the audit log are never removed'); END"
    ),
)
"""What the tables as the code sees them cannot say: SQLite's own full-text index over the messages, and an audit log that only grows."""


def current(connection: sqlite3.Connection) -> str | None:
    """The revision that the database is at, or None when it is empty."""
    named = connection.execute("SELECT 1 FROM sqlite_master WHERE type='table' AND name='alembic_version'").fetchone()
    if named is None:
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def refuse_newer(at: str | None, otherwise: str) -> None:
    """Do nothing if this Weft understands a database at this revision; `otherwise` is what else one can do.

    Raises:
        MismatchError: it was written by a newer one.
    """
    if at is not None and at > HEAD:
        raise MismatchError(
            f"the database is at schema {at}, newer than this Weft understands ({HEAD})",
            fix=f"use the Weft that wrote it, or {otherwise}",
        )


def upgrade(connection: sqlite3.Connection, *, to: str = "head") -> None:
    """Run the missing migrations, or make the tables at once where there are none. Nothing happens when nothing is missing.

    Raises:
        MismatchError: the database was written by a newer Weft.
    """
    at = current(connection)
    if at == HEAD and to == "head":
        return
    refuse_newer(at, "point WEFT_HOME at another folder")
    if at is None and to == "head":
        _create(connection)
        return
    from sqlalchemy import create_engine  # noqa: PLC0415 -- only for a database that is there and older
    from sqlalchemy.pool import StaticPool  # noqa: PLC0415 -- same

    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    with engine.begin() as bound:
        # All or nothing: a process that dies half-way must not leave half a schema. SQLAlchemy leaves the beginning to the
        # driver, and the driver, in autocommit mode, to us.
        connection.execute("BEGIN IMMEDIATE")
        migrate(bound, to)


def migrate(bound: Connection, to: str) -> None:
    """Run the migrations up or down to a revision, in the transaction that is open."""
    # Alembic costs most of a second to import and is needed only for a database of an older Weft.
    from alembic import command  # noqa: PLC0415 -- see above
    from alembic.config import Config  # noqa: PLC0415 -- same

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = bound
    back = to == "base" or to.startswith("-") or (to != "head" and to < _at(bound))
    (command.downgrade if back else command.upgrade)(config, to)


def _at(bound: Connection) -> str:
    if not inspect(bound).has_table("alembic_version"):
        return ""
    return str(bound.execute(text("SELECT version_num FROM alembic_version")).scalar() or "")


def _create(connection: sqlite3.Connection) -> None:
    """Make the newest schema in an empty database: what the migrations come to, as a test holds the two to each other."""
    cursor = connection.cursor()
    cursor.execute("BEGIN IMMEDIATE")
    try:
        if current(connection) is None:  # another process may have been quicker
            for statement in _statements():
                cursor.execute(statement)
            cursor.execute("INSERT INTO alembic_version VALUES (?)", (HEAD,))
    except BaseException:  # also a cancelled one leaves nothing half done
        connection.rollback()
        raise
    cursor.execute("COMMIT")


@cache
def _statements() -> tuple[str, ...]:
    sqlite = dialect()
    tables = metadata.sorted_tables
    made = [CreateTable(table).compile(dialect=sqlite) for table in tables]
    made += [CreateIndex(index).compile(dialect=sqlite) for table in tables for index in sorted(table.indexes, key=str)]
    return (VERSIONS, *map(str, made), *EXTRAS)
