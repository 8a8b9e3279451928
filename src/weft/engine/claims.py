"""Who drives a run: taking it, and letting go of it, now or as soon as the journal takes writes again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from weft.core.errors import StorageError, WeftError
from weft.store.journal import Journal


class Claims:
    """The claims of one engine. `driver` is the name under which it holds runs, new each time it begins to."""

    def __init__(self, journal: Journal, new_id: Callable[[], str]) -> None:
        self.driver = ""
        self._journal = journal
        self._new_id = new_id
        self._entered = False
        self._owed: dict[str, int] = {}

    def enter(self) -> None:
        """Be alive: what is claimed from now on is held until this process lets go or dies."""
        if not self._entered:
            # A name that was ever let go of may be taken for dead by somebody who looks at this very moment.
            self.driver = self._new_id()
            self._journal.drivers.enter(self.driver)
            self._entered = True

    def leave(self) -> None:
        """Let go of everything at once, as when the process dies."""
        if self._entered:
            self._journal.drivers.leave(self.driver)
            self._entered = False
            self._owed.clear()

    async def claim(self, run_id: str, *, reopen: bool = False) -> int:
        """Become the driver of a run; the new epoch. Cancelled half-way, it lets go of the run again.

        Raises:
            NotFoundError: there is no such run.
            ConflictError: it has ended, or somebody else drives it.
        """
        owed = self._owed.pop(run_id, None)
        claim = self._journal.claims.claim(run_id, self.driver, reopen=reopen, let_go=owed is not None)
        claiming = self._journal.writer.submit(claim)

        def let_go(done: asyncio.Future[Any]) -> None:
            if done.exception() is None:
                self.release(run_id, done.result())

        try:
            return int(await asyncio.shield(claiming))
        except WeftError:
            if owed is not None:
                self._owed[run_id] = owed
            raise
        except asyncio.CancelledError:
            claiming.add_done_callback(let_go)
            raise

    def release(self, run_id: str, epoch: int) -> None:
        """Let go of a run, now or as soon as the journal takes writes again."""
        self._owed[run_id] = epoch
        self.pay()

    def pay(self) -> None:
        """Try again to let go of what could not be let go of."""
        for run_id, epoch in tuple(self._owed.items()):
            with suppress(StorageError):  # closed: nothing is held any more
                future = self._journal.writer.submit(self._journal.claims.release(run_id, epoch))
                future.add_done_callback(partial(self._released, run_id, epoch))

    def _released(self, run_id: str, epoch: int, done: asyncio.Future[Any]) -> None:
        if done.exception() is None and self._owed.get(run_id) == epoch:
            del self._owed[run_id]
