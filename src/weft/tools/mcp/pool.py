"""The servers of the runs that a process drives: each run has sessions of its own, so that nothing leaks between them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from weft.core.errors import InputError
from weft.core.event import Event
from weft.net.egress import EgressPolicy, check_url
from weft.tools.mcp.breaker import Breaker
from weft.tools.mcp.connection import Way
from weft.tools.mcp.descriptor import Descriptor
from weft.tools.mcp.link import Changed, Link, Means
from weft.tools.mcp.names import exposed_names
from weft.tools.mcp.oauth import authorization
from weft.tools.mcp.process import Pipes
from weft.tools.mcp.server import Server, read_server
from weft.tools.mcp.tool import McpTool, spec_of
from weft.tools.mcp.versions import Versions
from weft.tools.mcp.web import Web
from weft.tools.port import Tool, ToolContext, ToolSpec

_IDLE_S = 300.0
_LOOK_S = 30.0
_SERVERS = 1_000
_SPECS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the pool may use. `home` is the folder of its state; `on_secret` hears of secrets that servers hand out."""

    home: Path
    policy: EgressPolicy
    on_change: Changed = "ask"
    on_secret: Callable[[str], object] = lambda _: None


@dataclass(slots=True)
class _Run:
    links: list[Link]
    tools: dict[str, Tool] | None = None
    versions: tuple[Sequence[Any], ...] = ()


class McpPool:
    """Hands out the tools of MCP servers. For one event loop."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._runs: dict[str, _Run] = {}
        self._breakers: dict[str, Breaker] = {}
        self._specs: dict[tuple[str, str, str], ToolSpec] = {}
        self._means = Means(
            way=self._way,
            breaker=self._breaker,
            versions=Versions(around.home / "descriptors"),
            on_change=around.on_change,
        )
        self._sweeper: asyncio.Task[None] | None = None

    def check(self, definitions: Mapping[str, Mapping[str, Any]]) -> None:
        """Find out what is wrong with servers before a run begins, without reaching them.

        Raises:
            PolicyError: an address is denied.
            InputError: an address or a preset is wrong.
        """
        for name, definition in definitions.items():
            server = read_server(name, definition)
            if server.url:
                check_url(server.url, self._around.policy)

    async def tools(
        self,
        run_id: str,
        definitions: Mapping[str, Mapping[str, Any]],
        context: ToolContext,
        *,
        history: Callable[[], Iterable[Event]],
        taken: Iterable[str] = (),
    ) -> dict[str, Tool]:
        """The tools of these servers for one run, by the names that agents use; `taken` are names of other tools.

        Raises:
            WeftError: a server that is not optional cannot be reached or used.
        """
        run = self._run(run_id, definitions)
        found = await asyncio.gather(*(link.tools(context, history) for link in run.links), return_exceptions=True)
        for one in found:
            if isinstance(one, BaseException):
                raise one
        versions = tuple(one for one in found if not isinstance(one, BaseException))
        if run.tools is None or run.versions != versions:
            pairs = [(link, one) for link, offered in zip(run.links, versions, strict=True) for one in offered]
            names = exposed_names([(link.server.id, one.name) for link, one in pairs], taken)
            run.tools = {
                name: McpTool(self._spec(name, link.server, one), link)
                for name, (link, one) in zip(names, pairs, strict=True)
            }
            run.versions = versions
        return run.tools

    async def leave(self, run_id: str) -> None:
        """End the sessions of a run that is not driven here any more."""
        run = self._runs.pop(run_id, None)
        if run is not None:
            await asyncio.gather(*(link.close() for link in run.links))

    async def aclose(self) -> None:
        """End every session."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        await asyncio.gather(*(self.leave(run_id) for run_id in list(self._runs)))

    def _run(self, run_id: str, definitions: Mapping[str, Mapping[str, Any]]) -> _Run:
        run = self._runs.get(run_id)
        if run is None:
            links = [Link(read_server(name, one), self._means) for name, one in definitions.items()]
            run = self._runs[run_id] = _Run(links)
            if self._sweeper is None or self._sweeper.done():
                self._sweeper = asyncio.create_task(self._sweep(), name="mcp sweeper")
        return run

    def _spec(self, name: str, server: Server, descriptor: Descriptor) -> ToolSpec:
        """The same object for the same tool in every run: who keeps things by it, such as validators, keeps them once."""
        spec = spec_of(name, server, descriptor)
        key = (server.identity, name, descriptor.digest)
        known = self._specs.get(key)
        if known == spec:
            return known
        if len(self._specs) >= _SPECS:
            self._specs.clear()
        self._specs[key] = spec
        return spec

    def _breaker(self, server: Server) -> Breaker:
        if len(self._breakers) >= _SERVERS:
            self._breakers.clear()
        return self._breakers.setdefault(server.identity, Breaker(asyncio.get_running_loop().time))

    def _way(self, server: Server, context: ToolContext) -> Awaitable[Way]:
        return open_way(server, context, self._around)

    async def _sweep(self) -> None:
        """End sessions that nobody uses, such as those of runs that wait; a call opens them again."""
        while self._runs:
            await asyncio.sleep(_LOOK_S)
            since = asyncio.get_running_loop().time() - _IDLE_S
            for run in list(self._runs.values()):
                for link in run.links:
                    if link.idle(since):
                        await link.close()


async def open_way(server: Server, context: ToolContext, around: Surroundings) -> Way:
    """How to reach `server`, its secrets filled in.

    Raises:
        AuthError: a secret is missing, or somebody has to log in first.
    """
    expand = context.secrets.expand
    if server.url:
        auth: httpx2.Auth | None = await authorization(server, around.home, expand, on_secret=around.on_secret)
        headers = {name: expand(value) for name, value in server.headers.items()}
        for name, value in headers.items():
            if not value.isascii() or not value.isprintable():
                raise InputError(f"the value of the header {name!r} cannot be sent", fix="use one line of ASCII")
        return Web(server, headers=headers, policy=around.policy, auth=auth)
    return Pipes(server, env={name: expand(value) for name, value in server.env.items()}, folder=context.workdir)
