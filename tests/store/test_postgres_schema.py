"""The schema on Postgres: what is made at once, what the migrations come to, and the way back and forth with data."""

import asyncio

import psycopg
import pytest

from weft.core.errors import MismatchError
from weft.store.append import Append
from weft.store.journal import Journal
from weft.store.postgres import schema
from weft.store.schema import HEAD
from weft.testing.conformance_store import AT, creation, draft

pytestmark = pytest.mark.slow

CATALOGUE = """
SELECT 'column', table_name || '.' || column_name,
       concat_ws(' ', data_type, collation_name, is_nullable, regexp_replace(column_default, '''[a-z_]*''', ''))
FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT 'trigger', tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'policy', tablename || '.' || policyname, concat_ws(' ', cmd, roles, qual, with_check) FROM pg_policies
UNION ALL SELECT 'table', relname, concat_ws(' ', relpersistence, relrowsecurity, reloptions) FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
UNION ALL SELECT 'function', proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace
"""


def catalogue(connection):
    return {(kind, name): what for kind, name, what in connection.execute(CATALOGUE)}


def connect(url):
    return psycopg.connect(url, autocommit=True)


def test_the_migrations_come_to_what_is_made_at_once(databases):
    with connect(databases.fresh()) as made, connect(databases.empty()) as migrated:
        schema.upgrade(migrated, to=HEAD)
        assert schema.current(migrated) == HEAD
        assert catalogue(migrated) == catalogue(made)


async def test_back_to_each_revision_and_forward_again_keeps_the_runs(databases):
    url = databases.fresh()
    journal = Journal(url)
    await journal.append(creation("r"))
    events = journal.events("r")
    journal.close()
    with connect(url) as connection:
        newest = catalogue(connection)
        for revision in range(int(HEAD) - 1, 0, -1):
            schema.upgrade(connection, to=f"{revision:04}")
            assert schema.current(connection) == f"{revision:04}"
        schema.upgrade(connection)
        assert catalogue(connection) == newest
    journal = Journal(url)
    assert journal.events("r") == events
    assert journal.verify("r").intact
    journal.close()


async def test_runs_that_had_ended_are_found_by_their_end_after_the_way_back_and_forward(databases):
    url = databases.fresh()
    journal = Journal(url)
    for run_id, status in (("open", "running"), ("over", "completed")):
        await journal.append(creation(run_id))
        await journal.append(Append(run_id, 1, [draft(at=AT + 7)], {"status": status}))
    journal.close()
    with connect(url) as connection:
        schema.upgrade(connection, to="0012")
        schema.upgrade(connection)
        assert connection.execute("SELECT id, ended_at FROM runs ORDER BY id").fetchall() == [
            ("open", None),
            ("over", AT + 7),
        ]


async def test_no_step_of_a_run_is_written_into_the_indexes_of_runs(databases):
    url = databases.fresh()
    journal = Journal(url)
    await journal.append(creation("r"))
    with connect(url) as connection:
        for number in range(100):
            await journal.append(Append("r", 1, [draft(at=AT + number)]))
        journal.close()  # what the writer's connection has counted is told at its end
        for _ in range(300):
            found = connection.execute("SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname='runs'")
            updated, hot = found.fetchone()
            if updated >= 100:
                break
            await asyncio.sleep(0.1)
        assert (updated, hot) == (100, 100)


def test_numbers_have_64_bits_and_text_compares_by_bytes(postgres):
    with connect(postgres) as connection:
        found = catalogue(connection)
    kinds = {
        what.split()[0] for (kind, name), what in found.items() if kind == "column" and not name.startswith("alembic")
    }
    assert kinds == {"text", "bigint", "bytea", "timestamp"}
    texts = {what for (kind, _), what in found.items() if kind == "column" and what.startswith("text")}
    assert all(what.startswith("text C ") for what in texts - {found["column", "drivers.id"]})


def test_a_database_of_a_newer_weft_is_refused_and_left_alone(postgres):
    with connect(postgres) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        with pytest.raises(MismatchError, match="newer"):
            Journal(postgres)
        assert schema.current(connection) == "9999"


def test_a_schema_that_cannot_be_made_leaves_nothing_behind(databases):
    with connect(databases.empty()) as connection:
        connection.execute("CREATE TABLE users (mine int)")
        with pytest.raises(psycopg.Error):
            schema.upgrade(connection)
        assert {name for kind, name in catalogue(connection) if kind == "table"} == {"users"}
