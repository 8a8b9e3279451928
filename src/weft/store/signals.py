"""Signals: messages from outside to a run, kept in the order in which they came until a wait of the run takes them."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from weft.core.errors import ConflictError, NotFoundError
from weft.store.gates import mark_due
from weft.store.sealing import Seal, as_stored, opened
from weft.store.sql import Transaction
from weft.store.statuses import TERMINAL

_NAMES = ("id", "run_id", "key", "name", "data", "sender", "at")
_PENDING = f"SELECT {', '.join(_NAMES)} FROM signals WHERE run_id=? AND taken=0 ORDER BY id"  # noqa: S608 -- our own names


@dataclass(frozen=True, slots=True, kw_only=True)
class SentSignal:
    """One message. `key` makes a repeated one harmless; `at` is in microseconds since the epoch."""

    id: int
    run_id: str
    key: str
    name: str
    data: Any
    sender: str
    at: int


class Signals:
    """Questions about signals."""

    def __init__(self, read: Callable[[], AbstractContextManager[Transaction]], seal: Seal | None = None) -> None:
        self._read = read
        self._seal = seal

    def pending(self, run_id: str) -> list[SentSignal]:
        """The signals of a run that no wait has taken yet, oldest first."""
        with self._read() as connection:
            rows = connection.execute(_PENDING, (run_id,)).fetchall()
            tenant = _tenant(connection, run_id) if rows and self._seal is not None else ""
        found = (opened(self._seal, "signals", dict(zip(_NAMES, row, strict=True)), tenant) for row in rows)
        return [SentSignal(**{**one, "data": json.loads(one["data"])}) for one in found]


def _tenant(connection: Transaction, run_id: str) -> str:
    row = connection.execute("SELECT tenant FROM runs WHERE id=?", (run_id,)).fetchone()
    return "" if row is None else str(row[0])


def send(run_id: str, *, name: str, data: str, key: str, sender: str, at: int) -> Callable[[Transaction], bool]:
    """Work for the writer: leave a signal for a run; the result says whether it is new. `data` is JSON.

    Raises:
        NotFoundError: there is no such run.
        ConflictError: the run has ended.
    """

    def work(connection: Transaction) -> bool:
        row = connection.execute("SELECT status, tenant FROM runs WHERE id=?", (run_id,)).fetchone()
        if row is None:
            raise NotFoundError(f"there is no run {run_id!r}", fix="`weft runs list` shows the runs", run=run_id)
        known = connection.execute("SELECT 1 FROM signals WHERE run_id=? AND key=?", (run_id, key)).fetchone()
        if known is None and row[0] in TERMINAL:
            raise ConflictError(
                f"the run has ended ({row[0]}) and takes no more signals",
                fix=f"`weft show {run_id}` shows it",
                run=run_id,
            )
        (text,) = as_stored(connection, "signals", row[1], (run_id, key), data=data)
        done = connection.execute(
            "INSERT INTO signals (run_id, key, name, data, sender, at) VALUES (?,?,?,?,?,?) ON CONFLICT DO NOTHING",
            (run_id, key, name, text, sender, at),
        )
        mark_due(connection, run_id, at)
        return done.rowcount == 1

    return work


def take(ids: Collection[int]) -> Callable[[Transaction], None]:
    """Work for an append: a wait has taken these."""

    def work(connection: Transaction) -> None:
        connection.executemany("UPDATE signals SET taken=1 WHERE id=?", [(id_,) for id_ in ids])

    return work
