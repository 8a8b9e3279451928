"""The audit log: whatever is done to it afterwards, the proof names the first entry that does not fit."""

import asyncio
import json
import random

import pytest

from weft.app.auditing.acts import Act, run_start
from weft.app.auditing.keys import AuditKey
from weft.app.auditing.proof import lines, verify, verify_file
from weft.app.auditing.trail import Trail
from weft.core.clock import SystemClock
from weft.core.errors import ConflictError, StorageError
from weft.core.owner import LOCAL, Owner
from weft.store.audit import Entry, note
from weft.store.journal import Journal
from weft.testing.conformance_store import creation

COUNT = 40


def written(where, tmp_path):
    """A journal with a log of two tenants, and its key."""
    journal = Journal(where, durability="fast")
    key = AuditKey(tmp_path)
    for tenant in ("local", "other"):
        for number in range(COUNT):
            entry = Entry(
                principal="ann", act="run.start", target=f"run/{number}", at=number, data={"ü": '"\n'}, tenant=tenant
            )
            journal.writer.call(note([entry], key))
    return journal, key


@pytest.fixture
def kept(tmp_path):
    journal, key = written(tmp_path / "journal.db", tmp_path)
    yield journal, key
    journal.close()


@pytest.fixture(params=["file", "postgres"])
def stored(request, tmp_path):
    """The same on either database."""
    where = request.getfixturevalue("postgres") if request.param == "postgres" else tmp_path / "journal.db"
    journal, key = written(where, tmp_path)
    yield journal, key
    journal.close()


@pytest.fixture
def exported(kept, tmp_path):
    journal, key = kept
    file = tmp_path / "audit.jsonl"
    file.write_bytes(b"\n".join(lines(journal.audit, "local")) + b"\n")
    return file, key.public


_OPEN = {
    "sqlite": ("DROP TRIGGER IF EXISTS audit_stays", "DROP TRIGGER IF EXISTS audit_keeps"),
    "postgresql": ("ALTER TABLE audit DISABLE TRIGGER USER",),
}


def bend(journal, *statements):
    """Change the database as somebody would who may do anything there, whichever it is."""

    def change(connection):
        for statement in (*_OPEN[journal.database.engine.dialect.name], *statements):
            connection.execute(statement)

    journal.writer.call(change)


def bad(log, tenant="local", **rest):
    journal, key = log
    found = {one.tenant: one for one in verify(journal.audit, key.public, **rest)}
    return found[tenant].bad, found[tenant].reason


def test_a_log_that_nobody_touched_is_whole(kept, exported):
    journal, key = kept
    assert [(one.tenant, one.entries, one.bad) for one in verify(journal.audit, key.public)] == [
        ("local", COUNT, None),
        ("other", COUNT, None),
    ]
    file, public = exported
    assert (verify_file(file, public).entries, verify_file(file, public).bad) == (COUNT, None)
    first = json.loads(file.read_bytes().splitlines()[0])
    assert (first["seq"], first["principal"], first["data"]) == (1, "ann", {"ü": '"\n'})


def test_the_database_itself_lets_no_entry_be_changed_or_removed(kept):
    journal, _ = kept
    for statement in ("UPDATE audit SET principal='eve' WHERE seq=3", "DELETE FROM audit WHERE seq=3"):
        with pytest.raises((ConflictError, StorageError)):
            journal.writer.call(lambda connection, said=statement: connection.execute(said))
    assert bad(kept) == (None, "")
    bend(journal, "UPDATE audit SET principal='eve' WHERE seq=3 AND tenant='local'")
    assert bad(kept)[0] == 3, "it was the trigger that refused"


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        *(
            ([f"UPDATE audit SET {change} WHERE seq=7 AND tenant='local'"], 7)
            for change in (
                "tenant='third'",
                "seq=70",
                "at=at+1",
                "principal='eve'",
                "act='run.delete'",
                "target='run/8'",
                "outcome='denied'",
                """data='{"ü":""}'""",
                f"hash='{'1' * 64}'",
                "hash=''",
            )
        ),
        (["UPDATE audit SET at=at+1 WHERE seq=1 AND tenant='local'"], 1),
        ([f"UPDATE audit SET principal='eve' WHERE seq={COUNT} AND tenant='local'"], COUNT),
        (["DELETE FROM audit WHERE seq=7 AND tenant='local'"], 7),
        (["DELETE FROM audit WHERE seq>30 AND tenant='local'"], 31),
        (["DELETE FROM audit WHERE tenant='local'"], 1),
        (["DELETE FROM audit_heads WHERE tenant='local'"], COUNT + 1),
        (
            ["DELETE FROM audit WHERE seq>30 AND tenant='local'", "UPDATE audit_heads SET seq=30 WHERE tenant='local'"],
            30,
        ),
        (
            [
                "UPDATE audit SET seq=100 WHERE seq=8 AND tenant='local'",
                "UPDATE audit SET seq=8 WHERE seq=9 AND tenant='local'",
                "UPDATE audit SET seq=9 WHERE seq=100 AND tenant='local'",
            ],
            8,
        ),
    ],
)
@pytest.mark.slow
def test_the_first_bad_entry_of_a_database_is_named(stored, statements, expected):
    bend(stored[0], *statements)
    assert bad(stored)[0] == expected
    assert bad(stored, "other")[0] is None


