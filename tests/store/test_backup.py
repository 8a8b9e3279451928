"""A backup holds the whole store, and comes back in either kind of database."""

import gzip
import json

import pytest

from weft.core.errors import ConflictError, InputError, MismatchError, StorageError
from weft.store import schema
from weft.store.append import Append
from weft.store.backup import back_up, restore
from weft.store.checking import check
from weft.store.gates import open_gate
from weft.store.journal import Journal
from weft.store.sessions import Session, Spoken, open_session, write_down
from weft.store.signals import send
from weft.testing.conformance_store import AT, creation, draft


async def fill(journal):
    await journal.append(creation("r"))
    steps = [draft("/a", {"ü": None}), draft("/b", "x" * 30_000, outcome=True)]
    await journal.append(Append("r", 1, steps, also=(open_gate("g", "r", "/g", {"q": 1}, at=AT, due=None),)))
    await journal.append(creation("other", tenant="t2", at=AT + 1))
    await journal.writer.submit(send("r", name="n", data="{}", key="k", sender="me", at=AT))
    await journal.writer.submit(open_session(Session(id="s", target="w")))
    said = Spoken(run_id="r", role="user", session="s", principal="local", content="silk", at=AT)
    await journal.writer.submit(write_down([said]))


def everything(journal):
    return (
        [journal.events(run_id) for run_id in ("r", "other")],
        journal.runs.list(),
        journal.runs.list(tenant="t2"),
        journal.gates.of("r"),
        journal.signals.pending("r"),
        journal.sessions.search("silk", principal="local"),
        journal.plans.get("plan"),
    )


@pytest.fixture
def stores(tmp_path, databases):
    made = []

    def store(kind):
        made.append(Journal(databases.fresh() if kind == "postgres" else tmp_path / f"{len(made)}.db"))
        return made[-1]

    yield store
    for journal in made:
        journal.close()


@pytest.mark.parametrize(("one", "other"), [("sqlite", "sqlite"), ("sqlite", "postgres"), ("postgres", "sqlite")])
@pytest.mark.slow
async def test_what_is_restored_is_what_was_backed_up_and_goes_on(tmp_path, stores, one, other):
    journal, copy = stores(one), stores(other)
    await fill(journal)
    file = tmp_path / "all.weft"
    counts = back_up(journal.database, file, at=AT)
    assert (counts["runs"], counts["events"], counts["blobs"], counts["gates"]) == (2, 4, 1, 1)
    assert file.stat().st_mode & 0o077 == 0
    assert restore(copy.database, file) == counts
    assert everything(copy) == everything(journal)
    found = check(copy, copy.verify)
    assert (found.sound, found.runs, found.events) == (True, 2, 4)
    assert await copy.append(Append("r", 1, [draft("/c", 1)])) == 4
    assert await copy.writer.submit(send("r", name="n", data="{}", key="k2", sender="me", at=AT))
    assert len({signal.id for signal in copy.signals.pending("r")}) == 2


async def test_a_backup_that_was_cut_off_or_changed_restores_nothing(tmp_path, stores):
    journal = stores("sqlite")
    await fill(journal)
    back_up(journal.database, tmp_path / "all.weft", at=AT)
    lines = gzip.decompress((tmp_path / "all.weft").read_bytes()).splitlines(keepends=True)
    swapped = [line.replace(b'"local"', b'"eve00"') for line in lines]
    for bad in (lines[:-1], lines[:3] + lines[4:], swapped, [*lines[:2], b"[]\n", *lines[2:]], [*lines[:2], b"{\n"]):
        (tmp_path / "bad.weft").write_bytes(gzip.compress(b"".join(bad)))
        copy = stores("sqlite")
        with pytest.raises(MismatchError, match="incomplete or was changed"):
            restore(copy.database, tmp_path / "bad.weft")
        assert copy.runs.list() == []
    (tmp_path / "bad.weft").write_bytes((tmp_path / "all.weft").read_bytes()[:-20])
    with pytest.raises((MismatchError, StorageError)):
        restore(stores("sqlite").database, tmp_path / "bad.weft")


async def test_a_backup_overwrites_no_file_and_no_store(tmp_path, stores):
    journal = stores("sqlite")
    await fill(journal)
    back_up(journal.database, tmp_path / "all.weft", at=AT)
    with pytest.raises(ConflictError, match="is there already"):
        back_up(journal.database, tmp_path / "all.weft", at=AT)
    with pytest.raises(ConflictError, match="holds something already"):
        restore(journal.database, tmp_path / "all.weft")
    for text in ("", "{}", json.dumps({"weft_backup": 1, "schema": "0001", "tables": {"runs; DROP": []}})):
        (tmp_path / "no.weft").write_bytes(gzip.compress(text.encode()))
        with pytest.raises(InputError, match="no backup"):
            restore(stores("sqlite").database, tmp_path / "no.weft")


async def test_a_backup_of_an_older_schema_is_brought_up_and_one_of_a_newer_is_refused(tmp_path, stores):
    journal = stores("sqlite")
    await fill(journal)
    back_up(journal.database, tmp_path / "all.weft", at=AT)
    lines = gzip.decompress((tmp_path / "all.weft").read_bytes()).splitlines(keepends=True)
    newer = lines[0].replace(schema.HEAD.encode(), b"9999")
    (tmp_path / "newer.weft").write_bytes(gzip.compress(b"".join([newer, *lines[1:]])))
    with pytest.raises(MismatchError, match="newer"):
        restore(stores("sqlite").database, tmp_path / "newer.weft")


async def test_a_check_names_what_was_changed(stores):
    for kind in ("sqlite", "postgres"):
        journal = stores(kind)
        await fill(journal)
        journal.writer.call(lambda c: c.execute("UPDATE events SET path='/z' WHERE run_id='r' AND seq=2"))
        (problem,) = check(journal, journal.verify).problems
        assert problem.startswith("run r: event 2 is not what was appended")
