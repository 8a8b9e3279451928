"""Who sees what: policies on every row for roles that do not own the tables.

The owner, as which Weft itself connects, sees everything. Any other role sees nothing until it is a reader: of one tenant, which
it cannot change, or of whichever tenant its session names in the setting ``weft.tenant``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
from psycopg.sql import SQL, Composed, Identifier

from weft.core.errors import InputError
from weft.store.postgres.address import Address
from weft.store.postgres.complaints import in_our_words
from weft.store.service_tables import metadata

READERS = (
    'CREATE TABLE readers (role TEXT COLLATE "C" PRIMARY KEY, tenant TEXT COLLATE "C")',
    "ALTER TABLE readers ENABLE ROW LEVEL SECURITY",
    "CREATE POLICY seen ON readers FOR SELECT USING (role = current_user)",
)
"""Roles belong to the server: this table is in no backup. No tenant is that of the session's setting."""
_TENANT = "(SELECT coalesce(r.tenant, current_setting('weft.tenant', true)) FROM readers r WHERE r.role = current_user)"
_THROUGH = {
    "lines": "r.id = lines.root",
    "plans": "r.plan_hash = plans.hash",
}
"""Tables that name neither a tenant nor a run of their own: what of theirs is seen through the runs that are."""
NEVER = frozenset({"rates"})
"""Of these, nobody else sees anything: their names hold those of all tenants."""
_KEPT_BACK = NEVER | {"keys", "webhooks", "data_keys"}
"""A reader is not let into these: they hold hashes of keys, secrets, and wrapped keys."""


def _condition(name: str, columns: frozenset[str]) -> str | None:
    if name in NEVER:
        return None
    if name == "tenants":
        return f"id = {_TENANT}"
    if "tenant" in columns:
        return f"tenant = {_TENANT}"
    # The policy of `runs` holds in there, too.
    through = _THROUGH.get(name, f"r.id = {name}.run_id")
    return f"EXISTS (SELECT 1 FROM runs r WHERE {through})"  # noqa: S608 -- ours


def _policies() -> tuple[str, ...]:
    made: list[str] = []
    for table in metadata.sorted_tables:
        made.append(f"ALTER TABLE {table.name} ENABLE ROW LEVEL SECURITY")
        condition = _condition(table.name, frozenset(column.name for column in table.columns))
        if condition is not None:
            made.append(f"CREATE POLICY seen ON {table.name} FOR SELECT USING ({condition})")
    return tuple(made)


POLICIES = (*READERS, *_policies())
"""What makes them, in a schema whose tables are there."""


def let_in(url: str, role: str, tenant: str | None) -> None:
    """Make a role a reader: of this tenant, or of the one that its sessions name.

    Raises:
        InputError: there is no such role, or it sees everything anyway.
    """
    with _changing(url) as connection:
        _check(connection, role)
        _forget(connection, role)
        names = [table.name for table in metadata.sorted_tables if table.name not in _KEPT_BACK]
        schema = Identifier(schema_of(connection))
        connection.execute(SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, Identifier(role)))
        connection.execute(SQL("GRANT SELECT ON {} TO {}").format(listed([*names, "readers"]), Identifier(role)))
        connection.execute("INSERT INTO readers VALUES (%s, %s)", (role, tenant))


def shut_out(url: str, role: str) -> None:
    """A role is a reader no longer.

    Raises:
        InputError: it was none.
    """
    with _changing(url) as connection:
        if not _forget(connection, role):
            raise InputError(f"the role {role!r} is no reader", fix="see that its name is written as in the database")


@contextmanager
def _changing(url: str) -> Iterator[psycopg.Connection[Any]]:
    address = Address.of(url)
    try:
        with closing(address.connect()) as connection, connection.transaction():
            yield connection
    except psycopg.Error as error:
        raise in_our_words(error, address.shown) from error


def _forget(connection: psycopg.Connection[Any], role: str) -> bool:
    there = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone() is not None
    if there:
        names = [*(table.name for table in metadata.sorted_tables), "readers"]
        connection.execute(SQL("REVOKE ALL ON {} FROM {}").format(listed(names), Identifier(role)))
        schema = Identifier(schema_of(connection))
        connection.execute(SQL("REVOKE USAGE ON SCHEMA {} FROM {}").format(schema, Identifier(role)))
    return connection.execute("DELETE FROM readers WHERE role = %s", (role,)).rowcount > 0


def _check(connection: psycopg.Connection[Any], role: str) -> None:
    found = connection.execute(
        "SELECT rolsuper OR rolbypassrls OR pg_has_role(oid, (SELECT relowner FROM pg_class WHERE oid = 'runs'::regclass), "
        "'MEMBER') FROM pg_roles WHERE rolname = %s",
        (role,),
    ).fetchone()
    if found is None:
        raise InputError(f"there is no role {role!r}", fix="make it first: CREATE ROLE … LOGIN PASSWORD …")
    if found[0]:
        raise InputError(
            f"the role {role!r} sees everything, whatever is said of it",
            fix="take one that is no superuser, owns no table of Weft's, is in no role that does, and has no BYPASSRLS",
        )


def schema_of(connection: psycopg.Connection[Any]) -> str:
    """The schema in which our tables are."""
    (name,) = connection.execute(
        "SELECT nspname FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid WHERE c.oid = 'runs'::regclass"
    ).fetchone() or ("public",)
    return str(name)


def listed(names: list[str]) -> Composed:
    """Names of tables, for a statement."""
    return SQL(", ").join(map(Identifier, names))
