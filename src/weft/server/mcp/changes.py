"""Telling clients that what is served has changed, in the way of each revision of the protocol."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from mcp.server.context import CallNext, HandlerResult
from mcp.server.session import ServerSession
from mcp.server.subscriptions import InMemorySubscriptionBus, ServerEvent, ToolsListChanged

from weft.app.lasting import lasting
from weft.app.serving.library import Library, Published
from weft.core.canonical import digest
from weft.server.mcp.exchange import Context, is_modern

_LOG = logging.getLogger("weft.server.mcp")
_EVERY_S = 2.0
_TENANTS, _SESSIONS = 256, 10_000


class Listeners(InMemorySubscriptionBus):
    """Who listens in the revision without sessions, counted."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        """See `SubscriptionBus.subscribe`."""
        leave = super().subscribe(listener)
        self.count += 1
        gone = False

        def unsubscribe() -> None:
            nonlocal gone
            self.count -= not gone
            gone = True
            leave()

        return unsubscribe


class Changes:
    """Looks at the library now and then, as long as somebody listens who has asked what is served."""

    def __init__(self, library: Library, *, every_s: float = _EVERY_S) -> None:
        self._library = library
        self._every_s = every_s
        self.listeners = Listeners()
        self._sessions: dict[int, ServerSession] = {}
        self._known: OrderedDict[str, str] = OrderedDict()

    async def listen(self, ctx: Context, call_next: CallNext) -> HandlerResult:
        """Middleware: remember sessions for as long as they last."""
        result = await call_next(ctx)
        if ctx.method == "notifications/initialized" and not is_modern(ctx) and len(self._sessions) < _SESSIONS:
            session, place = ctx.session, id(ctx.session)
            self._sessions[place] = session
            # What is public of a session lasts for one request; the connection knows when it is over.
            session._connection.exit_stack.callback(self._sessions.pop, place, None)  # noqa: SLF001 -- see above
        return result

    def told(self, tenant: str, served: list[Published]) -> None:
        """A tenant was told what is served."""
        self._known[tenant] = _hash(served)
        self._known.move_to_end(tenant)
        if len(self._known) > _TENANTS:
            self._known.popitem(last=False)

    @asynccontextmanager
    async def watching(self) -> AsyncGenerator[None]:
        """Watch while the service runs."""
        task = asyncio.ensure_future(lasting("the watch over tools", self._watch))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            if not self.listeners.count and not self._sessions:
                continue
            changed = False
            for tenant, known in list(self._known.items()):
                now = _hash(self._library.all(tenant=tenant))
                changed = changed or now != known
                self._known[tenant] = now
            if changed:
                await self.listeners.publish(ToolsListChanged())
                for session in list(self._sessions.values()):
                    await self._tell(session)

    async def _tell(self, session: ServerSession) -> None:
        try:
            async with asyncio.timeout(self._every_s):
                await session.send_tool_list_changed()
        except Exception:  # noqa: BLE001 -- mostly a session that is just closing, or whose client reads nothing
            # The others are to be told all the same.
            _LOG.debug("a client was not told that the tools have changed", exc_info=True)


def _hash(served: list[Published]) -> str:
    return digest([[one.name, one.version, one.hash, one.changed_at] for one in served])
