"""The role under which a process reads what is one tenant's: a reader that names its tenant, and nobody can sign in as.

Roles belong to the server, so each database has one of its own, whose name stands in ``readers``. It is made when the database is
opened, if whoever opens it may make roles.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier

from weft.store.postgres.schema import UPGRADING
from weft.store.postgres.sight import NEVER, listed, schema_of
from weft.store.service_tables import metadata

PREFIX = "weft_serving_"
_NAMES = [*(table.name for table in metadata.sorted_tables if table.name not in NEVER), "readers"]
_FOUND = f"""
SELECT r.role, bool_and(has_table_privilege(p.oid, t.name, 'SELECT'))
FROM readers r JOIN pg_roles p ON p.rolname = r.role, unnest(%s::text[]) AS t(name)
WHERE r.tenant IS NULL AND starts_with(r.role, '{PREFIX}') AND pg_has_role(p.oid, 'SET')
AND NOT p.rolsuper AND NOT p.rolbypassrls
GROUP BY r.role ORDER BY r.role LIMIT 1
"""  # noqa: S608 -- ours
_MAY = "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user"


def serving_role(connection: psycopg.Connection[Any]) -> str | None:
    """The role of this database, made where it is missing; None where it is missing and may not be made."""
    found = connection.execute(_FOUND, (_NAMES,)).fetchone()
    if found is not None and found[1]:
        return str(found[0])
    connection.execute("SELECT pg_advisory_lock(%s::int, %s::int)", UPGRADING)
    try:
        found = connection.execute(_FOUND, (_NAMES,)).fetchone()
        if found is not None:
            _grant(connection, str(found[0]))
            return str(found[0])
        if connection.execute(_MAY).fetchone() == (True,):
            with suppress(psycopg.errors.InsufficientPrivilege):
                return _make(connection)
        return None
    finally:
        connection.execute("SELECT pg_advisory_unlock(%s::int, %s::int)", UPGRADING)


def _make(connection: psycopg.Connection[Any]) -> str:
    role = f"{PREFIX}{os.urandom(6).hex()}"
    with connection.transaction():
        connection.execute(SQL("CREATE ROLE {} NOLOGIN").format(Identifier(role)))
        connection.execute(SQL("GRANT {} TO CURRENT_USER WITH INHERIT FALSE, SET TRUE").format(Identifier(role)))
        _grant(connection, role)
        connection.execute("INSERT INTO readers VALUES (%s, NULL)", (role,))
    return role


def _grant(connection: psycopg.Connection[Any], role: str) -> None:
    schema = Identifier(schema_of(connection))
    connection.execute(SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, Identifier(role)))
    connection.execute(SQL("GRANT SELECT ON {} TO {}").format(listed(_NAMES), Identifier(role)))
