"""The append rule: the one way into the journal.

Inside one transaction an append is refused unless it names the run's current epoch and the run is open, is given the next
sequence numbers and hashes, and may add at most one outcome for each path. The hash of an event is
``SHA-256(previous hash ‖ canonical header)``, and the header holds a salted commitment to the payload rather than the payload,
so that a payload can be erased later and the chain still verifies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256 as _sha256
from json.encoder import encode_basestring as _json
from typing import Any, NamedTuple

from weft.core.canonical import sha256
from weft.core.errors import MismatchError, NotFoundError
from weft.core.ids import Entropy
from weft.store.pending import AtEnd, Pending
from weft.store.sealing import CONTENT, Seal, Spot, as_stored
from weft.store.sql import Transaction
from weft.store.statuses import TERMINAL

_HEADS = 4_096
"""Runs that a writer remembers; more than are ever driven at once, and forgetting costs one look at the database."""

INLINE_BYTES = 8 * 1024
"""Payloads above this size live in content-addressed blobs."""
GENESIS = bytes(32)


class Draft(NamedTuple):
    """An event before it has a number. `payload` is canonical JSON; `outcome` marks the end of a step or node."""

    at: int
    kind: str
    path: str
    payload: bytes
    outcome: bool = False


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run to be created by the append that carries it. `plan` is None when the journal has the plan already."""

    id: str
    workflow: str
    plan_hash: str
    plan: bytes | None
    inputs: str
    options: str
    tenant: str = "local"
    principal: str = "local"
    session: str = ""
    driver: str | None = None
    """Who drives it from the beginning, under epoch 1; with None it is queued under epoch 0."""
    parent: str | None = None
    """The run of which it is a child."""
    base: tuple[str, int] | None = None
    """The run whose events up to this number, and the events before them, are its past."""


Also = Callable[[Transaction], object] | AtEnd


class Append(NamedTuple):
    """Events for one run under one epoch. `patch` sets columns of its row in the same transaction, `also` does the rest.

    `after` is the number of the event that it stands behind: one that was durable when the append was made, or was under way then.
    """

    run_id: str
    epoch: int
    drafts: Sequence[Draft]
    patch: Mapping[str, Any] | None = None
    create: NewRun | None = None
    reopen: bool = False
    also: tuple[Also, ...] = ()
    after: int = 0


@dataclass(slots=True)
class _Head:
    """What a writer remembers of a run between its appends; the database decides whether it is still true."""

    epoch: int
    seq: int
    hash: bytes
    generation: int
    tenant: str


