"""Reading a run's events back, and proving that nobody has changed them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from weft.core.canonical import loads, sha256
from weft.core.errors import MismatchError, NotFoundError, Place
from weft.core.event import Event
from weft.store.append import GENESIS, Draft, commitment, event_hash

_SELECT = (
    "SELECT e.seq, e.at, e.kind, e.path, COALESCE(e.data, b.bytes), e.blob, e.salt, e.commitment, e.hash "
    "FROM events e JOIN runs r ON r.id = e.run_id "
    "LEFT JOIN blobs b ON b.tenant = r.tenant AND b.hash = e.blob "
    "WHERE e.run_id=? AND e.seq>? ORDER BY e.seq"
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check of a run's hash chain found. `bad_seq` is the first event that does not fit, if any."""

    run_id: str
    events: int
    bad_seq: int | None = None
    reason: str = ""
    erased: int = 0

    @property
    def intact(self) -> bool:
        """Whether every event is what was appended."""
        return self.bad_seq is None

    def demand(self) -> None:
        """Do nothing if every event is what was appended.

        Raises:
            MismatchError: one is not.
        """
        if self.bad_seq is not None:
            raise MismatchError(
                f"event {self.bad_seq} of run {self.run_id} is not what was appended: {self.reason}",
                fix="somebody has changed the journal, or the disk is failing: restore the database from a backup",
                run=self.run_id,
                seq=self.bad_seq,
            )


def read(connection: sqlite3.Connection, run_id: str, *, after: int = 0, limit: int = -1) -> Iterator[Event]:
    """The events of a run after sequence number `after`, oldest first. An erased payload reads as ``{"$erased": true}``.

    Raises:
        MismatchError: a payload is not readable.
    """
    for seq, at, kind, path, data, _, _, erased, hash_ in connection.execute(
        f"{_SELECT} LIMIT ?", (run_id, after, limit)
    ):
        try:
            value: Any = {"$erased": True} if data is None and erased is not None else loads(data)
            event = Event(run_id, seq, at, kind, path, value, hash_.hex())
        except (ValueError, AttributeError, RecursionError) as error:
            raise MismatchError(
                f"event {seq} of run {run_id} cannot be read",
                fix=f"`weft verify {run_id}` names the first bad event; restore the database from a backup",
                place=Place(path=path),
                run=run_id,
                seq=seq,
            ) from error
        yield event


def verify(connection: sqlite3.Connection, run_id: str) -> Verdict:
    """Recompute the hash chain of a run and compare it with what is stored and with the run's head.

    Raises:
        NotFoundError: there is no such run.
    """
    head = connection.execute("SELECT head_seq, head_hash FROM runs WHERE id=?", (run_id,)).fetchone()
    if head is None:
        raise NotFoundError(f"there is no run {run_id!r}", fix="`weft runs list` shows the runs", run=run_id)
    chain = _Chain(run_id, head[0])
    for row in connection.execute(_SELECT, (run_id, 0)):
        if flaw := chain.take(row):
            return Verdict(run_id, chain.events, chain.events, flaw)
    if chain.events != head[0]:
        return Verdict(run_id, chain.events, chain.events + 1, f"it is missing, the run has {head[0]} events")
    if chain.previous != head[1]:
        return Verdict(run_id, chain.events, chain.events, "the run's head does not fit it")
    return Verdict(run_id, chain.events, erased=chain.erased)


@dataclass(slots=True)
class _Chain:
    """The chain as recomputed so far; `events` is the number of the event that was looked at last."""

    run_id: str
    head_seq: int
    previous: bytes = GENESIS
    events: int = 0
    erased: int = 0

    def take(self, row: tuple[Any, ...]) -> str:
        """Look at the next event; says what is wrong with it, or nothing."""
        seq, at, kind, path, data, blob, salt, kept, hash_ = row
        self.events += 1
        if seq != self.events or seq > self.head_seq:
            return "it is missing" if seq != self.events else f"the run has only {self.head_seq} events"
        held = kept if data is None else data
        if not isinstance(held, bytes) or not isinstance(salt or b"", bytes):
            return "its payload is missing" if held is None else "its payload has been changed"
        if blob is not None and data is not None and sha256(data) != blob:
            return "its blob has been changed"
        self.erased += data is None
        committed = kept if data is None else commitment(salt or b"", data)
        self.previous = event_hash(self.previous, self.run_id, seq, Draft(at, kind, path, b""), committed)
        return "" if self.previous == hash_ else "its content does not fit its hash"
