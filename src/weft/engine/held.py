"""Events of a run that nobody waits for: they ride along with its next append, or go alone when they have waited long enough."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from weft.store.append import Draft

_NOTE_S = 0.05
"""How long a note may wait for company (seconds); nobody waits for it."""
_SOON_S = 0.005
"""A note that has so little left to wait goes now."""
_LATE = 5
"""How often a note is put off when its time comes late: the process is busy, and an append of the run is near. What was paid for is not."""

Entry = tuple[Draft, Any]
"""An event to be appended, and its data as the journal will give it back."""


Flush = Callable[[], Coroutine[Any, Any, None]]


class Held:
    """What is held of one run. It is `paid` when it says of something that was consumed."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.paid = False
        self._since = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._flushing: asyncio.Future[None] | None = None

    def add(self, entry: Entry, flush: Flush) -> None:
        """Hold one more; `flush` writes it when its time comes."""
        if not self.entries:
            self._since = asyncio.get_running_loop().time()
        self.entries.append(entry)
        if self._timer is None:
            self._set_timer(flush, _NOTE_S, _LATE)

    def take(self) -> list[Entry]:
        """All of it, which is held no longer."""
        taken, self.entries = self.entries, []
        return taken

    def put_back(self, taken: list[Entry], *, paid: bool) -> None:
        """What was taken could not be given to anybody."""
        self.entries[:0] = taken
        self.paid = self.paid or paid

    def _set_timer(self, flush: Flush, wait: float, patience: int) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(wait, self._flush_soon, flush, loop.time() + wait + 0.5 * _NOTE_S, patience)

    def _flush_soon(self, flush: Flush, late: float, patience: int) -> None:
        self._timer = None
        if not self.entries:
            return
        now = asyncio.get_running_loop().time()
        # Appends leave the timer running, since setting it costs more than they do: what is held now may be younger.
        left = self._since + _NOTE_S - now
        if left > _SOON_S:
            self._set_timer(flush, left, _LATE)
        elif patience and now > late and not self.paid:
            self._set_timer(flush, _NOTE_S, patience - 1)
        else:
            self._flushing = asyncio.ensure_future(flush())
            # A refusal is read and dropped: whoever records next meets the same one and is the one to say so.
            self._flushing.add_done_callback(lambda done: done.cancelled() or done.exception())
