"""A conformance kit: the append rule as tests that any store must pass.

Subclass `JournalConformance` in a test module, say how to open the store, and let pytest (with pytest-asyncio in auto mode) find
the tests:

    class TestMyStore(JournalConformance):
        def open(self, folder):
            return Journal(folder / "weft.db")
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from weft.core.canonical import dumps
from weft.core.errors import ConflictError, NotFoundError, WeftError
from weft.store.append import INLINE_BYTES, Append, Draft, NewRun
from weft.store.journal import Journal

AT = 1_760_000_000_000_000
"""When the events of these tests happen, in microseconds since the epoch."""


def draft(
    path: str = "", value: Any = None, *, kind: str = "step.completed", outcome: bool = False, at: int = AT
) -> Draft:
    """An event to append; `value` is its payload."""
    return Draft(at, kind, path, dumps({"value": value}), outcome)


def creation(
    run_id: str, *, driver: str | None = "me", workflow: str = "w", at: int = AT, tenant: str = "local"
) -> Append:
    """The append that creates a run, held by `driver` under epoch 1, or queued under epoch 0."""
    new = NewRun(run_id, workflow, "plan", b"{}", "{}", "{}", driver=driver, tenant=tenant)
    return Append(run_id, 0 if driver is None else 1, [draft(kind="run.created", at=at)], create=new)


def forking(run_id: str, base: str, seq: int, *, driver: str | None = "me") -> Append:
    """The append that creates a fork of `base` at its event `seq`."""
    new = NewRun(run_id, "w", "plan", None, "{}", "{}", driver=driver, base=(base, seq))
    return Append(run_id, 0 if driver is None else 1, [draft(kind="run.forked")], create=new)


async def outcomes(journal: Journal, appends: Sequence[Append]) -> list[Any]:
    """Submit all at once; each one's sequence number, or the error that refused it."""
    futures = [journal.writer.submit(append) for append in appends]
    return await asyncio.gather(*futures, return_exceptions=True)


