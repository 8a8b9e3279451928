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
from typing import Any, NamedTuple, Protocol

from weft.core.canonical import sha256
from weft.core.errors import ConflictError, MismatchError, NotFoundError
from weft.core.ids import Entropy
from weft.store.sealing import CONTENT, STORE, Seal, Spot, as_stored
from weft.store.sql import Rows, Transaction

_HEADS = 4_096
"""Runs that a writer remembers; more than are ever driven at once, and forgetting costs one look at the database."""

INLINE_BYTES = 8 * 1024
"""Payloads above this size live in content-addressed blobs."""
TERMINAL = frozenset({"completed", "failed", "cancelled"})
GENESIS = bytes(32)
_WITHDRAW = "UPDATE gates SET status='withdrawn', closed_at=? WHERE run_id=? AND status='open'"
"""Nobody is asked for a run that has ended."""
_WAKE_PARENT = (
    "UPDATE runs SET due=? WHERE status='waiting' AND id=(SELECT parent FROM runs WHERE id=? AND parent IS NOT NULL)"
)
"""What a run that waits for its child waits for has come."""

OPEN = " AND status<>'completed' AND status<>'failed' AND status<>'cancelled'"
"""Written out, for SQLite makes a table of a list of three each time that it runs the statement."""


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


class Append(NamedTuple):
    """Events for one run under one epoch. `patch` sets columns of its row in the same transaction, `also` does the rest.

    `after` is the number of an event that was durable when the append was made, and is to be there still.
    """

    run_id: str
    epoch: int
    drafts: Sequence[Draft]
    patch: Mapping[str, Any] | None = None
    create: NewRun | None = None
    reopen: bool = False
    also: tuple[Callable[[Transaction], object], ...] = ()
    after: int = 0


Move = tuple[int, bytes, int, str, int, int]
Event = tuple[Any, ...]
Blob = tuple[str, str, bytes]


class Bulk(Protocol):
    """How a database is told of many rows at once: nearly everything that runs write."""

    def move(self, connection: Any, moves: Sequence[Move]) -> Rows:
        """Move heads of open runs: new number, new hash, time, run, epoch, number before; as many as were as that says."""

    def write(
        self, connection: Any, moves: Sequence[Move], events: Sequence[Event], blobs: Sequence[Blob]
    ) -> Rows | None:
        """As `move`, and write rows of ``events`` and the blobs that are new.

        Events come with their commitment, before the hash, where they are sealed, and else without: then only erasing fills it.

        Whatever was said on the connection before has been done, or refused, when this returns.
        """


@dataclass(slots=True)
class _Head:
    """What a writer remembers of a run between its appends; the database decides whether it is still true."""

    epoch: int
    seq: int
    hash: bytes
    generation: int
    tenant: str


@dataclass(slots=True)
class _Move:
    """From where to where the plain appends of a transaction take a run's head; `at` is the time of the last one."""

    epoch: int
    before: int
    seq: int
    hash: bytes
    at: int