@pytest.mark.sqlite
@pytest.mark.slow
@pytest.mark.parametrize("column", ["at", "principal", "act", "target", "outcome", "data", "hash"])
@pytest.mark.parametrize("value", ["CAST(x'ff' AS TEXT)", "x'00'", "x'ff'", "''", "0.5"])
def test_what_only_sqlite_would_keep_in_a_column_is_named_too(kept, column, value):
    bend(kept[0], f"UPDATE audit SET {column}={value} WHERE seq=7 AND tenant='local'")
    assert bad(kept)[0] == 7
    assert bad(kept, "other")[0] is None


def test_a_chain_that_is_written_anew_is_not_the_one_that_was_signed(kept, tmp_path):
    journal, key = kept
    head = journal.audit.head("local")
    bend(journal, "DELETE FROM audit WHERE tenant='local'", "DELETE FROM audit_heads WHERE tenant='local'")
    forger = AuditKey(tmp_path / "elsewhere")
    journal.writer.call(note([Entry(principal="eve", act="a", target="t", at=n) for n in range(COUNT)], forger))
    assert bad(kept) == (COUNT, "the head is not signed with the key of this log")
    # Even with the key: a head that was kept elsewhere knows better.
    bend(journal, "DELETE FROM audit WHERE tenant='local'", "DELETE FROM audit_heads WHERE tenant='local'")
    journal.writer.call(note([Entry(principal="eve", act="a", target="t", at=n) for n in range(COUNT)], key))
    assert bad(kept) == (None, "")
    assert bad(kept, kept=[head])[0] == COUNT


def test_what_is_added_after_a_cut_does_not_hide_it(kept):
    journal, key = kept
    bend(journal, "DELETE FROM audit WHERE seq>30 AND tenant='local'")
    journal.writer.call(note([Entry(principal="ann", act="a", target="t", at=1)], key))
    assert bad(kept)[0] == 31


def test_no_change_of_an_export_goes_unseen(exported):
    file, public = exported
    whole = file.read_bytes().splitlines()
    head = whole[-1]
    entries = whole[:-1]
    dice = random.Random(5)
    for _ in range(300):
        changed = list(entries)
        at = dice.randrange(len(changed))
        match dice.randrange(5):
            case 0:
                text = bytearray(changed[at])
                text[dice.randrange(len(text))] ^= 1 << dice.randrange(7)
                changed[at] = bytes(text)
                expected = at + 1
            case 1:
                del changed[at]
                expected = at + 1
            case 2:
                other = dice.randrange(len(changed))
                if other == at:
                    continue
                changed[at], changed[other] = changed[other], changed[at]
                expected = min(at, other) + 1
            case 3:
                changed = changed[:at]
                expected = at + 1
            case _:
                changed.insert(at, changed[at])
                expected = at + 2
        file.write_bytes(b"\n".join([*changed, head]) + b"\n")
        found = verify_file(file, public)
        assert found.bad is not None
        if changed and json_seq(changed[0]) == 1:
            assert found.bad == expected, found
    file.write_bytes(b"\n".join(entries) + b"\n")
    assert verify_file(file, public).reason.startswith("the signed head is missing")


def json_seq(line):
    try:
        return json.loads(line).get("seq")
    except ValueError:
        return None


