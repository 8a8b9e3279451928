"""What users give and get is sealed in the store: nobody reads it, moves it or changes it without the key, and unnoticed."""

import gzip
import sqlite3

import psycopg
import pytest

from tests.store.sealed_store import CANARY, LONG, begun, fill, told
from weft.core.errors import InputError, MismatchError, StorageError
from weft.store.append import Append
from weft.store.backup import back_up, restore
from weft.store.checking import check
from weft.store.journal import Journal
from weft.store.keyring import Keyring, MasterKey
from weft.store.resealing import census
from weft.store.sealing import CONTENT, as_stored, is_sealed
from weft.store.service_tables import metadata
from weft.store.shredding import shredding
from weft.testing.conformance_store import AT, draft
from weft.testing.keys import MASTER, keyring
from weft.testing.simulation import SeededEntropy

PLAIN = {
    "runs": "ids and names of workflows, sessions and people; what is listed, ordered and counted; usage is numbers alone",
    "events": "`at`, `kind`, `path` and `hash` make the chain, `commitment` hides what it commits to behind a salt that is sealed",
    "plans": "its hash, by which it is found",
    "blobs": "its name, which is a hash under a key of the tenant's",
    "lines": "ids of runs",
    "inbox": "ids and kinds of wishes",
    "gates": "ids, paths and times",
    "signals": "ids, and the names that workflows wait for",
    "automations": "names and times",
    "firings": "ids, states and times",
    "workflows": "names, the hash of the text, who and when",
    "requests": "keys that callers chose, and ids",
    "sessions": "ids, people and times",
    "messages": "ids, people and times",
    "task_messages": "ids, people and times",
    "chains": "a hash under a key of the tenant's, and ids",
    "webhooks": "kinds and topics, ids and times",
    "deliveries": "states and times",
    "audit": "entries hold no content, never change, and are proved without a key",
    "audit_heads": "hashes and signatures",
    "shipments": "numbers",
    "rates": "names of limits and times",
    "flags": "settings of the operator's",
    "tenants": "who there is",
    "users": "who there is",
    "keys": "hashes of keys",
    "data_keys": "keys that are wrapped",
    "signins": "who came in, and with which browser",
}
"""Of each table, what in it is not sealed, and why that may be."""


@pytest.fixture(
    params=[pytest.param("sqlite", marks=pytest.mark.sqlite), pytest.param("postgres", marks=pytest.mark.slow)]
)
def where(request, tmp_path, databases):
    return databases.fresh() if request.param == "postgres" else tmp_path / "weft.db"


def opened(where, **how):
    return Journal(where, seal=keyring(**how))


def sql(where, statement, *parameters):
    """What a statement comes to that somebody runs behind our back."""
    if isinstance(where, str):
        with psycopg.connect(where, autocommit=True) as connection:
            done = connection.execute(statement.replace("?", "%s").replace("IN BYTES", ""), parameters)
            return done.fetchall() if done.description else []
    connection = sqlite3.connect(where, isolation_level=None)
    try:
        return connection.execute(statement, parameters).fetchall()
    finally:
        connection.close()


def dumped(where):
    """Everything that the database holds, as bytes: its files, or all rows of all tables."""
    if not isinstance(where, str):
        return b"".join(file.read_bytes() for file in where.parent.rglob("*") if file.is_file())
    rows = [sql(where, f'SELECT * FROM "{table.name}"') for table in metadata.sorted_tables]
    return repr(rows).encode()


def test_of_every_column_it_is_said_whether_it_is_sealed():
    assert PLAIN.keys() == {table.name for table in metadata.sorted_tables}
    for name, content in CONTENT.items():
        columns = metadata.tables[name].columns
        assert {*content.key, *content.texts} <= set(columns.keys())
        assert {column.name for column in metadata.tables[name].primary_key} <= {*content.key, "tenant", "id"}


