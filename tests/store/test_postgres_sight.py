"""What roles see that do not own the tables: of each row only what is their tenant's."""

import os

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from weft.core.errors import InputError
from weft.store.opening import let_in, shut_out
from weft.store.service_tables import metadata

pytestmark = pytest.mark.slow

TABLES = {table.name: table for table in metadata.sorted_tables}
KEPT_BACK = {"keys", "webhooks", "rates", "data_keys"}
BARE = (
    "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND NOT relrowsecurity"
)


def row(table, tenant):
    """One row of that tenant's in a table."""
    known = {"tenant": tenant, "run_id": f"run of {tenant}", "plan_hash": f"plan of {tenant}"}
    known |= {
        "runs": {"id": f"run of {tenant}"},
        "plans": {"hash": f"plan of {tenant}"},
        "lines": {"root": f"run of {tenant}"},
        "tenants": {"id": tenant},
    }.get(table.name, {})
    made = {}
    for column in table.columns:
        if column.name in known:
            made[column.name] = known[column.name]
        elif not column.nullable and column.autoincrement is not True:
            kind = column.type.python_type
            made[column.name] = {int: 1, bytes: tenant.encode(), str: f"{column.name} of {tenant}"}[kind]
    return made


@pytest.fixture
def filled(postgres):
    """A database with a row of each of two tenants in every table."""
    with psycopg.connect(postgres, autocommit=True) as owner:
        for table in TABLES.values():
            for tenant in ("acme", "globex"):
                made = row(table, tenant)
                owner.execute(
                    SQL("INSERT INTO {} ({}) VALUES ({})").format(
                        Identifier(table.name),
                        SQL(", ").join(map(Identifier, made)),
                        SQL(", ").join([SQL("%s")] * len(made)),
                    ),
                    list(made.values()),
                )
    return postgres


@pytest.fixture
def role(databases):
    """A role of the server's that may sign in and nothing else."""
    name = f"reports {os.getpid()}"
    databases.admin.execute(SQL("CREATE ROLE {} LOGIN").format(Identifier(name)))
    yield name
    databases.drop()
    databases.admin.execute(SQL("DROP ROLE {}").format(Identifier(name)))


def signed_in(url, role):
    return psycopg.connect(make_conninfo(url, user=role), autocommit=True)


def seen(connection):
    """The owners of what a role sees, by table."""
    found = {}
    for name in TABLES.keys() - KEPT_BACK:
        rows = connection.execute(SQL("SELECT t::text FROM {} t").format(Identifier(name))).fetchall()
        found[name] = {tenant for tenant in ("acme", "globex") for (text,) in rows if tenant in text}
        assert len(rows) == len(found[name])
    return found


def each(*tenants):
    return {name: set(tenants) for name in TABLES.keys() - KEPT_BACK}


def test_a_reader_sees_its_tenant_alone_in_every_table_whatever_it_says(filled, role):
    let_in(filled, role, "acme")
    with signed_in(filled, role) as connection:
        assert seen(connection) == each("acme")
        connection.execute("SET weft.tenant = 'globex'")
        assert seen(connection) == each("acme")
        for name in KEPT_BACK:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(SQL("SELECT 1 FROM {}").format(Identifier(name)))
        for act in (
            "DELETE FROM runs",
            "UPDATE users SET role = 'admin'",
            "UPDATE readers SET tenant = 'globex'",
            "ALTER TABLE runs DISABLE ROW LEVEL SECURITY",
            "CREATE TABLE mine (id int)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(act)
        assert connection.execute("SELECT tenant FROM readers").fetchall() == [("acme",)]


def test_a_reader_without_a_tenant_sees_nothing_until_its_session_names_one(filled, role):
    let_in(filled, role, None)
    with signed_in(filled, role) as connection:
        assert seen(connection) == each()
        connection.execute("SET weft.tenant = 'globex'")
        assert seen(connection) == each("globex")
        connection.execute("RESET weft.tenant")
        assert seen(connection) == each()


def test_a_reader_may_get_another_tenant_and_be_shut_out(filled, role):
    let_in(filled, role, "acme")
    let_in(filled, role, "globex")
    with signed_in(filled, role) as connection:
        assert seen(connection) == each("globex")
        shut_out(filled, role)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT 1 FROM runs")
    with pytest.raises(InputError, match="no reader"):
        shut_out(filled, role)


def test_rights_given_by_hand_show_nothing(filled, role):
    """Who is no reader sees no row, even when somebody lets it read every table."""
    with psycopg.connect(filled, autocommit=True) as owner:
        owner.execute(SQL("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}").format(Identifier(role)))
    with signed_in(filled, role) as connection:
        connection.execute("SET weft.tenant = 'acme'")
        assert seen(connection) == each()
        for name in KEPT_BACK:
            assert connection.execute(SQL("SELECT 1 FROM {}").format(Identifier(name))).fetchall() == []


def test_what_sees_everything_is_no_reader_and_every_table_has_its_rule(filled, databases, role):
    with pytest.raises(InputError, match="there is no role"):
        let_in(filled, "nobody at all", "acme")
    owner = databases.admin.info.user
    with pytest.raises(InputError, match="sees everything"):
        let_in(filled, owner, "acme")
    with psycopg.connect(filled, autocommit=True) as connection:
        bare = {name for (name,) in connection.execute(BARE)}
    assert bare == {"alembic_version", "drivers"}
