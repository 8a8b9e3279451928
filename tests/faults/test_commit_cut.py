"""A connection that is lost exactly at a commit: what was asked for is done once, whatever became of that commit."""

import time
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.faults.cutting import CuttingProxy
from weft.store.append import Append
from weft.store.journal import Journal
from weft.testing.conformance_store import creation, draft

pytestmark = pytest.mark.slow
MOMENTS = ("unheard", "on the way", "unanswered")
SLOWLY = """
CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.7); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER takes_its_time AFTER INSERT ON signals DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION slowly();
"""


@pytest.fixture
def proxy(postgres):
    where = conninfo_to_dict(postgres)
    made = CuttingProxy(str(Path(where["host"]) / f".s.PGSQL.{where.get('port') or 5432}"))
    yield made
    made.close()


@pytest.fixture
def journal(postgres, proxy):
    where = conninfo_to_dict(postgres)
    path = f"{where['dbname']}?user={where['user']}&sslmode=disable&gssencmode=disable"
    made = Journal(f"postgresql://127.0.0.1:{proxy.port}/{path}")
    yield made
    made.close()


def signal(connection):
    connection.execute(
        "INSERT INTO signals (run_id, key, name, data, sender, at) VALUES ('r', 'k', 'n', '{}', 'me', 1) ON CONFLICT DO NOTHING"
    )
    connection.execute(
        "INSERT INTO rates VALUES ('times', 1) ON CONFLICT (name) DO UPDATE SET full_at = rates.full_at + 1"
    )
    return "done"


def times(url):
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT full_at FROM rates WHERE name = 'times'").fetchone()


@pytest.mark.parametrize("moment", MOMENTS)
async def test_an_append_is_there_once(journal, proxy, postgres, moment):
    await journal.append(creation("r"))
    for number in range(3):
        proxy.arm(moment)
        await journal.append(Append("r", 1, [draft(f"/{number}", number, outcome=True)]))
        assert proxy.cut.wait(30)
    with psycopg.connect(postgres) as connection:
        found = connection.execute("SELECT seq, path FROM events WHERE run_id = 'r' ORDER BY seq").fetchall()
    assert found == [(1, ""), (2, "/0"), (3, "/1"), (4, "/2")]
    assert journal.verify("r").intact


@pytest.mark.parametrize("moment", MOMENTS)
async def test_what_adds_to_something_has_added_once(journal, proxy, postgres, moment):
    """Nothing of the work tells a second time from a first: the server is asked what became of the transaction."""
    for _ in range(3):
        proxy.arm(moment)
        assert await journal.writer.submit(signal) == "done"
        assert proxy.cut.wait(30)
    assert times(postgres) == (3,)


async def test_a_commit_that_is_still_under_way_is_waited_for(journal, proxy, postgres):
    with psycopg.connect(postgres) as connection:
        connection.execute(SLOWLY)
    proxy.arm("on the way")
    began = time.monotonic()
    assert await journal.writer.submit(signal) == "done"
    assert proxy.cut.wait(30)
    assert time.monotonic() - began >= 0.6
    assert times(postgres) == (1,)
