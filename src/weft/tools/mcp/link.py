"""What one run has to do with one server: its pinned descriptions, and a session when one is needed.

The descriptions are journaled when they are first used, whole, so that a run that goes on elsewhere offers its agents the same
tools without asking the server. When a session is opened again, and now and then before a call, what the server says then is
compared with what is pinned.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from weft.core.clock import iso
from weft.core.errors import PolicyError, StepTimeoutError, ToolError, TransientError, WeftError
from weft.core.event import Event
from weft.tools.mcp.breaker import WAITS, Breaker
from weft.tools.mcp.connection import Connection, Way
from weft.tools.mcp.descriptor import Descriptor, changed_lines
from weft.tools.mcp.results import as_json, text_of
from weft.tools.mcp.server import Server
from weft.tools.mcp.versions import Versions
from weft.tools.port import Difference, Json, ToolContext

Changed = Literal["ask", "refuse", "accept"]
CONNECTED, TOOLS, ABSENT, CHANGED, CALL = "mcp.connected", "mcp.tools", "mcp.absent", "mcp.changed", "mcp.call"
"""The notes about servers in a run's journal."""

_FRESH_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What links need of their surroundings. `way` opens a server, `breaker` is that of a server, for all runs."""

    way: Callable[[Server, ToolContext], Awaitable[Way]]
    breaker: Callable[[Server], Breaker]
    versions: Versions
    on_change: Changed


class Link:
    """One run and one server."""

    def __init__(self, server: Server, means: Means) -> None:
        self.server = server
        self._means = means
        self._lock = asyncio.Lock()
        self._connection: Connection | None = None
        self._pinned: dict[str, Descriptor] | None = None
        self._different: dict[str, Descriptor | None] = {}
        self._compared = 0.0
        self._busy = 0
        self.used = 0.0

    async def tools(self, context: ToolContext, history: Callable[[], Iterable[Event]]) -> Sequence[Descriptor]:
        """The pinned descriptions: from the journal, or from the server, and then pinned.

        Raises:
            WeftError: the server cannot be reached, and is not optional.
        """
        async with self._lock:
            if self._pinned is None:
                self._pinned = self._from(history())
            if self._pinned is None:
                try:
                    connection = await self._connected(context)
                    self._pin(await self._offered(connection), context)
                except WeftError as error:
                    if not self.server.optional:
                        raise _masked(error, context) from error
                    message = context.secrets.mask(error.message)
                    context.note(ABSENT, {"server": self.server.id, "reason": message, "code": error.code})
                    self._pinned = {}
            assert self._pinned is not None
            return list(self._pinned.values())

    async def call(self, name: str, args: Mapping[str, Json], context: ToolContext) -> Json:
        """The result of a call of the pinned tool `name`.

        Raises:
            ToolError: the server cannot be reached (nothing was sent), refused, or says that the call failed.
            PolicyError: the tool is described differently now, and nobody has accepted that.
            TransientError: the session ended during the call; so too `StepTimeoutError`.
        """
        loop = asyncio.get_running_loop()
        async with self._lock:
            connection = await self._compared_connection(context)
            self._admit(name, context)
        began = loop.time()
        told: dict[str, Any] = {"server": self.server.id, "tool": name}

        async def show(progress: float, total: float | None, message: str | None) -> None:
            text = context.secrets.mask(message or "")[:500]
            context.emit({"progress": progress, "total": total, "text": text})

        self._busy += 1
        try:
            result = await connection.call(name, args, key=context.key, timeout_s=self.server.timeout_s, progress=show)
        except WeftError as error:
            context.note(CALL, {**told, "ok": False, "code": error.code, "seconds": _since(began, loop)})
            if isinstance(error, TransientError | StepTimeoutError):
                self._means.breaker(self.server).failed()
            raise
        finally:
            self._busy -= 1
            self.used = loop.time()
        self._means.breaker(self.server).worked()
        context.note(CALL, {**told, "ok": not result.is_error, "seconds": _since(began, loop)})
        if result.is_error:
            raise ToolError(text_of(result) or f"{name!r} failed and does not say why", fix="see what it needs")
        return as_json(result)

    async def difference(self, name: str, context: ToolContext) -> Difference | None:
        """How `name` is described otherwise now, if a person is to be asked about that.

        Raises:
            WeftError: the server cannot be reached.
        """
        if self._means.on_change != "ask":
            return None
        async with self._lock:
            await self._compared_connection(context)
            now = self._different.get(name)
            if now is None or self._means.versions.accepted(self.server, now):
                return None
            assert self._pinned is not None
            return Difference(digest=now.digest, text=changed_lines(self._pinned[name], now))

    def accept(self, name: str, difference: Difference) -> None:
        """A person has accepted what `name` is described as now."""
        now = self._different.get(name)
        if now is not None and now.digest == difference.digest:
            self._means.versions.accept(self.server, [name])

    async def close(self) -> None:
        """End the session; the next call opens another one."""
        async with self._lock:
            if self._connection is not None:
                await self._connection.close()
                self._connection = None

    def idle(self, since: float) -> bool:
        """Whether there is a session that nobody has used since then (on the loop's clock)."""
        return self._connection is not None and not self._busy and self.used < since

    async def _compared_connection(self, context: ToolContext) -> Connection:
        connection = await self._connected(context)
        now = asyncio.get_running_loop().time()
        if connection.changed or now - self._compared > _FRESH_S:
            self._compare(await self._offered(connection), context)
        return connection

    async def _connected(self, context: ToolContext) -> Connection:
        loop = asyncio.get_running_loop()
        self.used = loop.time()
        if self._connection is not None:
            if self._connection.alive:
                return self._connection
            await self._connection.close()
        breaker = self._means.breaker(self.server)
        for wait in (*WAITS, None):
            breaker.admit(self.server)
            began = loop.time()
            connection = Connection(self.server, await self._means.way(self.server, context))
            try:
                await connection.open()
            except ToolError as error:
                breaker.failed()
                if wait is None or self._pinned is None:
                    raise _masked(error, context) from error
                await asyncio.sleep(wait)
                continue
            self._connection = connection
            self._compared = float("-inf")
            how = "http" if self.server.url else "stdio"
            facts = {"server": self.server.id, "transport": how, **connection.facts, "seconds": _since(began, loop)}
            context.note(CONNECTED, facts)
            return connection
        raise AssertionError("the last attempt returns or raises")

    async def _offered(self, connection: Connection) -> list[Descriptor]:
        """What the server offers of what is allowed, in the order of the file."""
        offered = {one.name: one for one in await connection.tools()}
        self._compared = asyncio.get_running_loop().time()
        names = offered if self.server.tools is None else self.server.tools
        if self._pinned is None:
            self._require(offered)
        return [offered[name] for name in names if name in offered]

    def _require(self, offered: Mapping[str, Descriptor]) -> None:
        """Refuse a file that names tools which its server does not have."""
        server = self.server
        lacking = [name for name in server.tools or () if name not in offered]
        if lacking:
            raise ToolError(
                f"{server.shown} has no tool {lacking[0]!r}", fix=f"it has: {', '.join(offered) or 'no tool at all'}"
            )

    def _pin(self, offered: Sequence[Descriptor], context: ToolContext) -> None:
        server = self.server
        changed = self._means.versions.see(server, offered, at=iso(context.clock.micros()))
        self._pinned = {one.name: one for one in offered}
        context.note(
            TOOLS,
            {
                "server": server.id,
                "count": len(offered),
                "digests": {one.name: one.digest for one in offered},
                "changed_since_last_run": changed,
                "tools": [one.as_json() for one in offered],
            },
        )

    def _from(self, events: Iterable[Event]) -> dict[str, Descriptor] | None:
        pinned: dict[str, Descriptor] | None = None
        for event in events:
            if event.data is None or event.data.get("server") != self.server.id:
                continue
            if event.kind == TOOLS:
                pinned = {one["name"]: Descriptor.from_json(one) for one in event.data["tools"]}
            elif event.kind == ABSENT:
                pinned = {}
            elif event.kind == CHANGED and pinned is not None and event.data.get("accepted"):
                pinned[event.data["tool"]] = Descriptor.from_json(event.data["descriptor"])
        return pinned

    def _compare(self, offered: Sequence[Descriptor], context: ToolContext) -> None:
        assert self._pinned is not None
        self._means.versions.see(self.server, offered, at=iso(context.clock.micros()))
        by_name = {one.name: one for one in offered}
        different: dict[str, Descriptor | None] = {
            name: by_name.get(name)
            for name, pinned in self._pinned.items()
            if name not in by_name or by_name[name].digest != pinned.digest
        }
        for name, now in different.items():
            if name in self._different and self._different[name] == now:
                continue
            facts = {"server": self.server.id, "tool": name, "accepted": False, "before": self._pinned[name].digest}
            context.note(CHANGED, facts | ({} if now is None else {"now": now.digest, "descriptor": now.as_json()}))
        self._different = different

    def _admit(self, name: str, context: ToolContext) -> None:
        """Let a call of a tool pass that is as it was pinned, or whose change is accepted."""
        if name not in self._different:
            return
        server, now = self.server, self._different[name]
        if now is None:
            raise ToolError(f"{server.shown} no longer has the tool {name!r}", fix="go on without it")
        if self._means.on_change == "accept" or (
            self._means.on_change == "ask" and self._means.versions.accepted(server, now)
        ):
            assert self._pinned is not None
            self._pinned[name] = now
            del self._different[name]
            facts = {"server": server.id, "tool": name, "accepted": True, "now": now.digest}
            context.note(CHANGED, facts | {"descriptor": now.as_json()})
            return
        how = "look at it with `weft mcp changes`, take it with `weft mcp accept`, then `weft resume`"
        raise PolicyError(
            f"{server.shown} describes the tool {name!r} differently than when this run first used it",
            fix=how
            if self._means.on_change == "ask"
            else "start a new run, or set `tools.mcp_changed` to ask or accept",
        )


def _since(began: float, loop: asyncio.AbstractEventLoop) -> float:
    return round(loop.time() - began, 4)


def _masked(error: WeftError, context: ToolContext) -> WeftError:
    error.message = context.secrets.mask(error.message)
    error.fix = context.secrets.mask(error.fix)
    return error
