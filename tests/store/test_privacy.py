"""What a journal holds is its owner's business: nobody else on the machine may read it."""

from __future__ import annotations

import os
import stat

import pytest

from weft.store.append import Append
from weft.store.journal import Journal
from weft.testing.conformance_store import creation, draft


@pytest.fixture
def open_umask():
    before = os.umask(0)
    yield
    os.umask(before)


def rights(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.sqlite
async def test_nobody_but_the_owner_may_enter_the_home_or_read_the_journal_and_its_log(tmp_path, open_umask):
    home = tmp_path / "home"
    journal = Journal(home / "journal.db")
    journal.drivers.enter("me")
    await journal.append(creation("r"))
    await journal.append(Append("r", 1, [draft("/s", "private")]))
    assert rights(home) == 0o700
    assert {file.name: rights(file) & 0o077 for file in home.glob("journal.db*")} == {
        "journal.db": 0,
        "journal.db-wal": 0,
        "journal.db-shm": 0,
        "journal.db-writer.lock": 0,
    }
    assert rights(home / "drivers") == 0o700
    journal.drivers.leave("me")
    journal.close()


async def test_what_a_writer_remembers_of_runs_is_bounded_and_forgetting_loses_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("weft.store.append._HEADS", 3)
    journal = Journal(tmp_path / "weft.db")
    for number in range(10):
        await journal.append(creation(f"r{number}"))
    assert len(journal.writer._appender.heads) <= 3
    assert [await journal.append(Append(f"r{number}", 1, [draft("/s", 1)])) for number in range(10)] == [2] * 10
    assert all(journal.verify(f"r{number}").intact for number in range(10))
    journal.close()
