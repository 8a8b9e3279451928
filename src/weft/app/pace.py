"""The pace at which work begins: many things that are asked for at once begin one after the other, and requests are answered between."""

from __future__ import annotations

import asyncio
from collections import deque


class Pace:
    """Lets one of those who wait begin at each turn of the event loop, in the order in which they came.

    A run begins with a stretch of work that nothing interrupts. Where a hundred begin at once, whoever asks for the
    hundred-and-first would wait for all of these stretches; so he waits for one. For a service at rest it makes no difference.
    """

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._next: asyncio.Handle | None = None

    async def turn(self) -> None:
        """Return when it is this one's turn to begin."""
        loop = asyncio.get_running_loop()
        mine: asyncio.Future[None] = loop.create_future()
        self._waiting.append(mine)
        if self._next is None:
            self._next = loop.call_soon(self._pass, loop)
        await mine

    def _pass(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._waiting and self._waiting[0].done():
            self._waiting.popleft()
        if not self._waiting:
            self._next = None
            return
        self._waiting.popleft().set_result(None)
        self._next = loop.call_soon(self._pass, loop)
