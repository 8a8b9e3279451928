"""What is read for one tenant on Postgres: the server itself shows nothing else, whatever a query forgets, and nothing stays behind."""

import asyncio
import threading

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier
from sqlalchemy import text

from weft.core.canonical import dumps
from weft.core.errors import NotFoundError, StorageError
from weft.store.append import Append, Draft, NewRun
from weft.store.journal import Journal
from weft.store.opening import let_in
from weft.store.postgres.narrow import NarrowConnection
from weft.store.seen import seen_by
from weft.store.service_tables import metadata

pytestmark = pytest.mark.slow
TENANTS = ("north", "south")
UNFILTERED = "SELECT tenant FROM runs"
WHO = "SELECT current_user, coalesce(current_setting('weft.tenant', true), '')"


def begun(run_id, tenant):
    new = NewRun(run_id, "w", "h", b"{}", "{}", "{}", tenant=tenant)
    return Append(run_id, 0, [Draft(1, "run.created", "", dumps({}))], create=new)


@pytest.fixture
async def journal(postgres):
    journal = Journal(postgres)
    for tenant in TENANTS:
        for number in range(3):
            await journal.append(begun(f"{tenant}-{number}", tenant))
    yield journal
    journal.close()


def read(journal, tenant, sql=UNFILTERED):
    """What comes back on a connection that is `tenant`'s, from either door."""
    with seen_by(journal.database.engine, "", tenant) as connection:
        one = [tuple(row) for row in connection.execute(text(sql))]
    with journal.database.reading(tenant) as connection:
        assert [tuple(row) for row in connection.execute(sql)] == one
    return one


async def test_a_query_that_forgets_the_tenant_shows_nothing_of_another(journal):
    for tenant in TENANTS:
        assert read(journal, tenant) == [(tenant,)] * 3
        assert {row[0].partition("-")[0] for row in read(journal, tenant, "SELECT run_id FROM events")} == {tenant}
    assert read(journal, "nobody") == read(journal, "") == []
    assert len(read(journal, None)) == 6


async def test_what_the_store_is_asked_for_a_tenant_goes_that_way(journal, monkeypatch):
    with pytest.raises(NotFoundError):
        journal.runs.get("north-0", tenant="south")
    assert journal.runs.get("north-0", tenant="north").tenant == "north"
    asked = []
    narrow = NarrowConnection.narrow
    monkeypatch.setattr(
        "weft.store.postgres.narrow.NarrowConnection.narrow",
        lambda self, tenant: asked.append(tenant) or narrow(self, tenant),
    )
    questions = [
        lambda: journal.runs.list(tenant="north"),
        lambda: journal.runs.find("north-0", tenant="north"),
        lambda: journal.gates.search(tenant="north"),
        lambda: journal.sessions.of(principal="p", tenant="north"),
        lambda: journal.sessions.search("rain", principal="p", tenant="north"),
        lambda: journal.workflows.latest(tenant="north"),
        lambda: journal.workflows.newest("w", tenant="north"),
        lambda: journal.webhooks.of(tenant="north"),
        lambda: journal.identities.users(tenant="north"),
        lambda: journal.identities.keys(tenant="north"),
        lambda: journal.automations.of_kind(tenant="north"),
        lambda: journal.audit.list(tenant="north"),
        lambda: journal.chains.following("c", "p", tenant="north"),
        lambda: journal.consumption.runs(0, 1, tenant="north", limit=5),
        lambda: journal.tasks.said_to("north-0", tenant="north"),
        lambda: journal.hooks.of("north-0", tenant="north"),
    ]
    for number, ask in enumerate(questions):
        asked.clear()
        ask()
        assert asked == ["north"], number