async def test_nothing_of_what_users_say_is_found_in_the_database_and_all_of_it_is_told(where, tmp_path):
    plain = Journal(":memory:", entropy=SeededEntropy(1))
    await fill(plain)
    journal = Journal(where, seal=keyring(), entropy=SeededEntropy(1))
    await fill(journal)
    held = dumped(where)
    assert CANARY.encode() not in held
    assert CANARY.encode().hex().encode() not in held.lower()
    # What is told is the same, hashes of the chain included: it goes over what was said, sealed or not.
    assert told(journal) == told(plain)
    assert [one.content for one in journal.sessions.search(f"{CANARY[:4]} sai", principal="p", tenant="acme")]
    assert journal.chains.following(CANARY, "p", tenant="acme") == [("s", "one-acme")]
    assert check(journal, journal.verify).sound
    back_up(journal.database, tmp_path / "b.weft", at=AT)
    assert CANARY.encode() not in gzip.decompress((tmp_path / "b.weft").read_bytes())
    journal.close()
    assert CANARY.encode() not in dumped(where)
    # Without a key the chain still holds, and nothing is told.
    journal = Journal(where)
    assert journal.is_sealed()
    found = check(journal, journal.verify)
    assert (found.sound, found.sealed) == (True, 6)
    for ask in (
        lambda: journal.events("one-acme"),
        lambda: journal.runs.get("one-acme"),
        lambda: journal.runs.list(tenant="acme"),
    ):
        with pytest.raises(StorageError, match="its master key is not given") as caught:
            ask()
        assert "encryption.key" in caught.value.fix
    journal.close()
    plain.close()


async def test_a_backup_is_restored_with_its_keys_into_the_other_kind_of_database(where, tmp_path, databases):
    journal = opened(where)
    await fill(journal)
    back_up(journal.database, tmp_path / "b.weft", at=AT)
    other = opened(tmp_path / "other" / "weft.db" if isinstance(where, str) else databases.fresh())
    restore(other.database, tmp_path / "b.weft")
    assert told(other)[0] == told(journal)[0]
    assert await other.append(Append("one-acme", 1, [draft("/more", CANARY)])) == 5
    assert check(other, other.verify).sound
    journal.close()
    other.close()


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (
            "UPDATE events SET data=(SELECT data FROM events o WHERE o.run_id='one-acme' AND o.seq=1) WHERE run_id='one-acme' AND seq=2",
            2,
        ),
        (
            "UPDATE events SET data=(SELECT data FROM events o WHERE o.run_id='two-acme' AND o.seq=2) WHERE run_id='one-acme' AND seq=2",
            2,
        ),
        (
            "UPDATE events SET data=(SELECT data FROM events o WHERE o.run_id='one-bob' AND o.seq=2) WHERE run_id='one-acme' AND seq=2",
            2,
        ),
        ("UPDATE events SET data=substr(data, 1, 60) WHERE run_id='one-acme' AND seq=2", 2),
        ("UPDATE events SET data=substr(data, 1, 20) WHERE run_id='one-acme' AND seq=2", 2),
        ("UPDATE events SET data=? WHERE run_id='one-acme' AND seq=2", 2),
        ("UPDATE events SET data=?, commitment=NULL WHERE run_id='one-acme' AND seq=2", 2),
        ("UPDATE blobs SET bytes=(SELECT max(data) FROM events) WHERE tenant='acme'", 3),
        ("UPDATE blobs SET bytes=? WHERE tenant='acme'", 3),
        ("UPDATE events SET data=NULL WHERE run_id='one-acme' AND seq=3", 3),
    ],
    ids=["event", "run", "tenant", "cut", "cut-short", "plain", "plain-alone", "blob", "plain-blob", "salt"],
)
async def test_what_is_moved_cut_or_replaced_is_named(where, change, place):
    journal = opened(where)
    for tenant in ("acme", "bob"):
        await fill(journal, tenant)
    assert journal.verify("one-acme").intact
    sql(where, change, *([b'{"value":"forged"}'] if "?" in change else []))
    verdict = journal.verify("one-acme")
    assert verdict.bad_seq == place
    assert (
        check(journal, journal.verify).problems[0].startswith(f"run one-acme: event {place} is not what was appended")
    )
    if "commitment=NULL" not in change:
        with pytest.raises(MismatchError, match=f"event {place} of run one-acme cannot be read"):
            journal.events("one-acme")
    assert journal.verify("two-acme").intact
    journal.close()


