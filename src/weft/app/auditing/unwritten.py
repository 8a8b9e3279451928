"""Entries of the audit log that nobody waits for: written in company, tried again while the journal refuses, told when they are lost."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial

from weft.core.clock import exact_iso
from weft.core.errors import WeftError
from weft.store.audit import Entry
from weft.store.journal import Journal
from weft.store.sql import Transaction
from weft.store.writer import Commit
from weft.telemetry.metrics import count_lost_entries

_LOG = logging.getLogger("weft.audit")
_COMPANY_S = 0.2
"""How long an entry may wait for others, so that acts which follow one another quickly cost one write."""
_MOST = 1_000
_TRY_S, _PAUSE_S = 60.0, 1.0
"""How long an entry is tried again that the journal refuses, and how often (seconds)."""
_LAST_S = 5.0
"""The same when the process is about to end."""
_LOOK_S = 0.02
_MOST_KEPT = 10_000
_TOLD = 20
"""So many of those that are lost are named in one line of the log."""
_Owed = tuple[Entry, float]
"""An entry, and until when it is tried (monotonic seconds)."""


class Unwritten:
    """Keeps them until they are written. `work` makes of entries what the writer does."""

    def __init__(self, journal: Journal, work: Callable[[Sequence[Entry]], Callable[[Transaction], None]]) -> None:
        self._journal = journal
        self._work = work
        self._lock = threading.Lock()
        self._waiting: list[_Owed] = []
        self._commits: set[Commit] = set()
        self._here = 0
        """Threads that are writing some themselves."""
        self._again: threading.Timer | None = None
        self._finished = False
        self.refused = False
        """Whether the journal has refused the last attempt."""
        self.lost = 0
        """How many have been given up since the process began."""

    @property
    def waiting(self) -> int:
        """How many wait to be written."""
        with self._lock:
            return len(self._waiting)

    def add(self, entries: Iterable[Entry], *, soon: bool = False) -> None:
        """Write entries without anybody waiting for it, from whatever thread; unless they are to be `soon`, a moment later."""
        until = time.monotonic() + _TRY_S
        with self._lock:
            before = len(self._waiting)
            self._waiting += [(entry, until) for entry in entries]
            full = len(self._waiting) >= _MOST
            again = self._again is not None
        if again:
            return  # with the next attempt
        if soon or full:
            self.flush()
        elif not before:
            try:
                asyncio.get_running_loop().call_later(_COMPANY_S, self.flush)
            except RuntimeError:
                self.flush()  # a thread of its own, with nothing that would do it later

    def flush(self) -> None:
        """Hand what waits to the writer."""
        if not self.waiting:
            return
        taken: list[_Owed] = []
        work = self._taking(taken)
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self._write_here(work, taken)
            return
        try:
            commit = self._journal.writer.submit(work)
        except WeftError as error:  # such as after the journal was closed
            self._refused(taken, error)
            return
        self._commits.add(commit)
        commit.add_done_callback(partial(self._ended, taken))

    async def finish(self) -> None:
        """Write what waits, for the process is about to end; what cannot be written in a few seconds is lost."""
        until = time.monotonic() + _LAST_S
        self.flush()
        while self._commits or self._here or self.waiting:
            if self._commits:
                await asyncio.wait(set(self._commits))
                continue
            if self._here:
                await asyncio.sleep(_LOOK_S)
                continue
            if time.monotonic() >= until:
                break
            await asyncio.sleep(_PAUSE_S / 4)
            self.flush()
        self._finished = True
        with self._lock:
            timer, self._again = self._again, None
        if timer is not None:
            timer.cancel()
        self.flush()
        if self._commits:
            await asyncio.wait(set(self._commits))

    def _taking(self, taken: list[_Owed]) -> Callable[[Transaction], None]:
        def work(connection: Transaction) -> None:
            # Work whose batch was undone is done once more: what it has taken stays with it.
            if not taken:
                with self._lock:
                    taken.extend(self._waiting)
                    self._waiting.clear()
            if taken:
                self._work([entry for entry, _ in taken])(connection)

        return work

    def _write_here(self, work: Callable[[Transaction], None], taken: list[_Owed]) -> None:
        with self._lock:
            self._here += 1
        try:
            self._journal.writer.call(work)
        except WeftError as error:
            self._refused(taken, error)
        else:
            self.refused = False
        finally:
            with self._lock:
                self._here -= 1

    def _ended(self, taken: list[_Owed], commit: Commit) -> None:
        self._commits.discard(commit)
        try:
            commit.result()
        except WeftError as error:
            self._refused(taken, error)
        else:
            self.refused = False

    def _refused(self, taken: list[_Owed], error: WeftError) -> None:
        """Try again later, unless an entry has had its time."""
        if not self.refused and not self._finished:
            _LOG.warning("the journal refuses entries of the audit log, which are tried again: %s", error.message)
        self.refused = True
        now = time.monotonic()
        with self._lock:
            owed = [*taken, *self._waiting]
            keep = [] if self._finished else [one for one in owed if one[1] > now][-_MOST_KEPT:]
            self._waiting = keep
            gone = [entry for entry, _ in owed[: len(owed) - len(keep)]]
            self.lost += len(gone)
            again = self._again is None and bool(keep)
            if again:
                # A thread's own timer: the event loop that was there may not be there any more.
                self._again = timer = threading.Timer(_PAUSE_S, self._try_again)
                timer.daemon = True
                timer.start()
        if gone:
            _tell(gone, error)

    def _try_again(self) -> None:
        with self._lock:
            self._again = None
        with suppress(RuntimeError):  # the interpreter is ending
            self.flush()


def _tell(gone: Sequence[Entry], error: WeftError) -> None:
    named = [
        f"{exact_iso(one.at)} {one.tenant!r} {one.principal!r} {one.act!r} {one.target!r} {one.outcome!r}"
        for one in gone[:_TOLD]
    ]
    more = f" and {len(gone) - _TOLD} more" if len(gone) > _TOLD else ""
    _LOG.error(
        "%d entries of the audit log are lost, for the journal refused them (%s): %s%s",
        len(gone),
        error.message,
        "; ".join(named),
        more,
    )
    count_lost_entries(len(gone))
