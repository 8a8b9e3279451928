"""Forks: runs whose past is that of another run. Where to fork, who builds on whom, and which run of a line is the current one.

A line is a run and everything that was forked from it, directly or not. Nothing here reads a past as a whole, so a fork costs the
same however long it is.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from weft.core.errors import ConflictError, InputError, NotFoundError
from weft.store.history import lineage
from weft.store.port import Drivers
from weft.store.removal import erase
from weft.store.sql import Transaction

_END = "SELECT MAX(seq) FROM events WHERE run_id=? AND path=? AND outcome IS NOT NULL AND seq>? AND seq<=?"
_BEGINNING = (
    "SELECT MIN(seq) FROM events WHERE run_id=? AND seq>? AND seq<=? "
    "AND (path=? OR substr(path,1,?) IN (?,?)) AND kind NOT LIKE 'run.%'"
)
_FAMILY = """
WITH RECURSIVE family (id) AS (
    SELECT id FROM runs WHERE id=:run UNION SELECT r.id FROM runs r JOIN family f ON r.parent = f.id
)
SELECT id FROM family
"""


class Forks:
    """Questions about forks, and the acts that name the current run of a line or drop a fork."""

    def __init__(self, read: Callable[[], AbstractContextManager[Transaction]], drivers: Drivers) -> None:
        self._read = read
        self._drivers = drivers

    def owner(self, run_id: str, seq: int) -> str:
        """The run that has written event `seq` of the past or present of `run_id`."""
        with self._read() as connection:
            return next((part.run_id for part in lineage(connection, run_id) if part.after < seq <= part.until), run_id)

    def end_of(self, run_id: str, path: str, *, until: int | None = None) -> int | None:
        """The number of the event with which the step or composite at `path` ended, up to event `until`."""
        with self._read() as connection:
            for part in reversed(lineage(connection, run_id)):
                last = part.until if until is None else min(part.until, until)
                (seq,) = connection.execute(_END, (part.run_id, path, part.after, last)).fetchone()
                if seq is not None:
                    return int(seq)
        return None

    def beginning_of(self, run_id: str, path: str) -> int | None:
        """The number of the first event at `path` or inside it."""
        with self._read() as connection:
            for part in lineage(connection, run_id):
                inside = (path, len(path) + 1, f"{path}/", f"{path}[")
                (seq,) = connection.execute(_BEGINNING, (part.run_id, part.after, part.until, *inside)).fetchone()
                if seq is not None:
                    return int(seq)
        return None

    def paths(self, run_id: str) -> list[str]:
        """The paths of everything that a run has begun."""
        with self._read() as connection:
            found: dict[str, None] = {}
            for part in lineage(connection, run_id):
                rows = connection.execute(
                    "SELECT DISTINCT path FROM events WHERE run_id=? AND seq>? AND seq<=? AND path<>''", part
                )
                found |= dict.fromkeys(path for (path,) in rows)
        return list(found)

    def builders(self, run_id: str) -> list[str]:
        """The runs whose past is in the journal of this one, which must be kept as long as they are."""
        with self._read() as connection:
            return _builders(connection, run_id)

    def root(self, run_id: str) -> str:
        """The run with which the line of `run_id` begins."""
        with self._read() as connection:
            return _root(connection, run_id)

    def current(self, run_id: str) -> str | None:
        """The run that was made the current one of the line of `run_id`, if any was."""
        with self._read() as connection:
            row = connection.execute("SELECT run_id FROM lines WHERE root=?", (_root(connection, run_id),)).fetchone()
        return None if row is None else str(row[0])

    def promoted(self) -> frozenset[str]:
        """Every run that is the current one of its line."""
        with self._read() as connection:
            return frozenset(run_id for (run_id,) in connection.execute("SELECT run_id FROM lines"))

    def promote(self, run_id: str, *, at: int) -> Callable[[Transaction], None]:
        """Work for the writer: make `run_id` the current one of its line."""

        def work(connection: Transaction) -> None:
            root = _root(connection, run_id)
            connection.execute(
                "INSERT INTO lines (root, run_id, at) VALUES (?,?,?) "
                "ON CONFLICT (root) DO UPDATE SET run_id=excluded.run_id, at=excluded.at",
                (root, run_id, at),
            )

        return work

    def discard(self, run_id: str) -> Callable[[Transaction], list[str]]:
        """Work for the writer: drop a fork and its children; returns the ids of what is gone.

        Raises:
            NotFoundError: there is no such run.
            InputError: it is no fork.
            ConflictError: it is driven, others build on it, or it is the current one of its line.
        """

        def work(connection: Transaction) -> list[str]:
            row = connection.execute("SELECT base_run FROM runs WHERE id=?", (run_id,)).fetchone()
            if row is None:
                raise NotFoundError(f"there is no run {run_id!r}", fix="`weft runs list` shows the runs", run=run_id)
            if row[0] is None:
                raise InputError(
                    "only a fork can be discarded, and this run is none", fix="`weft fork` makes one", run=run_id
                )
            gone = [id_ for (id_,) in connection.execute(_FAMILY, {"run": run_id})]
            for one in gone:
                self._check_free(connection, one, among=gone)
            for one in gone:
                erase(connection, one)
            return gone

        return work

    def _check_free(self, connection: Transaction, run_id: str, *, among: list[str]) -> None:
        """Refuse to drop `run_id` while anything needs it but those `among` which it goes."""
        builders = [id_ for id_ in _builders(connection, run_id) if id_ not in among]
        if builders:
            raise ConflictError(
                f"other runs build on {run_id}: {', '.join(builders[:5])}", fix="discard those first", run=run_id
            )
        (driver,) = connection.execute("SELECT driver FROM runs WHERE id=?", (run_id,)).fetchone()
        if self._drivers.alive(driver):
            raise ConflictError("a live process drives it", fix=f"`weft cancel {run_id}` stops it", run=run_id)
        if connection.execute("SELECT 1 FROM lines WHERE run_id=?", (run_id,)).fetchone():
            raise ConflictError(
                f"{run_id} is the current run of its line",
                fix="`weft promote` another run of the line first",
                run=run_id,
            )


def _builders(connection: Transaction, run_id: str) -> list[str]:
    rows = connection.execute("SELECT id FROM runs WHERE base_run=? ORDER BY created_at, id", (run_id,))
    return [id_ for (id_,) in rows]


def _root(connection: Transaction, run_id: str) -> str:
    parts = lineage(connection, run_id)
    return parts[0].run_id if parts else run_id