@pytest.mark.parametrize(
    ("change", "ask"),
    [
        ("UPDATE runs SET inputs=(SELECT inputs FROM runs o WHERE o.id='two-acme') WHERE id='one-acme'", "runs"),
        ("UPDATE runs SET inputs=(SELECT inputs FROM runs o WHERE o.id='one-bob') WHERE id='one-acme'", "runs"),
        ("UPDATE runs SET inputs=options WHERE id='one-acme'", "runs"),
        ("UPDATE runs SET inputs=substr(inputs, 1, 50) WHERE id='one-acme'", "runs"),
        ("UPDATE runs SET inputs=substr(inputs, 1, 9) WHERE id='one-acme'", "runs"),
        ("UPDATE runs SET tenant='bob' WHERE id='one-acme'", "runs"),
        ("UPDATE gates SET request=(SELECT request FROM gates o WHERE o.id='shut-acme') WHERE id='gate-acme'", "gates"),
    ],
)
async def test_what_is_moved_between_rows_tenants_and_columns_opens_no_more(where, change, ask):
    journal = opened(where)
    for tenant in ("acme", "bob"):
        await fill(journal, tenant)
    sql(where, change)
    with pytest.raises(MismatchError, match="is not what was written there"):
        journal.runs.get("one-acme") if ask == "runs" else journal.gates.get("gate-acme")
    assert journal.runs.get("two-acme").inputs == {"said": CANARY}
    journal.close()


async def test_another_master_key_opens_nothing_and_damages_nothing(where):
    journal = opened(where)
    await fill(journal)
    expected = told(journal)
    journal.close()
    other = MasterKey.read(MasterKey.make())
    before = sql(where, "SELECT * FROM data_keys ORDER BY tenant, version")
    with pytest.raises(
        StorageError, match=f"wrapped by the master key {MASTER.id}, and the one given is {other.id}"
    ) as caught:
        Journal(where, seal=Keyring(other))
    assert "encryption.older" in caught.value.fix
    assert sql(where, "SELECT * FROM data_keys ORDER BY tenant, version") == before
    # A data key that somebody has changed, or given to another tenant, is no data key.
    sql(where, "UPDATE data_keys SET tenant='eve' WHERE tenant='acme' AND version=1")
    sql(where, "UPDATE runs SET tenant='eve' WHERE id='one-acme'")
    journal = opened(where)
    with pytest.raises(MismatchError, match=r"data_keys\.wrapped of eve/1"):
        journal.runs.get("one-acme")
    journal.close()
    sql(where, "UPDATE data_keys SET tenant='acme' WHERE tenant='eve' AND version=1")
    sql(where, "UPDATE runs SET tenant='acme' WHERE id='one-acme'")
    journal = opened(where)
    assert told(journal) == expected
    journal.close()


@pytest.mark.parametrize("text", ["\x01", "\x01\x01s", "\x01x00", "plain"])
def test_nothing_that_is_stored_in_plain_looks_sealed(text):
    journal = Journal(":memory:")
    [stored] = journal.writer.call(lambda connection: as_stored(connection, "sessions", "local", ("one",), title=text))
    assert not is_sealed(stored)
    assert text.endswith(stored)
    journal.close()


@pytest.mark.parametrize("text", ["", "short", "!" * 44, "A" * 43, "A" * 88, "ü" * 32])
def test_a_master_key_is_32_bytes_as_base64_and_is_never_repeated(text):
    with pytest.raises(InputError) as caught:
        MasterKey.read(text)
    assert not text or text not in caught.value.message
    assert "weft encryption key" in caught.value.fix


def test_a_master_key_that_was_made_is_read_and_shown_by_its_id_alone():
    made = MasterKey.make()
    key = MasterKey.read(f"  {made}\n")
    assert made not in repr(key)
    assert key.id == MasterKey.read(made.replace("+", "-").replace("/", "_")).id != MASTER.id