@dataclass(slots=True)
class Appender:
    """Applies appends inside transactions that somebody else opens and commits.

    Events are written once for all appends, and so is where they take the heads: a statement for each would cost most of what a
    step does. A head that turns out to be another one than was remembered is found then, and undoes the transaction.
    """

    entropy: Entropy
    bulk: Bulk
    seal: Seal | None = None
    heads: dict[str, _Head] = field(default_factory=dict)
    _moves: dict[str, _Move] = field(default_factory=dict)
    _events: list[Event] = field(default_factory=list)
    _blobs: list[Blob] = field(default_factory=list)
    _owed: list[tuple[Rows, int, str]] = field(default_factory=list)
    """Statements that are to have written so many rows, and a run that they were about: asked only once it has to be known."""

    def apply(self, connection: Transaction, append: Append) -> int:
        """Admit `append`; returns the sequence number of its last event. Its rows are written by the next `flush`.

        Raises:
            ConflictError: the epoch is not the current one, the run has ended, or what is remembered of it is old news.
            Exception: what the database says when the run to be created exists.
            NotFoundError: there is no such run, or not the event that it is to begin with.
            MismatchError: an event that was durable is gone.
        """
        head = self._create(connection, append) if append.create else self._head(connection, append)
        before = head.seq
        if before < append.after:
            raise _lost(append, before)
        if self.seal is None:
            self._number(append, head)
        else:
            self._number_sealed(connection, append, head, self.seal)
        if append.patch or append.reopen:
            self._change(connection, append, head, before)
        else:
            self._move(append, head, before)
        if append.also:
            self.settle(connection)
            for work in append.also:
                work(connection)
        if append.patch and append.patch.get("status") in TERMINAL:
            self.heads.pop(append.run_id, None)
            connection.execute(_WITHDRAW, (append.drafts[-1].at, append.run_id))
            connection.execute(_WAKE_PARENT, (append.drafts[-1].at, append.run_id))
        return head.seq

    def settle(self, connection: Transaction) -> None:
        """Move the heads of runs to where what was admitted takes them, for whoever reads or changes runs next.

        Raises:
            ConflictError: a run has ended, has another driver, or what is remembered of it is old news.
        """
        if self._moves:
            moves = self._taken()
            self._owed.append((self.bulk.move(connection, moves), len(moves), moves[0][3]))
        if self._owed:
            self._check(connection)

    def flush(self, connection: Transaction) -> None:
        """Write the rows of what was admitted.

        Raises:
            ConflictError: as `settle`.
            Exception: what the database says when a path of a run has its outcome already.
        """
        moves = self._taken()
        moved = self.bulk.write(connection, moves, self._events, self._blobs)
        if moved is not None:
            self._owed.append((moved, len(moves), moves[0][3]))
        self._check(connection)
        self._events, self._blobs = [], []

    def _check(self, connection: Transaction) -> None:
        """Refuse the transaction unless each run was as it was remembered."""
        owed, self._owed = self._owed, []
        for rows, count, run_id in owed:
            if rows.rowcount != count:
                raise self._refusal(connection, run_id)

    def _taken(self) -> list[Move]:
        moves, self._moves = self._moves, {}
        return [(move.seq, move.hash, move.at, run_id, move.epoch, move.before) for run_id, move in moves.items()]

    def forget(self) -> None:
        """Drop what is remembered of runs and what is not written yet, after something was rolled back."""
        self.heads.clear()
        self._moves, self._events, self._blobs, self._owed = {}, [], [], []
        if self.seal is not None:
            self.seal.forget()

    def _head(self, connection: Transaction, append: Append) -> _Head:
        head = self.heads.get(append.run_id)
        if head is not None and head.epoch == append.epoch:
            return head
        self.settle(connection)
        row = connection.execute(
            "SELECT epoch, head_seq, head_hash, generation, tenant FROM runs WHERE id=?", (append.run_id,)
        ).fetchone()
        if row is None:
            raise NotFoundError(f"there is no run {append.run_id!r}", fix="`weft runs list` shows the runs")
        return self._remember(append.run_id, _Head(*row))

    def _create(self, connection: Transaction, append: Append) -> _Head:
        new = append.create
        assert new is not None
        at = append.drafts[0].at
        base_run, base_seq = new.base or (None, None)
        head = _Head(append.epoch, base_seq or 0, _base_hash(connection, new), 0, new.tenant)
        if new.plan is not None:
            keep_plan(connection, new.plan_hash, new.plan)
        inputs, options = as_stored(connection, "runs", new.tenant, (new.id,), inputs=new.inputs, options=new.options)
        connection.execute(
            "INSERT INTO runs (id,tenant,principal,session,workflow,plan_hash,status,epoch,generation,head_seq,head_hash,"
            "parent,base_run,base_seq,inputs,options,created_at,updated_at,driver) "
            "VALUES (?,?,?,?,?,?,'queued',?,0,?,?,?,?,?,?,?,?,?,?)",
            (
                new.id,
                new.tenant,
                new.principal,
                new.session,
                new.workflow,
                new.plan_hash,
                append.epoch,
                head.seq,
                head.hash,
                new.parent,
                base_run,
                base_seq,
                inputs,
                options,
                at,
                at,
                new.driver,
            ),
        )
        return self._remember(new.id, head)

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
                self._blobs.append((head.tenant, blob, payload))
            outcome = head.generation if ends else None
            self._events.append((run_id, seq, at, kind, path, outcome, data, blob, salt, previous))
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
                self._blobs.append((tenant, blob, seal.seal(connection, spot, payload)))
            inside = salt if blob is not None else salt + payload
            data = seal.seal(connection, Spot(tenant, "events", "data", (run_id, seq)), inside)
            outcome = head.generation if ends else None
            self._events.append((run_id, seq, at, kind, path, outcome, data, blob, None, committed, previous))
        head.seq, head.hash = seq, previous

    def _move(self, append: Append, head: _Head, before: int) -> None:
        move = self._moves.get(append.run_id)
        if move is None:
            self._moves[append.run_id] = _Move(append.epoch, before, head.seq, head.hash, append.drafts[-1].at)
        else:
            move.seq, move.hash, move.at = head.seq, head.hash, append.drafts[-1].at

    def _change(self, connection: Transaction, append: Append, head: _Head, before: int) -> None:
        """Move the head now, with everything else that the append sets in the run's row."""
        if append.run_id in self._moves:
            self.settle(connection)
        columns = {"head_seq": head.seq, "head_hash": head.hash, "updated_at": append.drafts[-1].at}
        columns |= (append.patch or {}) if self.seal is None else self._sealed(connection, append, head.tenant)
        if append.reopen:
            columns["generation"] = head.generation + 1
        done = connection.execute(
            f"UPDATE runs SET {','.join(f'{name}=?' for name in columns)}"  # noqa: S608 -- our own column names
            f" WHERE id=? AND epoch=? AND head_seq=?{'' if append.reopen else OPEN}",
            (*columns.values(), append.run_id, append.epoch, before),
        )
        self._owed.append((done, 1, append.run_id))
        head.generation += append.reopen

    def _sealed(self, connection: Transaction, append: Append, tenant: str) -> Mapping[str, Any]:
        """What an append sets in its run's row, as it is stored."""
        patch = dict(append.patch or {})
        texts = {name: patch[name] for name in CONTENT["runs"].texts if name in patch}
        return patch | dict(zip(texts, as_stored(connection, "runs", tenant, (append.run_id,), **texts), strict=True))

    def _refusal(self, connection: Transaction, run_id: str) -> ConflictError:
        row = connection.execute("SELECT status FROM runs WHERE id=?", (run_id,)).fetchone()
        if row is not None and row[0] in TERMINAL:
            return ConflictError(f"the run has ended ({row[0]}) and takes no more events", run=run_id)
        return ConflictError(
            "another process has taken this run over; nothing more of it is written from here", run=run_id
        )


def keep_plan(connection: Transaction, plan_hash: str, body: bytes) -> None:
    """Keep a plan, unless it is there."""
    seal = connection.seal
    if seal is not None and seal.writes:
        body = seal.seal(connection, Spot(STORE, "plans", "body", (plan_hash,)), body)
    connection.execute("INSERT INTO plans VALUES (?,?) ON CONFLICT DO NOTHING", (plan_hash, body))


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
