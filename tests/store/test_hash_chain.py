"""Nobody changes history unnoticed: `verify` names the first event that is not what was appended."""

from __future__ import annotations

import sqlite3

import pytest

from weft.core.canonical import dumps
from weft.core.errors import MismatchError, NotFoundError
from weft.store.append import INLINE_BYTES, Append, commitment
from weft.store.history import verify
from weft.store.journal import Journal
from weft.store.removal import removal
from weft.testing.conformance_store import creation, draft

pytestmark = pytest.mark.sqlite

BIG = "long " * INLINE_BYTES


@pytest.fixture
async def journal(tmp_path):
    journal = Journal(tmp_path / "weft.db", inline=True)
    await journal.append(creation("r"))
    await journal.append(Append("r", 1, [draft(f"/{n}", f"value {n}", outcome=True) for n in range(2, 7)]))
    await journal.append(Append("r", 1, [draft("/big", BIG, outcome=True)]))
    assert journal.verify("r").events == 7
    yield journal
    journal.close()


def tamper(journal, sql, *parameters):
    connection = sqlite3.connect(journal.database.path, isolation_level=None)
    connection.execute(sql, parameters)
    connection.close()


@pytest.mark.parametrize("seq", [1, 4, 7])
@pytest.mark.parametrize(
    "change",
    [
        "at = at + 1",
        "kind = 'step.failed'",
        "path = '/elsewhere'",
        'data = CAST(\'{"value":"forged"}\' AS BLOB), blob = NULL',
        "data = 'text'",
        "data = 5, blob = NULL",
        "salt = zeroblob(16)",
        "salt = 'text'",
        "salt = NULL",
        "hash = zeroblob(32)",
        "hash = 'text'",
    ],
)
@pytest.mark.slow
async def test_a_changed_event_is_named(journal, seq, change):
    tamper(journal, f"UPDATE events SET {change} WHERE run_id='r' AND seq=?", seq)
    verdict = journal.verify("r")
    assert not verdict.intact
    assert verdict.bad_seq == seq
    assert verdict.reason


async def test_a_missing_event_is_named_wherever_it_was(journal):
    for seq in (7, 4, 1):
        tamper(journal, "DELETE FROM events WHERE run_id='r' AND seq=?", seq)
        assert journal.verify("r").bad_seq == seq


async def test_events_in_another_order_are_named(journal):
    for old, new in ((3, 100), (4, 3), (100, 4)):
        tamper(journal, "UPDATE events SET seq=? WHERE run_id='r' AND seq=?", new, old)
    assert journal.verify("r").bad_seq == 3


async def test_an_event_behind_the_head_is_named(journal):
    tamper(
        journal,
        "INSERT INTO events SELECT run_id, 8, at, kind, '/forged', NULL, data, blob, salt, commitment, hash"
        " FROM events WHERE seq=6",
    )
    verdict = journal.verify("r")
    assert verdict.bad_seq == 8
    assert "only 7" in verdict.reason


async def test_a_changed_head_is_noticed(journal):
    tamper(journal, "UPDATE runs SET head_hash=zeroblob(32) WHERE id='r'")
    assert journal.verify("r").bad_seq == 7


async def test_an_erased_payload_still_verifies_and_reads_as_erased(journal):
    row = sqlite3.connect(journal.database.path).execute("SELECT salt, data FROM events WHERE seq=3").fetchone()
    tamper(journal, "UPDATE events SET commitment=?, data=NULL, salt=NULL WHERE seq=3", commitment(row[0], row[1]))
    verdict = journal.verify("r")
    assert verdict.intact
    assert verdict.erased == 1
    assert journal.events("r")[2].data == {"$erased": True}


async def test_a_forged_erasure_does_not_verify(journal):
    tamper(journal, "UPDATE events SET commitment=zeroblob(32), data=NULL WHERE seq=3")
    assert journal.verify("r").bad_seq == 3


@pytest.mark.parametrize("change", ["data = CAST('{\"va' AS BLOB)", "data = 5", "hash = 'text'"])
async def test_an_event_that_cannot_be_read_is_named_with_what_to_do(journal, change):
    tamper(journal, f"UPDATE events SET {change} WHERE seq=4")
    with pytest.raises(MismatchError) as caught:
        journal.events("r")
    assert "event 4" in caught.value.message
    assert "weft verify" in caught.value.fix
    assert caught.value.place.path == "/4"


async def test_a_large_payload_lives_in_a_blob_once_however_often_it_is_said(journal):
    await journal.append(Append("r", 1, [draft("/again", BIG, outcome=True)]))
    await journal.append(creation("other"))
    await journal.append(Append("other", 1, [draft("/same", BIG, outcome=True)]))
    connection = sqlite3.connect(journal.database.path)
    assert connection.execute("SELECT count(*), max(length(bytes)) FROM blobs").fetchone() == (
        1,
        len(dumps({"value": BIG})),
    )
    inline = connection.execute("SELECT count(*) FROM events WHERE data IS NULL AND blob IS NOT NULL").fetchone()
    assert inline == (3,)
    assert journal.events("other")[1].data == {"value": BIG}
    connection.close()


@pytest.mark.parametrize("change", ["UPDATE blobs SET bytes=CAST('{\"value\":1}' AS BLOB)", "DELETE FROM blobs"])
async def test_an_altered_or_lost_blob_is_named(journal, change):
    tamper(journal, change)
    verdict = journal.verify("r")
    assert verdict.bad_seq == 7


async def test_tenants_do_not_share_blobs(journal):
    await journal.append(creation("foreign", tenant="them"))
    await journal.append(Append("foreign", 1, [draft("/same", BIG, outcome=True)]))
    tamper(journal, "UPDATE blobs SET bytes=CAST('{}' AS BLOB) WHERE tenant='them'")
    assert journal.verify("r").intact
    assert journal.verify("foreign").bad_seq == 2


class Meddled:
    """Statements of somebody who reads, with an act of somebody else before each look at events."""

    def __init__(self, connection, *acts):
        self.connection, self.acts = connection, list(acts)

    def execute(self, *statement):
        if self.acts and "FROM events" in statement[0]:
            self.acts.pop(0)()
        return self.connection.execute(*statement)


async def test_a_run_that_grows_while_it_is_checked_is_intact_and_one_that_is_removed_is_not_there(journal):
    other = Journal(journal.database.path)

    def grow():
        other.writer.call(Append("r", 1, [draft(f"/{other.runs.get('r').head_seq}", 1, outcome=True)]))

    def remove():
        other.writer.call(Append("r", 1, [draft("", None)], {"status": "failed"}))
        other.writer.call(removal("r"))

    with journal.database.reading() as connection:
        assert verify(Meddled(connection, grow, grow), "r").events == 9
        with pytest.raises(NotFoundError):
            verify(Meddled(connection, remove), "r")
    other.close()