async def test_nothing_stays_on_a_connection_for_whoever_uses_it_next(journal):
    (me, nothing), *_ = read(journal, None, WHO)
    assert nothing == ""
    ((role, tenant),) = read(journal, "north", WHO)
    assert (role.startswith("weft_serving_"), tenant) == (True, "north")
    # The pool has one connection, and it has just been used for a tenant.
    assert journal.database.engine.pool.checkedin() == 1
    assert read(journal, None, WHO) == [(me, "")]
    with pytest.raises(StorageError):
        read(journal, "north", "SELECT 1/(SELECT count(*) - 3 FROM runs)")
    with pytest.raises(StorageError), journal.database.reading("north") as connection:
        connection.execute("SELECT 1/(SELECT count(*) - 3 FROM runs)")
    assert read(journal, None, WHO) == [(me, "")]
    assert read(journal, "south") == [("south",)] * 3
    assert journal.database.engine.pool.checkedin() == 1
    # Not even somebody who stops in the middle leaves anything behind.
    with pytest.raises(asyncio.CancelledError), seen_by(journal.database.engine, "", "north"):
        raise asyncio.CancelledError
    assert read(journal, None, WHO) == [(me, "")]


async def test_many_who_read_at_the_same_time_see_their_own(journal):
    wrong = []

    def look(tenant):
        for _ in range(100):
            found = {row[0] for row in read(journal, tenant)}
            if found != (set(TENANTS) if tenant is None else {tenant}):
                wrong.append((tenant, found))

    threads = [threading.Thread(target=look, args=(tenant,)) for tenant in (*TENANTS, None) * 2]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert wrong == []


async def test_a_connection_that_was_lost_is_replaced_and_still_sees_one_tenant(journal, databases):
    assert read(journal, "north") == [("north",)] * 3
    databases.admin.execute(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
        (databases.made[0],),
    )
    assert read(journal, "north") == [("north",)] * 3


async def test_the_role_writes_nothing_sees_all_tables_but_one_and_cannot_sign_in(journal, postgres):
    role = journal.database.serving
    with psycopg.connect(postgres, autocommit=True) as owner:
        assert owner.execute("SELECT rolcanlogin, rolsuper FROM pg_roles WHERE rolname = %s", (role,)).fetchone() == (
            False,
            False,
        )
        owner.execute(SQL("SET ROLE {}").format(Identifier(role)))
        assert owner.execute("SELECT count(*) FROM runs").fetchone() == (0,)
        for table in metadata.sorted_tables:
            sql = SQL("SELECT count(*) FROM {}").format(Identifier(table.name))
            if table.name == "rates":
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    owner.execute(sql)
            else:
                assert owner.execute(sql).fetchone() == (0,)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                owner.execute(SQL("DELETE FROM {}").format(Identifier(table.name)))


@pytest.mark.parametrize("may", [True, False])
async def test_an_owner_who_is_no_superuser_has_it_too_if_they_may_make_roles(databases, may):
    """Without that right, the queries' own filters are what there is."""
    name = f"weft_owner_{may}_{id(databases)}".lower()
    how = "LOGIN CREATEROLE" if may else "LOGIN"
    databases.admin.execute(SQL("CREATE ROLE {} " + how).format(Identifier(name)))
    url = databases.empty()
    database = databases.made[-1]
    databases.admin.execute(SQL("ALTER DATABASE {} OWNER TO {}").format(Identifier(database), Identifier(name)))
    journal = Journal(make_url(url, name))
    for tenant in TENANTS:
        await journal.append(begun(tenant, tenant))
    assert (journal.database.serving is not None) == may
    assert len(read(journal, "north")) == (1 if may else 2)
    assert [run.id for run in journal.runs.list(tenant="north")] == ["north"]
    # Whoever comes next finds the role that is there.
    other = Journal(make_url(url, name))
    assert other.database.serving == journal.database.serving
    other.close()
    journal.close()
    roles = [journal.database.serving or f"weft_serving_{name}", name]
    if not may:
        # Somebody who may makes it for them.
        databases.admin.execute(SQL("CREATE ROLE {} NOLOGIN").format(Identifier(roles[0])))
        databases.admin.execute(SQL("GRANT {} TO {} WITH INHERIT FALSE, SET TRUE").format(*map(Identifier, roles)))
        let_in(make_url(url, name), roles[0], None)
        last = Journal(make_url(url, name))
        assert last.database.serving == roles[0]
        assert read(last, "north") == [("north",)]
        assert last.webhooks.of(tenant="north") == last.identities.keys(tenant="north") == []
        last.close()
    databases.drop()
    for role in roles:
        databases.admin.execute(SQL("DROP ROLE {}").format(Identifier(role)))


def make_url(url, user):
    return f"postgresql://{user}@{url.partition('@')[2]}" if "@" in url else make_conninfo(url, user=user)
