"""Reading a run's events back, and proving that nobody has changed them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from weft.core.canonical import loads, sha256
from weft.core.errors import MismatchError, NotFoundError, Place, StorageError
from weft.core.event import Event
from weft.store.append import GENESIS, commitment, event_hash
from weft.store.sealing import Seal, ShreddedError, Spot, broken, is_sealed, open_bytes
from weft.store.sql import Transaction

_SELECT = (
    "SELECT e.seq, e.at, e.kind, e.path, e.data, e.blob, e.salt, e.commitment, e.hash, r.tenant, b.bytes "
    "FROM events e JOIN runs r ON r.id = e.run_id "
    "LEFT JOIN blobs b ON b.tenant = r.tenant AND b.hash = e.blob "
    "WHERE e.run_id=? AND e.seq>? AND e.seq<=? ORDER BY e.seq LIMIT ?"
)
_ENDLESS = 2**62
SALT = 16
"""Bytes that stand before a payload where it is sealed."""
ERASED, SEALED = {"$erased": True}, {"$sealed": True}
"""What stands for a payload that is not there any more, and for one whose key is not there."""
_LOOKS = 20
"""How often a run is looked at that grows while it is."""


_LINEAGE = """
WITH RECURSIVE line (id, base_run, base_seq, until, depth) AS (
    SELECT id, base_run, base_seq, :endless, 0 FROM runs WHERE id=:run
    UNION ALL
    SELECT r.id, r.base_run, r.base_seq, l.base_seq, l.depth + 1 FROM line l JOIN runs r ON r.id = l.base_run
    WHERE COALESCE(r.base_seq, 0) < l.base_seq
)
SELECT id, base_seq, until FROM line ORDER BY depth
"""
"""The condition holds for all that was written by us, and ends the walk where somebody has bent a line into a ring."""


class Part(NamedTuple):
    """Events of one run's own: those after number `after`, up to `until`."""

    run_id: str
    after: int
    until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFlaw:
    """A field of a run's row that is not what the events say: `stored` is what the row has, `told` what event `seq` says.

    `at` is the JSON pointer to the part that differs, where it is not the whole field.
    """

    field: str
    at: str
    stored: str
    told: str
    seq: int
    kind: str

    def __str__(self) -> str:
        """One sentence about it."""
        place = f" at {self.at}" if self.at else ""
        return f"{self.field}{place} is {self.stored}, event {self.seq} ({self.kind}) says {self.told}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check of a run's hash chain found. `bad_seq` is the first event that does not fit, if any.

    `sealed` payloads could not be looked at, for there was no key: of them only the place in the chain is proved. `row` is what of
    the run's row is not as the events say, `unproven` the fields of it of which they say nothing that could be read; where only the
    chain was looked at, both are empty.
    """

    run_id: str
    events: int
    bad_seq: int | None = None
    reason: str = ""
    erased: int = 0
    sealed: int = 0
    row: tuple[RowFlaw, ...] = ()
    unproven: tuple[str, ...] = ()

    @property
    def intact(self) -> bool:
        """Whether every event is what was appended, and the row what the events say."""
        return self.bad_seq is None and not self.row

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


def read(
    connection: Transaction,
    run_id: str,
    *,
    after: int = 0,
    limit: int = -1,
    seal: Seal | None = None,
    keyless: bool = False,
) -> Iterator[Event]:
    """The events of a run after sequence number `after`, oldest first. An erased payload reads as ``{"$erased": true}``.

    Those that a fork shares with the run it was forked from are its own past: they name the fork. With `keyless`, what is sealed
    under a key that is not there reads as ``{"$sealed": true}``.

    Raises:
        MismatchError: a payload is not readable.
        StorageError: it is sealed, and its key is not there.
    """
    # Asked of the database, too: some hand over all of an answer before the first row of it can be read.
    most = limit if limit >= 0 else _ENDLESS
    rows = (
        (part.run_id, row)
        for part in lineage(connection, run_id)
        if part.until > after
        for row in connection.execute(_SELECT, (part.run_id, max(after, part.after), part.until, most))
    )
    for owner, row in itertools.islice(rows, most):
        seq, at, kind, path, data, _, _, erased, hash_, _, blob = row
        try:
            if erased is not None:
                value: Any = _sealed_value(owner, row, seal, keyless=keyless)
            else:
                value = loads(blob if data is None else data)
            event = Event(run_id, seq, at, kind, path, value, hash_.hex())
        except (ValueError, AttributeError, RecursionError, MismatchError) as error:
            raise MismatchError(
                f"event {seq} of run {run_id} cannot be read",
                fix=f"`weft verify {run_id}` names the first bad event; restore the database from a backup",
                place=Place(path=path),
                run=run_id,
                seq=seq,
            ) from error
        yield event


def _sealed_value(run_id: str, row: tuple[Any, ...], seal: Seal | None, *, keyless: bool) -> Any:
    """What an event says whose commitment is kept beside it: it is sealed, or it was erased."""
    data, hidden, salted = row[4], row[10], row[7]
    if data is None and hidden is None:
        return dict(ERASED)
    try:
        salt, payload = opened_event(run_id, row, seal)
    except ShreddedError:
        return dict(ERASED)
    except StorageError:
        if not keyless:
            raise
        return dict(SEALED)
    if commitment(salt, payload) != salted:
        raise ValueError("it is not what was committed to")
    return loads(payload)


def payload_of(run_id: str, row: tuple[Any, ...], seal: Seal | None) -> bytes:
    """The payload in a row as `_SELECT` has them; empty when it was erased."""
    data, erased, blob = row[4], row[7], row[10]
    if erased is None or (data is None and blob is None):
        return bytes((blob if data is None else data) or b"")
    try:
        return opened_event(run_id, row, seal)[1]
    except ShreddedError:
        return b""


def opened_event(run_id: str, row: tuple[Any, ...], seal: Seal | None) -> tuple[bytes, bytes]:
    """The salt and the payload of a row of `_SELECT` that is sealed.

    Raises:
        MismatchError: it is not what was sealed.
        StorageError: its key is not there.
    """
    seq, _, _, _, data, blob, _, _, _, tenant, hidden = row
    spot = Spot(tenant, "events", "data", (run_id, seq))
    if not is_sealed(data) or not (blob is None or is_sealed(hidden)):
        raise broken(spot)
    inside = open_bytes(seal, spot, data)
    if blob is None:
        return inside[:SALT], inside[SALT:]
    return inside, open_bytes(seal, Spot(tenant, "blobs", "bytes", (blob,)), hidden)


def lineage(connection: Transaction, run_id: str) -> list[Part]:
    """Where the events of a run stand, oldest first: those of the runs it was forked from, and its own."""
    parts = [
        Part(at, base_seq or 0, until)
        for at, base_seq, until in connection.execute(_LINEAGE, {"run": run_id, "endless": _ENDLESS})
    ]
    return parts[::-1]


def verify(connection: Transaction, run_id: str, *, seal: Seal | None = None) -> Verdict:
    """Recompute the hash chain of a run and compare it with what is stored and with the run's head.

    Sealed payloads are compared with the chain too where there is a `seal`; without one, only what the chain holds of them.

    Raises:
        NotFoundError: there is no such run, or it has been removed meanwhile.
    """
    for _ in range(_LOOKS):
        head = head_of(connection, run_id)
        verdict = _compare(connection, run_id, head, seal)
        # What somebody appends or removes between two of our statements is no flaw: then the run's head has moved.
        if verdict.intact or head_of(connection, run_id) == head:
            break
    return verdict


def head_of(connection: Transaction, run_id: str) -> tuple[int, bytes]:
    """The number and the hash of a run's last event.

    Raises:
        NotFoundError: there is no such run.
    """
    head = connection.execute("SELECT head_seq, head_hash FROM runs WHERE id=?", (run_id,)).fetchone()
    if head is None:
        raise NotFoundError(f"there is no run {run_id!r}", fix="`weft runs list` shows the runs", run=run_id)
    return head[0], head[1]


def _compare(connection: Transaction, run_id: str, head: tuple[int, bytes], seal: Seal | None) -> Verdict:
    chain = _Chain(head[0], seal)
    for part in lineage(connection, run_id):
        for row in connection.execute(_SELECT, (part.run_id, part.after, part.until, _ENDLESS)):
            if flaw := chain.take(part.run_id, row):
                return Verdict(run_id, chain.events, chain.events, flaw)
    if chain.events != head[0]:
        return Verdict(run_id, chain.events, chain.events + 1, f"it is missing, the run has {head[0]} events")
    if chain.previous != head[1]:
        return Verdict(run_id, chain.events, chain.events, "the run's head does not fit it")
    return Verdict(run_id, chain.events, erased=chain.erased, sealed=chain.sealed)


@dataclass(slots=True)
class _Chain:
    """The chain as recomputed so far; `events` is the number of the event that was looked at last."""

    head_seq: int
    seal: Seal | None
    previous: bytes = GENESIS
    events: int = 0
    erased: int = 0
    sealed: int = 0

    def take(self, run_id: str, row: tuple[Any, ...]) -> str:
        """Look at the next event, which `run_id` has written; says what is wrong with it, or nothing."""
        seq, at, kind, path, data, blob, salt, kept, hash_, _, hidden = row
        self.events += 1
        if seq != self.events or seq > self.head_seq:
            return "it is missing" if seq != self.events else f"the run has only {self.head_seq} events"
        payload = hidden if data is None else data
        if payload is not None and kept is not None:
            committed, flaw = self._looked_into(run_id, row)
            if flaw:
                return flaw
        else:
            held = kept if payload is None else payload
            if not isinstance(held, bytes) or not isinstance(salt or b"", bytes):
                return "its payload is missing" if held is None else "its payload has been changed"
            if blob is not None and payload is not None and sha256(payload) != blob:
                return "its blob has been changed"
            self.erased += payload is None
            committed = held if payload is None else commitment(salt or b"", payload)
        self.previous = event_hash(self.previous, run_id, seq, (at, kind, path), committed)
        return "" if self.previous == hash_ else "its content does not fit its hash"

    def _looked_into(self, run_id: str, row: tuple[Any, ...]) -> tuple[bytes, str]:
        """The commitment of an event that is sealed, and what is wrong with it, or nothing."""
        salt, kept = row[6], row[7]
        if not isinstance(kept, bytes) or salt is not None:
            return b"", "its payload has been changed"
        if self.seal is None and is_sealed(row[4]) and (row[5] is None or is_sealed(row[10])):
            self.sealed += 1
            return kept, ""
        try:
            fits = commitment(*opened_event(run_id, row, self.seal)) == kept
        except ShreddedError:
            self.erased += 1
            return kept, ""
        except MismatchError:
            fits = False
        return kept, "" if fits else "what is sealed of it has been changed"
