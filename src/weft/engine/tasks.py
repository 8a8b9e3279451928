"""Tasks of one composite: started by key, their ends handled one by one in the order in which they happened."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable
from dataclasses import dataclass, field

from weft.engine.port import Outcome

WINDOW = 256
"""Children that are under way at once when nothing else is said: enough to fill a group commit, bounded in memory."""


@dataclass(slots=True)
class Tasks:
    """Whoever makes one must `stop` it, however it ends."""

    running: dict[str, asyncio.Task[Outcome]] = field(default_factory=dict)
    _ended: deque[tuple[str, asyncio.Future[Outcome]]] = field(default_factory=deque)
    _bell: asyncio.Future[None] | None = None

    @property
    def busy(self) -> bool:
        """Whether there is an end to wait for, or one that was not handled yet."""
        return bool(self.running or self._ended)

    def launch(self, key: str, work: Awaitable[Outcome]) -> None:
        """Begin `work`, whose end is told under `key`."""
        task = asyncio.ensure_future(work)
        self.running[key] = task
        task.add_done_callback(lambda ended: self._note_end(key, ended))

    def end(self, key: str, outcome: Outcome) -> None:
        """Tell of an end that nobody had to work for."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        future.set_result(outcome)
        self._ended.append((key, future))

    async def next_end(self) -> tuple[str, Outcome]:
        """The task that ended first of those not yet handled."""
        if not self._ended:
            self._bell = asyncio.get_running_loop().create_future()
            await self._bell
        key, task = self._ended.popleft()
        return key, task.result()

    async def stop(self) -> list[str]:
        """Cancel what still runs, and wait until it has stopped; the keys of it."""
        stopped, tasks = list(self.running), list(self.running.values())
        self.running.clear()
        for task in tasks:
            task.cancel()
        for task in tasks:
            # gather with return_exceptions waits in a fixed order and swallows what cancelled children raise.
            await asyncio.gather(task, return_exceptions=True)
        for _, ended in self._ended:
            # Read, so that asyncio does not complain of an exception that no longer matters.
            ended.cancelled() or ended.exception()
        self._ended.clear()
        return stopped

    def _note_end(self, key: str, task: asyncio.Task[Outcome]) -> None:
        if self.running.pop(key, None) is None:
            return
        self._ended.append((key, task))
        if self._bell is not None and not self._bell.done():
            self._bell.set_result(None)
