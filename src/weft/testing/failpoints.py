"""Failpoints: make the process "die" at a chosen moment, without a process.

Once a point has fired, nothing more can be written through the journal: whatever still runs is as good as dead.
"""

from __future__ import annotations

from typing import Any, Literal

from weft.core.errors import StorageError
from weft.engine.local import Engine
from weft.store.append import Append
from weft.store.journal import Journal
from weft.store.port import Work
from weft.store.writer import Commit


class Crash(BaseException):
    """The simulated death of a process. No handler of ordinary errors catches it."""


class CrashingWriter:
    """A journal writer that dies at its `at`-th append (from 1), just before or just after it is durable.

    `fired` tells whether it got there; `appends` how many were asked for.
    """

    def __init__(self, journal: Journal, *, at: int, when: Literal["before", "after"]) -> None:
        self._inner = journal.writer
        self._at = at
        self._when = when
        self.appends = 0
        self.fired = False

    def submit(self, work: Work) -> Commit:
        """See `weft.store.writer.Writer.submit`."""
        self._maybe_die(work, before=True)
        future = self._inner.submit(work)
        self._maybe_die(work, before=False)
        return future

    def submit_and_forget(self, work: Work) -> None:
        """See `weft.store.writer.Writer.submit_and_forget`."""
        self._maybe_die(work, before=True)
        self._inner.submit_and_forget(work)
        self._maybe_die(work, before=False)

    def call(self, work: Work) -> Any:
        """See `weft.store.writer.Writer.call`."""
        return self._inner.call(work)

    def close(self) -> None:
        """See `weft.store.writer.Writer.close`."""
        self._inner.close()

    def _maybe_die(self, work: Work, *, before: bool) -> None:
        if self.fired:
            raise Crash
        if isinstance(work, Append):
            self.appends += before
            if self.appends == self._at and before == (self._when == "before"):
                self.fired = True
                raise Crash


class RefusingWriter(CrashingWriter):
    """A writer whose disk is full from its `at`-th append on."""

    def __init__(self, journal: Journal, *, at: int) -> None:
        super().__init__(journal, at=at, when="before")

    def _maybe_die(self, work: Work, *, before: bool) -> None:
        if isinstance(work, Append):
            self.appends += before
            if before and self.appends >= self._at:
                self.fired = True
                raise StorageError("the disk is full", fix="free some space, then `weft resume` the run")


def bury(engine: Engine, journal: Journal) -> None:
    """Do what the operating system does when a process dies: let go of its locks."""
    engine.forsake()
    if isinstance(journal.writer, CrashingWriter):
        journal.writer = journal.writer._inner  # noqa: SLF001 -- its own subclass's door
        journal.writer.drain()