@dataclass(slots=True)
class Appender:
    """Applies appends inside transactions that somebody else opens and commits."""

    entropy: Entropy
    pending: Pending
    seal: Seal | None = None
    heads: dict[str, _Head] = field(default_factory=dict)

    def apply(self, connection: Transaction, append: Append) -> int:
        """Admit `append`; returns the sequence number of its last event. Its rows are written by the next `flush`.

        Raises:
            ConflictError: the epoch is not the current one, the run has ended, or what is remembered of it is old news.
            NotFoundError: there is no such run, or not the event that it is to begin with.
            MismatchError: an event that was durable is gone.
        """
        new = append.create
        head = self._head(connection, append) if new is None else self._new_head(connection, append, new)
        before = head.seq
        if before < append.after:
            raise _lost(append, before)
        if self.seal is None:
            self._number(append, head)
        else:
            self._number_sealed(connection, append, head, self.seal)
        at = append.drafts[-1].at
        if new is not None:
            self._create(connection, append, new, head)
        elif append.reopen:
            self._reopen(connection, append, head, before)
        elif append.patch:
            self.pending.change(connection, append.run_id, append.epoch, before, self._set_by(connection, append, head))
        else:
            self.pending.move(append.run_id, append.epoch, before, head.seq, head.hash, at)
        if append.patch and append.patch.get("status") in TERMINAL:
            self.heads.pop(append.run_id, None)
            self.pending.end(append.run_id, at)
        for work in append.also:
            if callable(work):
                self.pending.flush(connection)
                work(connection)
            else:
                self.pending.at_end.append(work)
        return head.seq

    def forget(self) -> None:
        """Drop what is remembered of runs and what is not written yet, after something was rolled back."""
        self.heads.clear()
        self.pending.forget()
        if self.seal is not None:
            self.seal.forget()

    def _head(self, connection: Transaction, append: Append) -> _Head:
        head = self.heads.get(append.run_id)
        if head is not None and head.epoch == append.epoch:
            return head
        self.pending.settle(connection)
        row = connection.execute(
            "SELECT epoch, head_seq, head_hash, generation, tenant FROM runs WHERE id=?", (append.run_id,)
        ).fetchone()
        if row is None:
            raise NotFoundError(f"there is no run {append.run_id!r}", fix="`weft runs list` shows the runs")
        return self._remember(append.run_id, _Head(*row))

    def _new_head(self, connection: Transaction, append: Append, new: NewRun) -> _Head:
        _, base_seq = new.base or (None, None)
        return self._remember(new.id, _Head(append.epoch, base_seq or 0, _base_hash(connection, new), 0, new.tenant))

    def _create(self, connection: Transaction, append: Append, new: NewRun, head: _Head) -> None:
        """Keep the plan and the row of a run that begins with this append."""
        if new.plan is not None:
            self.pending.plans[new.plan_hash] = new.plan
        inputs, options = as_stored(connection, "runs", new.tenant, (new.id,), inputs=new.inputs, options=new.options)
        base_run, base_seq = new.base or (None, None)
        row = {
            "id": new.id,
            "tenant": new.tenant,
            "principal": new.principal,
            "session": new.session,
            "workflow": new.workflow,
            "plan_hash": new.plan_hash,
            "status": "queued",
            "epoch": append.epoch,
            "generation": 0,
            "parent": new.parent,
            "base_run": base_run,
            "base_seq": base_seq,
            "inputs": inputs,
            "options": options,
            "created_at": append.drafts[0].at,
            "driver": new.driver,
        }
        self.pending.create(row | self._set_by(connection, append, head))

    def _remember(self, run_id: str, head: _Head) -> _Head:
        # Runs that wait, or that another process took over, never reach the end that would take them out.
        if len(self.heads) >= _HEADS:
            self.heads.clear()
        self.heads[run_id] = head
        return head

    def _number(self, append: Append, head: _Head) -> None:
        """Make rows of the drafts and take `head` to the last of them."""
        run_id, seq, previous = append.run_id, head.seq, head.hash
        salts = self.entropy(16 * len(append.drafts))
        for place, (at, kind, path, payload, ends) in enumerate(append.drafts):
            seq += 1
            salt = salts[16 * place : 16 * place + 16]
            previous = event_hash(previous, run_id, seq, (at, kind, path), commitment(salt, payload))
            data: bytes | None = payload
            blob = None
            if len(payload) > INLINE_BYTES:
                data, blob = None, sha256(payload)
                self.pending.blobs.append((head.tenant, blob, payload))
            outcome = head.generation if ends else None
            self.pending.events.append((run_id, seq, at, kind, path, outcome, data, blob, salt, previous))
        head.seq, head.hash = seq, previous

    def _number_sealed(self, connection: Transaction, append: Append, head: _Head, seal: Seal) -> None:
        """As `_number`, with salts and payloads sealed: the chain goes over the same commitments, which then are kept beside them."""
        run_id, seq, previous, tenant = append.run_id, head.seq, head.hash, head.tenant
        salts = self.entropy(16 * len(append.drafts))
        for place, (at, kind, path, payload, ends) in enumerate(append.drafts):
            seq += 1
            salt = salts[16 * place : 16 * place + 16]
            committed = commitment(salt, payload)
            previous = event_hash(previous, run_id, seq, (at, kind, path), committed)
            blob = None
            if len(payload) > INLINE_BYTES:
                blob = seal.name(connection, tenant, payload)
                spot = Spot(tenant, "blobs", "bytes", (blob,))
                self.pending.blobs.append((tenant, blob, seal.seal(connection, spot, payload)))
            inside = salt if blob is not None else salt + payload
            data = seal.seal(connection, Spot(tenant, "events", "data", (run_id, seq)), inside)
            outcome = head.generation if ends else None
            self.pending.events.append((run_id, seq, at, kind, path, outcome, data, blob, None, committed, previous))
        head.seq, head.hash = seq, previous

    def _reopen(self, connection: Transaction, append: Append, head: _Head, before: int) -> None:
        """Move the head of a run that may have ended, whose outcomes from now on are those of another generation."""
        self.pending.settle(connection)
        head.generation += 1
        columns = self._set_by(connection, append, head) | {"generation": head.generation, "ended_at": None}
        done = connection.execute(
            f"UPDATE runs SET {','.join(f'{name}=?' for name in columns)}"  # noqa: S608 -- our own column names
            " WHERE id=? AND epoch=? AND head_seq=?",
            (*columns.values(), append.run_id, append.epoch, before),
        )
        self.pending.owe(done, append.run_id)

    def _set_by(self, connection: Transaction, append: Append, head: _Head) -> dict[str, Any]:
        """What an append sets in its run's row, as it is stored."""
        at = append.drafts[-1].at
        columns: dict[str, Any] = {"head_seq": head.seq, "head_hash": head.hash, "updated_at": at}
        if not append.patch:
            return columns
        columns |= append.patch
        if columns.get("status") in TERMINAL:
            columns["ended_at"] = at
        if self.seal is None:
            return columns
        texts = {name: columns[name] for name in CONTENT["runs"].texts if name in columns}
        return columns | dict(
            zip(texts, as_stored(connection, "runs", head.tenant, (append.run_id,), **texts), strict=True)
        )


def _lost(append: Append, head: int) -> MismatchError:
    return MismatchError(
        f"the journal has lost events of this run: {append.after} were durable, {head} are left",
        fix="the database was put back to an older state: look at what the run did since, then resume or cancel it",
        run=append.run_id,
    )


def _base_hash(connection: Transaction, new: NewRun) -> bytes:
    """The hash that a new run's first event goes on from: that of the event it forks at, or nothing."""
    if new.base is None:
        return GENESIS
    row = connection.execute("SELECT hash FROM events WHERE run_id=? AND seq=?", new.base).fetchone()
    if row is None:
        run_id, seq = new.base
        raise NotFoundError(
            f"run {run_id} has no event {seq}", fix=f"`weft events {run_id}` prints those that it has", run=run_id
        )
    return bytes(row[0])


def commitment(salt: bytes, payload: bytes) -> bytes:
    """What the chain holds of a payload."""
    return _sha256(salt + payload).digest()


def event_hash(previous: bytes, run_id: str, seq: int, said: tuple[int, str, str], committed: bytes) -> bytes:
    """The hash of an event: over the one before it and its own canonical header. `said` is its time, kind and path."""
    at, kind, path = said
    header = (
        f'{{"at":{at},"commitment":"{committed.hex()}","kind":{_json(kind)},'
        f'"path":{_json(path)},"run_id":{_json(run_id)},"seq":{seq}}}'
    )
    return _sha256(previous + header.encode(errors="replace")).digest()
