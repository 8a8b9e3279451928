"""Who drives a run, as its row says: each claim is a new epoch, and only the holder of the newest one writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from weft.core.errors import ConflictError, NotFoundError
from weft.store.port import Drivers
from weft.store.sql import Transaction
from weft.store.statuses import TERMINAL


class Claims:
    """The acts that change who drives a run."""

    def __init__(self, drivers: Drivers) -> None:
        self._drivers = drivers

    def claim(
        self, run_id: str, driver: str, *, reopen: bool = False, let_go: bool = False
    ) -> Callable[[Transaction], int]:
        """Work for the writer: make `driver` the one that drives the run, and return the new epoch.

        With `reopen` a run that has failed or was cancelled may be claimed too. With `let_go`, `driver` has let go of the run
        already, even if the row still names it.

        Raises:
            NotFoundError: there is no such run.
            ConflictError: it has ended, or a live process drives it.
        """

        def work(connection: Transaction) -> int:
            row = connection.execute("SELECT status, driver, epoch FROM runs WHERE id=?", (run_id,)).fetchone()
            if row is None:
                raise NotFoundError(f"there is no run {run_id!r}", fix="`weft runs list` shows the runs", run=run_id)
            status, holder, epoch = row
            if status in TERMINAL and not (reopen and status != "completed"):
                raise ConflictError(f"the run has ended ({status})", fix=f"`weft show {run_id}` shows it", run=run_id)
            if self._drivers.alive(holder) and not (let_go and holder == driver):
                raise ConflictError(
                    "another process is driving this run",
                    fix=f"`weft events {run_id} --follow` watches it, `weft cancel {run_id}` stops it",
                    run=run_id,
                )
            connection.execute("UPDATE runs SET driver=?, epoch=? WHERE id=?", (driver, epoch + 1, run_id))
            return cast("int", epoch + 1)

        return work

    def hold(self, run_id: str, epoch: int) -> Callable[[Transaction], None]:
        """Work for the writer: make sure that whoever claimed the run for `epoch` has it still. It takes its turn with claims.

        Raises:
            ConflictError: somebody has taken it over.
        """

        def work(connection: Transaction) -> None:
            row = connection.execute("SELECT epoch FROM runs WHERE id=?", (run_id,)).fetchone()
            if row is None or row[0] != epoch:
                raise ConflictError("another process has taken this run over", run=run_id)

        return work

    def release(self, run_id: str, epoch: int) -> Callable[[Transaction], None]:
        """Work for the writer: nobody drives the run any more, unless somebody has taken it over."""

        def work(connection: Transaction) -> None:
            connection.execute("UPDATE runs SET driver=NULL WHERE id=? AND epoch=?", (run_id, epoch))

        return work
