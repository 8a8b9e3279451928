"""What is stored is sealed anew, or opened, while work goes on; stopped half-way, it goes on where it was."""

import asyncio

import pytest

from tests.store.sealed_store import CANARY, LONG, begun, fill, told
from tests.store.test_sealing import dumped, opened, sql
from weft.store.append import Append
from weft.store.checking import check
from weft.store.data_keys import rewrap
from weft.store.journal import Journal
from weft.store.keyring import Keyring, MasterKey
from weft.store.resealing import Resealing, census
from weft.testing.conformance_store import AT, draft
from weft.testing.keys import MASTER, keyring


@pytest.fixture(
    params=[pytest.param("sqlite", marks=pytest.mark.sqlite), pytest.param("postgres", marks=pytest.mark.slow)]
)
def where(request, tmp_path, databases):
    return databases.fresh() if request.param == "postgres" else tmp_path / "weft.db"


class Killed(BaseException):
    """The process died here."""


def reseal(journal, **how):
    work = Resealing(journal, journal.seal, **{"page": 3, **how})
    work.run(at=AT)
    return work


async def test_a_store_in_plain_is_sealed_and_opened_again_and_its_chains_stay(where):
    journal = Journal(where)
    for tenant in ("acme", "bob"):
        await fill(journal, tenant)
    expected = [told(journal, tenant) for tenant in ("acme", "bob")]
    journal.close()
    assert CANARY.encode() in dumped(where)

    journal = opened(where)
    work = reseal(journal)
    assert work.lost == 0
    assert {table for table, count in work.done.items() if count} >= {
        "events",
        "plans",
        "chains",
        "runs",
        "deliveries",
        "messages",
    }
    assert [told(journal, tenant) for tenant in ("acme", "bob")] == expected
    assert check(journal, journal.verify).sound
    assert {version for _, version in census(journal)} == {1}
    assert journal.chains.following(CANARY, "p", tenant="acme") == [("s", "one-acme")]
    assert sum(reseal(journal).done.values()) == 0
    await journal.append(begun("three"))
    assert await journal.append(Append("three", 1, [draft("/more", LONG)])) == 2
    journal.close()
    assert CANARY.encode() not in dumped(where)

    # The way back: first nothing more is sealed, then everything is opened, then there need be no key.
    journal = opened(where, writes=False)
    reseal(journal)
    assert {version for _, version in census(journal)} == {0}
    journal.close()
    journal = Journal(where)
    assert not journal.is_sealed()
    assert [told(journal, tenant) for tenant in ("acme", "bob")] == expected
    assert journal.events("three")[1].data == {"value": LONG}
    assert check(journal, journal.verify).sound
    journal.close()
    # And sealed once more, with another key of each tenant's.
    journal = opened(where)
    reseal(journal)
    assert {version for _, version in census(journal)} == {2}
    assert [told(journal, tenant) for tenant in ("acme", "bob")] == expected
    journal.close()


async def test_sealing_anew_is_taken_up_where_it_was_killed_while_runs_go_on(where):
    journal = opened(where)
    for tenant in ("acme", "bob"):
        await fill(journal, tenant)
    expected = [told(journal, tenant)[1:] for tenant in ("acme", "bob")]
    for tenant in ("acme", "bob", ""):
        journal.writer.call(lambda connection, tenant=tenant: journal.seal.another(connection, tenant))
    await journal.append(begun("busy"))
    ended, number = asyncio.Event(), 1

    async def goes_on():
        nonlocal number
        # No further: a run that grows faster than pages of two are read would keep them busy for ever.
        while not ended.is_set() and number < 2_000:
            number = await journal.append(Append("busy", 1, [draft(f"/{number}", LONG if number % 5 else CANARY)]))

    going = asyncio.create_task(goes_on())
    pages = 0
    for stop in (3, 9, 20, 10_000):
        seen = 0

        def died(_table, _done, stop=stop):
            nonlocal seen, pages
            seen, pages = seen + 1, pages + 1
            if seen == stop:
                raise Killed

        other = opened(where)
        try:
            await asyncio.to_thread(Resealing(other, other.seal, page=2).run, at=AT, told=died)
        except Killed:
            assert check(journal, journal.verify).sound
        finally:
            other.close()
    ended.set()
    await going
    counted = census(journal)
    assert counted["acme", 1] == counted["bob", 1] == counted["", 1] == 0
    assert counted["acme", 2] > number
    assert [told(journal, tenant)[1:] for tenant in ("acme", "bob")] == expected
    assert len(journal.events("busy")) == number
    assert check(journal, journal.verify).sound
    journal.close()


async def test_another_master_key_wraps_the_data_keys_and_no_data_is_rewritten(where):
    journal = opened(where)
    await fill(journal)
    expected = told(journal)
    journal.close()
    before = sql(where, "SELECT data FROM events ORDER BY run_id, seq")
    new = MasterKey.read(MasterKey.make())
    journal = Journal(where, seal=Keyring(new, [MASTER]))
    for row in journal.data_keys.all():
        assert journal.writer.call(rewrap(row, journal.seal.rewrapped(row), new.id))
        # Who comes late changes nothing.
        assert not journal.writer.call(rewrap(row, journal.seal.rewrapped(row), new.id))
    journal.close()
    journal = Journal(where, seal=Keyring(new))
    assert told(journal) == expected
    assert sql(where, "SELECT data FROM events ORDER BY run_id, seq") == before
    journal.close()


async def test_what_cannot_be_opened_stops_it_and_nothing_is_lost(where):
    journal = opened(where)
    await fill(journal)
    journal.writer.call(lambda connection: journal.seal.another(connection, "acme"))
    sql(where, "UPDATE runs SET inputs=options WHERE id='one-acme'")
    with pytest.raises(Exception, match=r"runs\.inputs of one-acme"):
        reseal(journal)
    assert journal.events("one-acme")
    assert journal.runs.get("two-acme").inputs == {"said": CANARY}
    journal.close()


async def test_a_sealed_store_is_not_taken_back_to_a_schema_that_has_no_keys(where):
    journal = opened(where)
    await fill(journal)
    with pytest.raises(Exception, match="an older Weft cannot open it"):
        journal.database.migrate("0011")
    assert told(journal)
    journal.close()
    journal = opened(where, writes=False)
    reseal(journal)
    journal.database.migrate("0011")
    journal.database.migrate("head")
    journal.close()
    assert keyring().writes
