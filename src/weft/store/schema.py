"""Bring a database to the newest schema."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from weft.core.errors import MismatchError

HEAD = "0005"
"""The newest revision under `migrations/versions`; a test holds it to Alembic's own answer."""


def current(connection: sqlite3.Connection) -> str | None:
    """The revision that the database is at, or None when it is empty."""
    named = connection.execute("SELECT 1 FROM sqlite_master WHERE type='table' AND name='alembic_version'").fetchone()
    if named is None:
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def upgrade(connection: sqlite3.Connection, *, to: str = "head") -> None:
    """Run the missing migrations. Nothing is imported and nothing happens when there are none.

    Raises:
        MismatchError: the database was written by a newer Weft.
    """
    at = current(connection)
    if at == HEAD and to == "head":
        return
    if at is not None and at > HEAD:
        raise MismatchError(
            f"the database is at schema {at}, newer than this Weft understands ({HEAD})",
            fix="use the Weft that wrote it, or point WEFT_HOME at another folder",
        )
    # Alembic costs most of a second to import and is needed once in a database's life.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from sqlalchemy import create_engine  # noqa: PLC0415
    from sqlalchemy.pool import StaticPool  # noqa: PLC0415

    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.begin() as bound:
        # All or nothing: a process that dies half-way must not leave half a schema. SQLAlchemy leaves the beginning to the
        # driver, and the driver, in autocommit mode, to us.
        connection.execute("BEGIN IMMEDIATE")
        config.attributes["connection"] = bound
        command.upgrade(config, to)
