"""What the appends of one transaction write: kept until it has to be there, and then written for all of them at once.

A statement for each append would cost most of what a step does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from weft.core.errors import ConflictError
from weft.store.plans import keep_plan
from weft.store.sql import Rows, Transaction
from weft.store.statuses import TERMINAL

HEAD = ("head_seq", "head_hash", "updated_at")
"""The columns of a run's row that every append sets."""

Columns = tuple[str, ...]
Values = tuple[Any, ...]
Event = tuple[Any, ...]
Blob = tuple[str, str, bytes]
Ended = tuple[int, str]
"""When a run has ended, and which."""


class Bulk(Protocol):
    """How a database is told of many rows at once: nearly everything that runs write."""

    def create(self, connection: Any, columns: Columns, rows: Sequence[Values]) -> object:
        """Insert rows of ``runs``."""

    def change(self, connection: Any, columns: Columns, rows: Sequence[Values]) -> Rows:
        """Set `columns` of open runs; the last three values of a row are its run, its epoch and the number of its head before.

        As many are changed as were as that says.
        """

    def end(self, connection: Any, ended: Sequence[Ended]) -> None:
        """Nobody is asked any more for runs that have ended, and what waits for them, as a parent does, waits no longer."""

    def write(self, connection: Any, events: Sequence[Event], blobs: Sequence[Blob]) -> None:
        """Insert rows of ``events`` and the blobs that are new.

        Events come with their commitment, before the hash, where they are sealed, and else without: then only erasing fills it.

        Whatever was said on the connection before has been done, or refused, when this returns.
        """


class AtEnd(Protocol):
    """Work of a transaction that waits for its end, where all of one `kind` is done at once."""

    @property
    def kind(self) -> object:
        """What it can be done together with."""

    def do_all(self, connection: Transaction, works: Sequence[Any]) -> object:
        """Do these works, of which this is the first."""


@dataclass(slots=True)
class _Move:
    """From where to where the plain appends of a transaction take a run's head; `at` is the time of the last one."""

    epoch: int
    before: int
    seq: int
    hash: bytes
    at: int


@dataclass(slots=True)
class Pending:
    """Rows that are admitted and not written yet.

    A head that turns out to be another one than was remembered is found when they are written, and undoes the transaction.
    """

    bulk: Bulk
    plans: dict[str, bytes] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    blobs: list[Blob] = field(default_factory=list)
    at_end: list[AtEnd] = field(default_factory=list)
    _created: dict[Columns, list[Values]] = field(default_factory=dict)
    _changed: dict[str, tuple[Columns, Values]] = field(default_factory=dict)
    _moved: dict[str, _Move] = field(default_factory=dict)
    _ended: list[Ended] = field(default_factory=list)
    _owed: list[tuple[Rows, int, str]] = field(default_factory=list)
    """Statements that are to have written so many rows, and a run that they were about: asked only once it has to be known."""

    def create(self, row: Mapping[str, Any]) -> None:
        """Insert a row of ``runs``."""
        self._created.setdefault(tuple(row), []).append(tuple(row.values()))

    def move(self, run_id: str, epoch: int, before: int, seq: int, hash_: bytes, at: int) -> None:
        """Take the head of a run from `before` to `seq`."""
        move = self._moved.get(run_id)
        if move is None:
            self._moved[run_id] = _Move(epoch, before, seq, hash_, at)
        else:
            move.seq, move.hash, move.at = seq, hash_, at

    def change(self, connection: Transaction, run_id: str, epoch: int, before: int, columns: Mapping[str, Any]) -> None:
        """Set `columns` of a run's row whose head is at `before`; its head is among them."""
        move = self._moved.get(run_id)
        # What was appended under another epoch stands or falls by that one.
        if run_id in self._changed or (move is not None and move.epoch != epoch):
            self.settle(connection)
        move = self._moved.pop(run_id, None)
        if move is not None:
            before = move.before
        self._changed[run_id] = (tuple(columns), (*columns.values(), run_id, epoch, before))

    def end(self, run_id: str, at: int) -> None:
        """A run has ended."""
        self._ended.append((at, run_id))

    def owe(self, rows: Rows, run_id: str) -> None:
        """A statement that is to have changed one run."""
        self._owed.append((rows, 1, run_id))

    def settle(self, connection: Transaction) -> None:
        """Write what runs have come to, for whoever reads or changes them next.

        Raises:
            ConflictError: a run has ended, has another driver, or what is remembered of it is old news.
            Exception: what the database says when a run that is to be created exists.
        """
        self._write_runs(connection)
        self._check(connection)

    def flush(self, connection: Transaction) -> None:
        """Write everything.

        Raises:
            ConflictError: as `settle`.
            Exception: what the database says when a run exists, or a path of one has its outcome already.
        """
        self._write_runs(connection)
        self.bulk.write(connection, self.events, self.blobs)
        self._check(connection)
        self.events, self.blobs = [], []
        if self.at_end:
            works, self.at_end = self.at_end, []
            for kind in dict.fromkeys(work.kind for work in works):
                alike = [work for work in works if work.kind == kind]
                alike[0].do_all(connection, alike)

    def forget(self) -> None:
        """Drop everything: it was rolled back."""
        self.plans, self.events, self.blobs, self.at_end = {}, [], [], []
        self._created, self._changed, self._moved, self._ended, self._owed = {}, {}, {}, [], []

    def _write_runs(self, connection: Transaction) -> None:
        """Say what has become of runs. A row is created before it is changed, and changed before its head moves on from there."""
        if self.plans:
            plans, self.plans = self.plans, {}
            # In the same order whoever does it, so that two processes do not wait for each other.
            for hash_, body in sorted(plans.items()):
                keep_plan(connection, hash_, body)
        if self._created:
            created, self._created = self._created, {}
            for columns, rows in created.items():
                self.bulk.create(connection, columns, rows)
        if self._changed:
            changed, self._changed = self._changed, {}
            for columns, rows in _alike(changed.values()).items():
                self._owed.append((self.bulk.change(connection, columns, rows), len(rows), rows[0][-3]))
        if self._moved:
            moved, self._moved = self._moved, {}
            moves = [(move.seq, move.hash, move.at, run_id, move.epoch, move.before) for run_id, move in moved.items()]
            self._owed.append((self.bulk.change(connection, HEAD, moves), len(moves), moves[0][-3]))
        if self._ended:
            ended, self._ended = self._ended, []
            self.bulk.end(connection, ended)

    def _check(self, connection: Transaction) -> None:
        """Refuse the transaction unless each run was as it was remembered."""
        owed, self._owed = self._owed, []
        for rows, count, run_id in owed:
            if rows.rowcount != count:
                raise _refusal(connection, run_id)


def _alike(changed: Iterable[tuple[Columns, Values]]) -> dict[Columns, list[Values]]:
    """Rows by the columns that they set."""
    found: dict[Columns, list[Values]] = {}
    for columns, row in changed:
        found.setdefault(columns, []).append(row)
    return found


def _refusal(connection: Transaction, run_id: str) -> ConflictError:
    row = connection.execute("SELECT status FROM runs WHERE id=?", (run_id,)).fetchone()
    if row is not None and row[0] in TERMINAL:
        return ConflictError(f"the run has ended ({row[0]}) and takes no more events", run=run_id)
    return ConflictError("another process has taken this run over; nothing more of it is written from here", run=run_id)
