"""Removing runs that have ended: their rows, their events, and the blobs that nobody else refers to. Plans stay: they are shared."""

from __future__ import annotations

from collections.abc import Callable

from weft.core.errors import ConflictError, NotFoundError
from weft.store.sql import Transaction
from weft.store.statuses import TERMINAL

_FAMILY = """
WITH RECURSIVE family(id) AS (
    SELECT id FROM runs WHERE id=:run UNION SELECT runs.id FROM runs JOIN family ON runs.parent = family.id
) SELECT id FROM family
"""


def removal(run_id: str) -> Callable[[Transaction], list[str]]:
    """Work for the writer: remove a run that has ended, with its child runs, and return the ids of what is gone.

    Raises:
        NotFoundError: there is no such run.
        ConflictError: it or a child has not ended, or a fork that would stay is made of it.
    """

    def work(connection: Transaction) -> list[str]:
        family = [one for (one,) in connection.execute(_FAMILY, {"run": run_id})] or [run_id]
        for one in family:
            _check(connection, one, family)
        for one in family:
            erase(connection, one)
        return family

    return work


def _check(connection: Transaction, run_id: str, family: list[str]) -> None:
    row = connection.execute("SELECT status FROM runs WHERE id=?", (run_id,)).fetchone()
    if row is None:
        raise NotFoundError(f"there is no run {run_id!r}", fix="`weft runs list` shows the runs", run=run_id)
    if row[0] not in TERMINAL:
        raise ConflictError(
            f"the run {run_id} has not ended ({row[0]})", fix=f"`weft cancel {run_id}` ends it", run=run_id
        )
    for (heir,) in connection.execute("SELECT id FROM runs WHERE base_run=?", (run_id,)):
        if heir not in family:
            raise ConflictError(
                f"the run {heir} is a fork of {run_id} and needs its past",
                fix=f"delete that one first: `weft runs delete {heir}`",
                run=run_id,
            )


def erase(connection: Transaction, run_id: str) -> None:
    """Delete everything that is stored of one run. Whoever calls it has made sure that nothing needs it."""
    (tenant,) = connection.execute("SELECT tenant FROM runs WHERE id=?", (run_id,)).fetchone()
    found = connection.execute("SELECT DISTINCT blob FROM events WHERE run_id=? AND blob IS NOT NULL", (run_id,))
    blobs = [blob for (blob,) in found]
    for table in ("events", "inbox", "gates", "signals", "lines", "messages", "requests", "task_messages", "webhooks"):
        connection.execute(f"DELETE FROM {table} WHERE run_id=?", (run_id,))  # noqa: S608 -- our own names
    connection.execute("DELETE FROM runs WHERE id=?", (run_id,))
    for blob in blobs:
        connection.execute(
            "DELETE FROM blobs WHERE tenant=? AND hash=? AND NOT EXISTS (SELECT 1 FROM events WHERE blob=?)",
            (tenant, blob, blob),
        )