async def test_a_mixed_store_reads_right(where):
    """What was written in plain before stays readable beside what is sealed, and after sealing was switched off again."""
    journal = Journal(where)
    await journal.append(begun("r"))
    await journal.append(Append("r", 1, [draft("/plain", LONG)]))
    assert not journal.is_sealed()
    journal.close()
    journal = opened(where)
    await journal.append(Append("r", 1, [draft("/sealed", LONG)]))
    journal.close()
    journal = opened(where, writes=False)
    await journal.append(Append("r", 1, [draft("/plain again", CANARY)]))
    assert [event.data.get("value") for event in journal.events("r")] == [CANARY, LONG, LONG, CANARY]
    assert journal.verify("r").intact
    assert census(journal)["acme", 1] == 2
    journal.close()


async def test_several_processes_make_one_key_and_notice_a_newer_one(where, monkeypatch):
    one, two = opened(where), opened(where)
    await fill(one)
    await two.append(begun("three"))
    assert [row.version for row in one.data_keys.all() if row.tenant == "acme"] == [0, 1]
    assert one.writer.call(lambda connection: one.seal.another(connection, "acme")) == 2
    monkeypatch.setattr(two.seal, "_monotonic", lambda at=two.seal._monotonic: at() + 6)
    await two.append(Append("three", 1, [draft("/new", CANARY)]))
    counted = census(one)
    assert counted["acme", 2] == 1
    assert counted["acme", 1] > 10
    assert one.events("three")[1].data == {"value": CANARY}
    assert told(two)[1] == told(one)[1]
    one.close()
    two.close()


async def test_a_data_key_that_has_grown_old_is_followed_by_another(where):
    day, now = 86_400_000_000, [AT]
    clock = [0.0]
    journal = opened(where, days=30, now=lambda: now[0], monotonic=lambda: clock[0])
    await journal.append(begun("r"))
    for days in (29, 30, 31):
        now[0], clock[0] = AT + days * day, clock[0] + 10
        await journal.append(Append("r", 1, [draft("/s", CANARY)]))
    assert [row.version for row in journal.data_keys.all() if row.tenant == "acme"] == [1, 2]
    assert len(journal.events("r")) == 4
    journal.close()


async def test_a_key_that_was_made_in_a_batch_that_is_undone_is_made_again(where):
    journal = opened(where)

    def fails(connection):
        journal.seal.name(connection, "acme", b"x")
        raise InputError("no")

    with pytest.raises(InputError):
        await journal.writer.submit(fails)
    assert journal.data_keys.all() == []
    await fill(journal)
    assert told(opened(where))[1] == told(journal)[1]
    journal.close()


async def test_shredding_a_tenant_leaves_the_chain_and_nothing_that_anybody_could_read(where):
    journal = opened(where)
    for tenant in ("acme", "bob"):
        await fill(journal, tenant)
    with pytest.raises(Exception, match="has not ended"):
        journal.writer.call(shredding("acme", AT))
    await journal.append(Append("one-acme", 1, [draft(kind="run.failed")], patch={"status": "failed"}))
    assert journal.writer.call(shredding("acme", AT)) == 1
    journal.close()
    journal = opened(where)
    assert {str(event.data) for event in journal.events("one-acme")} == {"{'$erased': True}"}
    verdict = journal.verify("one-acme")
    assert (verdict.intact, verdict.erased) == (True, 5)
    assert journal.runs.get("one-acme").inputs == {}
    assert [list(journal.consumption.of("one-acme", "w", 0, AT + 1)), journal.gates.of("one-acme")] == [[], []]
    assert len(told(journal, "bob")[0][0]) == 4
    assert [one.tenant for one in journal.automations.active(AT)] == ["bob"]
    # The tenant may begin anew, under another key.
    await journal.append(begun("new"))
    assert journal.runs.get("new").inputs == {"said": CANARY}
    with pytest.raises(Exception, match="no data keys"):
        journal.writer.call(shredding("nobody", AT))
    journal.close()
