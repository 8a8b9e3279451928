"""The rest of the conformance kit: acts on a store that are no plain appends, and what two of its users may do to each other.

    class TestMyStore(StoreConformance):
        def open(self, folder):
            return Journal(…)

`open` is called twice for one folder where two processes are meant; both are then to see the same store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from weft.core.clock import since_boot
from weft.core.errors import ConflictError, MismatchError
from weft.store.append import Append
from weft.store.flags import SetFlag, set_flag
from weft.store.gates import decide, open_gate
from weft.store.listing import RunFilter
from weft.store.removal import removal
from weft.store.requests import Request, hold
from weft.store.sessions import Session, Spoken, open_session, write_down
from weft.store.signals import send, take
from weft.store.sql import Transaction
from weft.testing.conformance_store import AT, JournalConformance, creation, draft, forking, outcomes


def _late(request: Mapping[str, Any]) -> dict[str, Any]:
    return {"how": "deadline", "choice": request["default"]}


class StoreConformance(JournalConformance):
    """All that the engine and the service ask of a store."""

    async def test_a_piece_of_a_batch_that_fails_undoes_itself_alone(self, tmp_path: Path) -> None:
        """Its neighbours are durable, and in order."""
        journal = self.open(tmp_path)
        await journal.append(creation("r"))

        def half(connection: Transaction) -> None:
            connection.execute("INSERT INTO plans VALUES (?,?)", ("half", b"{}"))
            raise ConflictError("no")

        works: list[Any] = [Append("r", 1, [draft(f"/{n}", n)]) for n in range(6)]
        works[2:2] = [half, creation("r"), Append("r", 7, [draft("/stale", 1)])]
        found = await asyncio.gather(*map(journal.writer.submit, works), return_exceptions=True)
        assert [one for one in found if isinstance(one, int)] == [2, 3, 4, 5, 6, 7]
        assert sum(isinstance(one, ConflictError) for one in found) == 3
        assert [event.path for event in journal.events("r")][1:] == [f"/{n}" for n in range(6)]
        assert journal.verify("r").intact
        with journal.database.reading() as connection:
            assert connection.execute("SELECT count(*) FROM plans WHERE hash='half'").fetchone()[0] == 0
        journal.close()

    async def test_a_changed_event_is_named(self, tmp_path: Path) -> None:
        """Whoever changes what is stored is found out."""
        journal = self.open(tmp_path)
        await journal.append(creation("r"))
        await journal.append(Append("r", 1, [draft(f"/{n}", n) for n in range(5)]))
        await journal.writer.submit(lambda c: c.execute("UPDATE events SET at=at+1 WHERE run_id='r' AND seq=4"))
        assert journal.verify("r").bad_seq == 4
        try:
            journal.proven_events("r")
        except MismatchError:
            pass
        else:
            raise AssertionError("a changed event was taken for what was appended")
        journal.close()

    async def test_an_append_after_events_that_are_gone_is_refused(self, tmp_path: Path) -> None:
        """A store that was put back to an older state makes no second past."""
        journal = self.open(tmp_path)
        await journal.append(creation("r"))
        (found,) = await outcomes(journal, [Append("r", 1, [draft("/a", 1)], after=2)])
        assert isinstance(found, MismatchError)
        assert await journal.append(Append("r", 1, [draft("/a", 1)], after=1)) == 2
        journal.close()

    async def test_a_live_driver_keeps_its_run_and_a_dead_one_does_not(self, tmp_path: Path) -> None:
        """The epoch rises with each claim, and only the last one may append."""
        journal = self.open(tmp_path)
        journal.drivers.enter("one")
        await journal.append(creation("r", driver="one"))
        assert journal.runs.get("r").driven
        assert journal.drivers.held_until > since_boot()
        await journal.writer.submit(journal.claims.hold("r", 1))
        (found,) = await asyncio.gather(journal.writer.submit(journal.claims.claim("r", "two")), return_exceptions=True)
        assert isinstance(found, ConflictError)
        journal.drivers.leave("one")
        assert not journal.runs.get("r").driven
        assert await journal.writer.submit(journal.claims.claim("r", "two")) == 2
        (found,) = await outcomes(journal, [Append("r", 1, [draft("/late", 1)])])
        assert isinstance(found, ConflictError)
        (found,) = await asyncio.gather(journal.writer.submit(journal.claims.hold("r", 1)), return_exceptions=True)
        assert isinstance(found, ConflictError)
        await journal.writer.submit(journal.claims.release("r", 2))
        assert journal.runs.ready(AT) == [("r", "local")]
        journal.close()

    async def test_the_first_answer_of_a_gate_wins_and_an_ended_run_asks_nobody(self, tmp_path: Path) -> None:
        """Deadlines are answers like any other."""
        journal = self.open(tmp_path)
        await journal.append(creation("r"))
        asked = {"default": "no"}
        opened = [open_gate(name, "r", f"/{name}", asked, at=AT, due=AT + 10) for name in ("a", "b", "c")]
        await journal.append(Append("r", 1, [draft("/a", 1)], also=tuple(opened)))
        answers = [decide("a", {"choice": choice}, at=AT, expired=_late) for choice in ("yes", "no")]
        one, two = await asyncio.gather(*map(journal.writer.submit, answers))
        assert (one.won, two.won, dict(two.decision)) == (True, False, {"choice": "yes"})
        late = await journal.writer.submit(decide("b", {"choice": "yes"}, at=AT + 11, expired=_late))
        assert (late.won, late.decision["how"]) == (False, "deadline")
        await journal.append(Append("r", 1, [draft(kind="run.completed")], {"status": "completed"}))
        assert [gate.status for gate in journal.gates.of("r")] == ["decided", "expired", "withdrawn"]
        refused = journal.writer.submit(decide("c", {"choice": "yes"}, at=AT, expired=_late))
        (found,) = await asyncio.gather(refused, return_exceptions=True)
        assert isinstance(found, ConflictError)
        journal.close()

    async def test_signals_and_messages_come_once_and_in_order(self, tmp_path: Path) -> None:
        """A repeated key is harmless; what was taken is gone; an ended run takes none."""
        journal = self.open(tmp_path)
        await journal.append(creation("r"))
        sent = [send("r", name="n", data=str(n), key=f"k{n % 3}", sender="me", at=AT) for n in range(4)]
        assert await asyncio.gather(*map(journal.writer.submit, sent)) == [True, True, True, False]
        pending = journal.signals.pending("r")
        assert [signal.data for signal in pending] == [0, 1, 2]
        await journal.append(Append("r", 1, [draft("/w", 1)], also=(take([pending[0].id]),)))
        assert [signal.data for signal in journal.signals.pending("r")] == [1, 2]
        for key in ("a", "a", "b"):
            await journal.writer.submit(journal.inbox.post("r", key=key, kind="cancel", data={"key": key}, at=AT))
        taken = await journal.writer.submit(journal.inbox.take(["r", "other"]))
        assert [message.key for message in taken] == ["a", "b"]
        assert await journal.writer.submit(journal.inbox.take(["r"])) == []
        journal.close()

    async def test_a_request_under_a_key_is_led_to_the_first_ones_run(self, tmp_path: Path) -> None:
        """Until it is forgotten."""
        journal = self.open(tmp_path)

        def asked(run_id: str, body: str = "b", at: int = AT) -> Request:
            return Request(principal="p", scope="s", key="k", body=body, run_id=run_id, at=at, until=at + 10)

        works = [hold(asked("one")), hold(asked("two")), hold(asked("three", "other"))]
        held = await asyncio.gather(*map(journal.writer.submit, works))
        assert [(one.run_id, one.first, one.same) for one in held] == [
            ("one", True, True),
            ("one", False, True),
            ("one", False, False),
        ]
        assert (await journal.writer.submit(hold(asked("four", at=AT + 20)))).first
        journal.close()

    async def test_runs_are_listed_by_bytes_and_found_by_what_is_asked(self, tmp_path: Path) -> None:
        """Newest first, ties by id, page after page, tenants apart; text is found as it is written."""
        journal = self.open(tmp_path)
        names = ["a", "B", "_x", "ä", "a%"]
        for name in names:
            await journal.append(creation(name))
        await journal.append(creation("other", tenant="t2"))
        listed: list[str] = []
        before = None
        while page := journal.runs.list(before=before, limit=2):
            listed += [run.id for run in page]
            before = (page[-1].created_at, page[-1].id)
        assert listed == sorted(names, key=str.encode, reverse=True)
        assert [run.id for run in journal.runs.search(RunFilter(text="%"))] == ["a%"]
        assert [run.id for run in journal.runs.list(tenant="t2")] == ["other"]
        assert journal.runs.find("ä").id == "ä"
        journal.close()

    async def test_a_run_is_removed_with_all_that_is_its_own(self, tmp_path: Path) -> None:
        """Not while a fork builds on it."""
        journal = self.open(tmp_path)
        await journal.append(creation("r"))
        await journal.append(Append("r", 1, [draft("/a", "x" * 20_000, outcome=True)]))
        await journal.append(forking("f", "r", 2))
        for run_id in ("r", "f"):
            await journal.append(Append(run_id, 1, [draft(kind="run.completed")], {"status": "completed"}))
        (found,) = await asyncio.gather(journal.writer.submit(removal("r")), return_exceptions=True)
        assert isinstance(found, ConflictError)
        assert await journal.writer.submit(removal("f")) == ["f"]
        assert await journal.writer.submit(removal("r")) == ["r"]
        with journal.database.reading() as connection:
            for table in ("runs", "events", "blobs"):
                assert connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == 0  # noqa: S608 -- ours
        journal.close()

    async def test_a_run_that_ends_and_is_removed_at_once_leaves_nothing(self, tmp_path: Path) -> None:
        """What a batch does to a run sees what the batch has appended to it."""
        journal = self.open(tmp_path)
        await journal.append(creation("r"))
        over = Append("r", 1, [draft("/a", "secret", kind="run.completed")], {"status": "completed"})
        found = await asyncio.gather(*(journal.writer.submit(work) for work in (over, removal("r"))))
        assert found == [2, ["r"]]
        with journal.database.reading() as connection:
            for table in ("runs", "events"):
                assert connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == 0  # noqa: S608 -- ours
        journal.close()

    async def test_what_was_said_is_found_by_its_words(self, tmp_path: Path) -> None:
        """All of them, the last one perhaps only begun; nobody finds what others have said."""
        journal = self.open(tmp_path)
        assert await journal.writer.submit(open_session(Session(id="s", target="w")))
        said = [
            Spoken(run_id="1", role="user", session="s", principal="local", content="How is silk woven?", at=AT),
            Spoken(run_id="1", role="assistant", session="s", principal="local", content="On a loom.", at=AT),
            Spoken(run_id="2", role="user", session="s", principal="eve", content="silk is mine", at=AT),
        ]
        await journal.writer.submit(write_down(said))
        await journal.writer.submit(write_down(said))
        assert [one.content for one in journal.sessions.search("SILK wov", principal="local")] == ["How is silk woven?"]
        assert journal.sessions.search("'silk' & cotton:*", principal="local") == []
        assert len(journal.sessions.search("silk", principal="eve")) == 1
        journal.close()

    async def test_what_is_set_again_is_replaced(self, tmp_path: Path) -> None:
        """One row for each name."""
        journal = self.open(tmp_path)
        for value in (True, False):
            await journal.writer.submit(set_flag(SetFlag(name="f", value=value, principal="me", updated_at=AT)))
        (flag,) = journal.flags.all()
        assert flag.value is False
        journal.close()

    async def test_two_users_of_a_store_take_turns_on_one_chain_and_hear_each_other(self, tmp_path: Path) -> None:
        """What one remembers of a run is old news once the other has appended. Stores in memory are exempt."""
        one = self.open(tmp_path)
        if one.database.in_memory:
            one.close()
            return
        two = self.open(tmp_path)
        await one.append(creation("r"))
        for turn in range(6):
            await (one, two)[turn % 2].append(Append("r", 1, [draft(f"/{turn}", turn, outcome=True)]))
        assert [event.data["value"] for event in one.events("r")][1:] == list(range(6))
        assert one.verify("r") == two.verify("r")
        assert two.verify("r").intact
        heard = two.inbox.bell()
        one.inbox.ring()
        for _ in range(100):
            if two.inbox.bell() != heard:
                break
            await asyncio.sleep(0.02)
        assert two.inbox.bell() != heard
        # A name that is held there is alive here.
        one.drivers.enter("one")
        assert two.drivers.alive("one")
        one.close()
        two.close()
