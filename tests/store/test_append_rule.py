"""Every store that ships passes the conformance kit; and what the kit cannot see from outside."""

from __future__ import annotations

from pathlib import Path

import pytest

from weft.core.errors import NotFoundError
from weft.store.append import Append
from weft.store.journal import Journal
from weft.testing.conformance_acts import StoreConformance
from weft.testing.conformance_store import JournalConformance, creation, draft
from weft.testing.keys import keyring


@pytest.mark.sqlite
class TestMemory(StoreConformance):
    def open(self, folder: Path) -> Journal:
        return Journal(":memory:")


class TestFile(StoreConformance):
    def open(self, folder: Path) -> Journal:
        return Journal(folder / "weft.db")


class TestFastFile(JournalConformance):
    def open(self, folder: Path) -> Journal:
        return Journal(folder / "weft.db", durability="fast")


class TestInlineFile(JournalConformance):
    def open(self, folder: Path) -> Journal:
        return Journal(folder / "weft.db", inline=True)


@pytest.mark.slow
class TestPostgres(StoreConformance):
    @pytest.fixture(autouse=True)
    def address(self, postgres: str) -> None:
        self.postgres = postgres

    def open(self, folder: Path) -> Journal:
        return Journal(self.postgres)


@pytest.mark.sqlite
class TestSealedMemory(StoreConformance):
    def open(self, folder: Path) -> Journal:
        return Journal(":memory:", seal=keyring())


class TestSealedFile(StoreConformance):
    def open(self, folder: Path) -> Journal:
        return Journal(folder / "weft.db", seal=keyring())


class TestSealedPostgres(StoreConformance):
    @pytest.fixture(autouse=True)
    def address(self, postgres: str) -> None:
        self.postgres = postgres

    def open(self, folder: Path) -> Journal:
        return Journal(self.postgres, seal=keyring())


async def test_two_journals_on_one_file_take_turns_and_keep_one_chain(tmp_path):
    """What one writer remembers of a run's head is old news once another process has appended."""
    one, two = Journal(tmp_path / "weft.db"), Journal(tmp_path / "weft.db")
    await one.append(creation("r"))
    for turn in range(10):
        await (one, two)[turn % 2].append(Append("r", 1, [draft(f"/{turn}", turn, outcome=True)]))
    assert [event.data["value"] for event in one.events("r")][1:] == list(range(10))
    assert one.verify("r") == two.verify("r")
    assert one.verify("r").intact
    one.close()
    two.close()


async def test_a_takeover_by_another_journal_fences_the_old_one(tmp_path):
    one, two = Journal(tmp_path / "weft.db"), Journal(tmp_path / "weft.db")
    await one.append(creation("r", driver="dead"))
    await one.append(Append("r", 1, [draft("/a", 1, outcome=True)]))
    assert await two.writer.submit(two.claims.claim("r", "heir")) == 2
    with pytest.raises(Exception, match="taken this run over"):
        await one.append(Append("r", 1, [draft("/b", 2, outcome=True)]))
    await two.append(Append("r", 2, [draft("/b", 3, outcome=True)]))
    assert [event.data["value"] for event in two.events("r")][1:] == [1, 3]
    one.close()
    two.close()


async def test_a_patch_and_its_events_are_written_together_or_not_at_all(tmp_path):
    journal = Journal(tmp_path / "weft.db")
    await journal.append(creation("r"))
    await journal.append(Append("r", 1, [draft("/s", 1, outcome=True)]))
    with pytest.raises(Exception, match="outcome already"):
        await journal.append(Append("r", 1, [draft("/s", 2, outcome=True)], {"status": "completed"}))
    assert journal.runs.get("r").status == "queued"
    assert journal.runs.get("r").head_seq == 2
    journal.close()


async def test_checking_a_run_that_is_not_there_is_an_error_and_not_a_clean_bill(tmp_path):
    journal = Journal(tmp_path / "weft.db")
    with pytest.raises(NotFoundError):
        journal.verify("nobody")
    journal.close()