async def test_entries_of_one_moment_share_a_write_and_none_is_lost(tmp_path):
    journal = Journal(tmp_path / "journal.db", durability="fast")
    trail = Trail(journal, SystemClock(), tmp_path)
    for number in range(100):
        trail.later(trail.entry("ann", "tool.call", f"tool/{number}"))
    await trail.note(trail.entry("ann", "run.start", "run/1"))
    trail.flush()
    journal.writer.drain()
    assert len(journal.audit.list(limit=200)) == 101
    [found] = verify(journal.audit, AuditKey(tmp_path).public)
    assert (found.entries, found.bad) == (101, None)
    journal.close()


def away(journal):
    """The journal refuses entries, until `back`: there is no place for them."""
    journal.writer.call(lambda connection: connection.execute("ALTER TABLE audit RENAME TO audit_away"))


def back(journal):
    journal.writer.call(lambda connection: connection.execute("ALTER TABLE audit_away RENAME TO audit"))


async def until(holds):
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["loop", "thread", "note", "act"])
async def test_entries_that_the_journal_refuses_are_written_when_it_takes_them_again(tmp_path, caplog, how):
    journal = Journal(tmp_path / "journal.db", durability="fast")
    trail = Trail(journal, SystemClock(), tmp_path)
    away(journal)
    entry = trail.entry("ann", "tool.call", "tool/1")
    if how == "loop":
        trail.later(entry)
    elif how == "thread":
        await asyncio.to_thread(trail.later, entry)
    elif how == "note":
        with pytest.raises(StorageError):
            await trail.note(entry)
    else:
        with pytest.raises(StorageError):
            await trail.act(Owner("local", "ann"), Act("tool.call", "tool/1"), asyncio.sleep(0))
    await until(lambda: trail.unwritten.refused)
    trail.later(trail.entry("bob", "tool.call", "tool/2"), soon=True)
    assert (trail.unwritten.waiting, trail.unwritten.lost) == (2, 0)
    assert "refuses entries of the audit log" in caplog.text
    back(journal)
    await until(lambda: not trail.unwritten.waiting)
    await trail.finish()
    assert [one.principal for one in reversed(journal.audit.list())] == ["ann", "bob"]
    assert (trail.unwritten.refused, trail.unwritten.lost) == (False, 0)
    journal.close()


@pytest.mark.slow
async def test_entries_that_are_lost_are_named_and_counted(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("weft.app.auditing.unwritten._LAST_S", 0.5)
    journal = Journal(tmp_path / "journal.db", durability="fast")
    trail = Trail(journal, SystemClock(), tmp_path)
    away(journal)
    trail.later(trail.entry("ann\nforged", "tool.call", "tool/1", {"token": "hush"}))
    await trail.finish()
    assert (trail.unwritten.waiting, trail.unwritten.lost) == (0, 1)
    [record] = [one for one in caplog.records if one.levelname == "ERROR"]
    said = record.getMessage()
    assert said.startswith("1 entries of the audit log are lost")
    assert r"'ann\nforged' 'tool.call' 'tool/1' 'done'" in said
    assert "hush" not in said
    # What comes afterwards is lost at once, and no less loudly.
    trail.later(trail.entry("bob", "tool.call", "tool/2"), soon=True)
    await until(lambda: trail.unwritten.lost == 2)
    back(journal)
    journal.close()


async def test_runs_that_begin_at_once_share_a_signature_and_each_has_its_entry(tmp_path, monkeypatch):
    journal = Journal(tmp_path / "journal.db", durability="fast")
    trail = Trail(journal, SystemClock(), tmp_path)
    signed = []
    sign = AuditKey.sign
    monkeypatch.setattr(AuditKey, "sign", lambda key, said: signed.append(said) or sign(key, said))
    begun = [
        creation(f"r{number}")._replace(also=(trail.born(LOCAL, run_start(f"r{number}", "a.yaml")),))
        for number in range(40)
    ]
    results = await asyncio.gather(
        *(journal.writer.submit(work) for work in (*begun, begun[0])), return_exceptions=True
    )
    assert results[:-1] == [1] * 40
    assert isinstance(results[-1], ConflictError)
    assert sorted(entry.target for entry in journal.audit.list(limit=200)) == sorted(f"run/r{n}" for n in range(40))
    [found] = verify(journal.audit, AuditKey(tmp_path).public)
    assert (found.entries, found.bad) == (40, None)
    signed.clear()
    await asyncio.gather(
        *(
            journal.append(creation(f"s{number}")._replace(also=(trail.born(LOCAL, run_start("s", "a.yaml")),)))
            for number in range(40)
        )
    )
    assert len(signed) < 10
    journal.close()