class JournalConformance:
    """The append rule. A subclass says how to open its store."""

    def open(self, folder: Path) -> Journal:
        """A fresh store inside `folder`."""
        raise NotImplementedError

    async def test_events_are_numbered_from_one_without_gaps_and_read_back_as_written(self, tmp_path: Path) -> None:
        """Sequence numbers are the store's to give."""
        journal = self.open(tmp_path)
        last = await journal.append(creation("r"))
        assert last == 1
        assert await journal.append(Append("r", 1, [draft("/a", 1), draft("/b", {"x": ["ü", None]})])) == 3
        events = journal.events("r")
        assert [event.seq for event in events] == [1, 2, 3]
        assert [(event.path, event.data) for event in events[1:]] == [
            ("/a", {"value": 1}),
            ("/b", {"value": {"x": ["ü", None]}}),
        ]
        assert [event.seq for event in journal.events("r", after=1, limit=1)] == [2]
        assert journal.verify("r").intact
        journal.close()

    async def test_a_stale_epoch_is_refused_and_its_neighbours_are_not(self, tmp_path: Path) -> None:
        """A fenced run fails its own appends only."""
        journal = self.open(tmp_path)
        for run_id in ("a", "b", "c"):
            await journal.append(creation(run_id, driver=None))
        await journal.writer.submit(journal.claims.claim("b", "newcomer"))
        found = await outcomes(journal, [Append(run_id, 0, [draft("/s", 1)]) for run_id in ("a", "b", "c")])
        assert found[0] == found[2] == 2
        assert isinstance(found[1], ConflictError)
        assert [len(journal.events(run_id)) for run_id in ("a", "b", "c")] == [2, 1, 2]
        assert await journal.append(Append("b", 1, [draft("/s", 1)])) == 2
        assert all(journal.verify(run_id).intact for run_id in ("a", "b", "c"))
        journal.close()

    async def test_what_a_former_driver_appends_does_not_ride_along_with_the_next_ones(self, tmp_path: Path) -> None:
        """Each append of a batch stands or falls by its own epoch, whatever else the batch holds of its run."""
        journal = self.open(tmp_path)
        await journal.append(creation("r", driver=None))
        assert await journal.writer.submit(journal.claims.claim("r", "heir")) == 1
        await journal.append(Append("r", 1, [draft("/x", 0)]))
        stale, new = Append("r", 0, [draft("/s", 1, outcome=True)]), [draft("/s", 2, outcome=True)]
        for number, patch in enumerate(({"usage": "{}"}, None)):
            found = await outcomes(journal, [stale, Append("r", 1, new if not number else [draft("/y", 3)], patch)])
            assert isinstance(found[0], ConflictError)
            assert found[1] == 3 + number
        assert [event.path for event in journal.events("r")][1:] == ["/x", "/s", "/y"]
        assert journal.events("r")[2].data == {"value": 2}
        assert journal.verify("r").intact
        journal.close()

    async def test_an_epoch_from_the_future_is_refused(self, tmp_path: Path) -> None:
        """Only a claim raises the epoch."""
        journal = self.open(tmp_path)
        await journal.append(creation("r"))
        (found,) = await outcomes(journal, [Append("r", 2, [draft("/s", 1)])])
        assert isinstance(found, ConflictError)
        journal.close()

    async def test_a_path_has_one_outcome_and_a_second_one_undoes_only_its_own_append(self, tmp_path: Path) -> None:
        """The second outcome is refused whole, with what came in the same append."""
        journal = self.open(tmp_path)
        await journal.append(creation("r"))
        done = draft("/s", 1, outcome=True)
        found = await outcomes(
            journal,
            [
                Append("r", 1, [done]),
                Append("r", 1, [draft("/note", 2), draft("/s", 9, outcome=True)]),
                Append("r", 1, [draft("/s", 3, kind="step.retrying")]),
                Append("r", 1, [draft("/t", 4, outcome=True)]),
            ],
        )
        assert [found[0], found[2], found[3]] == [2, 3, 4]
        assert isinstance(found[1], ConflictError)
        assert [event.data["value"] for event in journal.events("r")] == [None, 1, 3, 4]
        assert journal.verify("r").intact
        journal.close()

    async def test_an_ended_run_takes_no_more_events(self, tmp_path: Path) -> None:
        """Completed, failed and cancelled are final until somebody reopens the run."""
        journal = self.open(tmp_path)
        for status in ("completed", "failed", "cancelled"):
            await journal.append(creation(status))
            await journal.append(Append(status, 1, [draft(kind=f"run.{status}")], {"status": status}))
            (found,) = await outcomes(journal, [Append(status, 1, [draft("/late", 1)])])
            assert isinstance(found, ConflictError)
            assert status in found.message
            assert len(journal.events(status)) == 2
        journal.close()

    async def test_a_reopened_run_may_have_a_new_outcome_for_a_path(self, tmp_path: Path) -> None:
        """Each generation of a run has its own outcomes; a completed run has no second one."""
        journal = self.open(tmp_path)
        await journal.append(creation("r"))
        await journal.append(Append("r", 1, [draft("/s", "bad", outcome=True)]))
        await journal.append(Append("r", 1, [draft(kind="run.failed")], {"status": "failed", "driver": None}))
        epoch = await journal.writer.submit(journal.claims.claim("r", "me", reopen=True))
        await journal.append(Append("r", epoch, [draft(kind="run.reopened")], {"status": "queued"}, reopen=True))
        await journal.append(Append("r", epoch, [draft("/s", "good", outcome=True)]))
        (found,) = await outcomes(journal, [Append("r", epoch, [draft("/s", "again", outcome=True)])])
        assert isinstance(found, ConflictError)
        assert journal.runs.get("r").generation == 1
        assert journal.verify("r").intact
        await journal.append(Append("r", epoch, [draft(kind="run.completed")], {"status": "completed", "driver": None}))
        try:
            await journal.writer.submit(journal.claims.claim("r", "me", reopen=True))
        except ConflictError:
            pass
        else:
            raise AssertionError("a completed run was reopened")
        journal.close()

    async def test_unknown_runs_and_taken_ids_are_refused(self, tmp_path: Path) -> None:
        """A typed error each, and nothing is written."""
        journal = self.open(tmp_path)
        await journal.append(creation("r"))
        unknown, taken = await outcomes(journal, [Append("nobody", 1, [draft()]), creation("r")])
        assert isinstance(unknown, NotFoundError)
        assert isinstance(taken, WeftError)
        assert len(journal.events("r")) == 1
        journal.close()

    async def test_a_fork_has_the_past_that_it_points_at_and_copies_nothing(self, tmp_path: Path) -> None:
        """Its numbers and its hash chain go on from there; nothing of the other run changes, and siblings are not seen."""
        journal = self.open(tmp_path)
        await journal.append(creation("r"))
        await journal.append(Append("r", 1, [draft("/a", 1, outcome=True), draft("/b", 2, outcome=True)]))
        before = journal.events("r")
        for fork_id in ("f", "g"):
            assert await journal.append(forking(fork_id, "r", 2)) == 3
        assert await journal.append(Append("f", 1, [draft("/b", 9, outcome=True)])) == 4
        assert await journal.append(forking("h", "f", 4)) == 5
        assert journal.events("r") == before
        assert [event.hash for event in journal.events("f")[:2]] == [event.hash for event in before[:2]]
        assert [(event.seq, event.data["value"]) for event in journal.events("h") if event.path] == [(2, 1), (4, 9)]
        assert [event.path for event in journal.events("g", after=1)] == ["/a", ""]
        assert [event.seq for event in journal.events("h", after=2, limit=2)] == [3, 4]
        assert {event.run_id for event in journal.events("h")} == {"h"}
        assert all(journal.verify(run_id).intact for run_id in ("r", "f", "g", "h"))
        assert journal.forks.builders("r") == ["f", "g"]
        (found,) = await outcomes(journal, [forking("x", "r", 99)])
        assert isinstance(found, NotFoundError)
        journal.close()

    async def test_large_payloads_read_back_the_same(self, tmp_path: Path) -> None:
        """Wherever the store keeps them."""
        journal = self.open(tmp_path)
        await journal.append(creation("r"))
        texts = ["x" * size for size in (INLINE_BYTES - 20, INLINE_BYTES, 3 * INLINE_BYTES, 1_000_000)]
        await journal.append(Append("r", 1, [draft(f"/{len(text)}", text) for text in texts]))
        assert [event.data["value"] for event in journal.events("r")[1:]] == texts
        assert journal.verify("r").intact
        journal.close()

    async def test_a_stored_run_outlives_its_journal_object(self, tmp_path: Path) -> None:
        """What was acknowledged is there for whoever opens the store next; stores in memory are exempt."""
        journal = self.open(tmp_path)
        if journal.database.in_memory:
            journal.close()
            return
        await journal.append(creation("r"))
        await journal.append(Append("r", 1, [draft("/s", 1, outcome=True)]))
        journal.close()
        again = self.open(tmp_path)
        assert [event.path for event in again.events("r")] == ["", "/s"]
        (found,) = await outcomes(again, [Append("r", 1, [draft("/s", 2, outcome=True)])])
        assert isinstance(found, ConflictError)
        again.close()
