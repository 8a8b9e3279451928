"""Calls whose client went away: which of them cancel their run."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from mcp.server.context import CallNext, HandlerResult

from weft.app.hosting import Host
from weft.server.mcp.exchange import Context, is_modern, session_of

_KEPT = 1_024
_TICK_S = 0.05
_TICKS = 20


class Abandoned:
    """Tells a call that was cancelled from one whose connection was lost.

    A client that says so cancels the run, as does one of the stateless revision that closes the stream of its call, for that is
    how it says so there. A lost connection of a session, a process that ends and a service that stops cancel nothing: the run
    goes on, and is found again. A call with a key means to be found again, so closing its stream cancels nothing either.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._said: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, ctx: Context, call_next: CallNext) -> HandlerResult:
        """Middleware: remember which requests were said to be cancelled."""
        if ctx.method == "notifications/cancelled" and ctx.params is not None:
            self._said[session_of(ctx), str(ctx.params.get("requestId"))] = None
            if len(self._said) > _KEPT:
                self._said.popitem(last=False)
        return await call_next(ctx)

    def call(self, ctx: Context, run_id: str, *, keyed: bool, principal: str) -> None:
        """A call about this run has been cut off."""
        if self._host.draining:
            return
        stateless = is_modern(ctx) and ctx.request is not None
        if stateless and keyed:
            return
        place = None if stateless else (session_of(ctx), str(ctx.request_id))
        task = asyncio.ensure_future(self._cancel(place, run_id, principal))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Wait for cancellations that are under way."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _cancel(self, place: tuple[str, str] | None, run_id: str, principal: str) -> None:
        # The notification comes to the middleware just after it has cut off the call.
        for _ in range(_TICKS):
            if place is None or place in self._said:
                await self._host.cancel(run_id, reason="the caller cancelled its call", principal=principal)
                return
            await asyncio.sleep(_TICK_S)
