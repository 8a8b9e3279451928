"""The slots of a process: so many calls work at once, and whoever waits gets the next one tenant by tenant."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque


class Slots:
    """Hands out slots. Tenants take turns, however many calls one of them has waiting; within a tenant the first comes first."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    def take(self) -> bool:
        """Take a slot if one is free, without waiting."""
        if not self._free:
            return False
        self._free -= 1
        return True

    async def acquire(self, tenant: str = "") -> None:
        """Take a slot, as soon as it is this tenant's turn."""
        if self.take():
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release()  # it was handed over at the moment when nobody wanted it any more
            raise

    def release(self) -> None:
        """Give a slot back: to the tenant that has waited longest for its turn."""
        while self._waiting:
            tenant, queue = self._waiting.popitem(last=False)
            while queue:
                turn = queue.popleft()
                if not turn.done():
                    if queue:
                        self._waiting[tenant] = queue
                    turn.set_result(None)
                    return
        self._free += 1
