"""Bring a Postgres database to the newest schema: the same tables, by the same migrations.

Numbers have 64 bits there and text is compared byte by byte, as in SQLite, whatever the database was made with.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import psycopg
from sqlalchemy import Engine, create_engine
from sqlalchemy.dialects.postgresql.base import PGDDLCompiler, PGTypeCompiler
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.pool import NullPool, Pool, StaticPool
from sqlalchemy.schema import CreateIndex, CreateTable

from weft.store.postgres.sight import POLICIES
from weft.store.schema import HEAD, VERSIONS, migrate, refuse_newer
from weft.store.service_tables import metadata

UPGRADING = (0x57454654, 2)
"""The lock under which one process at a time changes the schema."""
EXTRAS = (
    "CREATE INDEX messages_words ON messages USING gin (to_tsvector('simple', content))",
    "CREATE UNLOGGED TABLE drivers (id TEXT PRIMARY KEY, beat TIMESTAMPTZ NOT NULL)",
    (
        "CREATE FUNCTION audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'entries of the audit log are never changed or removed'; END $$"
    ),
    "CREATE TRIGGER audit_stays BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_only_grows()",
    "CREATE TRIGGER audit_keeps BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_only_grows()",
)
"""What the tables as the code sees them cannot say: the full-text index over the messages, who drives at this moment, which is
nothing that has to outlive the server, and an audit log that only grows."""


_NUMBERED = [
    (table.name, column.name)
    for table in metadata.sorted_tables
    for column in table.columns
    if column.autoincrement is True
]
NUMBERING = tuple(
    f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), coalesce(max({column}), 0) + 1, false) FROM {table}"  # noqa: S608 -- ours
    for table, column in _NUMBERED
)
"""Lets the server go on counting behind rows that brought their numbers along."""


class _Types(PGTypeCompiler):
    def visit_INTEGER(self, type_: Any, **kw: Any) -> str:  # noqa: N802 -- SQLAlchemy's name
        del type_, kw
        return "BIGINT"

    def visit_TEXT(self, type_: Any, **kw: Any) -> str:  # noqa: N802 -- same
        del type_
        return "TEXT" if kw.get("type_expression") is None else 'TEXT COLLATE "C"'


class _Tables(PGDDLCompiler):
    def get_column_specification(self, column: Any, **kw: Any) -> str:
        specification: str = super().get_column_specification(column, **kw)  # type: ignore[no-untyped-call]  # SQLAlchemy's own
        return specification.replace(" SERIAL", " BIGSERIAL")


def engine_of(connect: Any, *, pool: type[Pool] = NullPool, **how: Any) -> Engine:
    """SQLAlchemy's way to a database, with our types."""
    engine = create_engine("postgresql+psycopg://", creator=connect, poolclass=pool, use_native_hstore=False, **how)
    _ours(engine.dialect)
    return engine


def _ours(dialect: Any) -> Any:
    dialect.type_compiler_instance = _Types(dialect)
    dialect.ddl_compiler = _Tables
    return dialect


def current(connection: psycopg.Connection[Any]) -> str | None:
    """The revision that the database is at, or None when it is empty."""
    if connection.execute("SELECT to_regclass('alembic_version')").fetchone() == (None,):
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def upgrade(connection: psycopg.Connection[Any], *, to: str = "head") -> None:
    """Run the missing migrations, or make the tables at once where there are none. Nothing happens when nothing is missing.

    Raises:
        MismatchError: the database was written by a newer Weft.
    """
    at = current(connection)
    if at == HEAD and to == "head":
        return
    refuse_newer(at, "point store.url at another database")
    # Whoever was first is done when this returns.
    connection.execute("SELECT pg_advisory_lock(%s::int, %s::int)", UPGRADING)
    try:
        if current(connection) is None and to == "head":
            _create(connection)
        else:
            _migrate(connection, to)
    finally:
        connection.execute("SELECT pg_advisory_unlock(%s::int, %s::int)", UPGRADING)


def _create(connection: psycopg.Connection[Any]) -> None:
    with connection.transaction():
        for statement in _statements():
            connection.execute(statement.encode())
        connection.execute("INSERT INTO alembic_version VALUES (%s)", (HEAD,))


def _migrate(connection: psycopg.Connection[Any], to: str) -> None:
    connection.autocommit = False
    try:
        engine = engine_of(lambda: connection, pool=StaticPool)
        with engine.begin() as bound:
            migrate(bound, to)
    finally:
        connection.rollback()
        connection.autocommit = True


@cache
def _statements() -> tuple[str, ...]:
    dialect = _ours(PGDialect_psycopg())  # type: ignore[no-untyped-call]  # same
    tables = metadata.sorted_tables
    made = [CreateTable(table).compile(dialect=dialect) for table in tables]
    made += [
        CreateIndex(index).compile(dialect=dialect) for table in tables for index in sorted(table.indexes, key=str)
    ]
    return (VERSIONS, *map(str, made), *EXTRAS, *POLICIES)
