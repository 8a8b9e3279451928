"""One session with one server: opened, listed, called, and ended for certain.

The session lives in a task of its own, because what the protocol library opens must be closed by the task that opened it.
Both generations of the protocol are spoken: the stateless revision of 2026 when the server answers it, else the handshake of 2024
and 2025.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, cast

from mcp import Client, MCPError
from mcp.client._transport import TransportStreams
from mcp.shared.dispatcher import ProgressFnT
from mcp_types import (
    CONNECTION_CLOSED,
    REQUEST_TIMEOUT,
    CallToolResult,
    Implementation,
    ListToolsResult,
    RequestParamsMeta,
    ToolListChangedNotification,
)
from pydantic import ValidationError

from weft.core.errors import StepTimeoutError, ToolError, TransientError, WeftError
from weft.tools.mcp.descriptor import MAX_TOOLS, Descriptor, read_descriptor, visible
from weft.tools.mcp.server import Server

# The library tells its log what it tells its callers too, with tracebacks that are no use to people.
logging.getLogger("mcp").addHandler(logging.NullHandler())
logging.getLogger("mcp").propagate = False

KEY = "weft/idempotency-key"
"""Where a request carries the call's idempotency key, for servers that look for one."""

_PAGES = 100
_PROBE_S = 5.0
_MESSAGE = 500


class Way(Protocol):
    """How the messages of a session travel."""

    trouble: str

    def streams(self) -> AbstractAsyncContextManager[TransportStreams]:
        """Open it."""
        ...

    def said(self) -> str:
        """What the server's process wrote to its standard error last."""
        ...

    def kill(self) -> None:
        """End the server at once."""
        ...


class Connection:
    """A session. Open it once; when it is no longer `alive`, make another one."""

    def __init__(self, server: Server, way: Way) -> None:
        self._server = server
        self._way = way
        self._client: Client | None = None
        self._ready = asyncio.Event()
        self._leave = asyncio.Event()
        self._failure: BaseException | None = None
        self._owner: asyncio.Task[None] | None = None
        self._probe: asyncio.Task[None] | None = None
        self.changed = False
        """Whether the server has said that its tools are others now."""

    @property
    def alive(self) -> bool:
        """Whether calls can be made. A session that is about to end takes none."""
        owned = self._owner is not None and not self._owner.done()
        return self._client is not None and owned and not self._leave.is_set()

    @property
    def facts(self) -> dict[str, Any]:
        """What the handshake told: the protocol's revision, and the server's own name and version."""
        assert self._client is not None
        info = self._client.server_info
        said = {} if info is None else {"name": visible(info.name[:200]), "version": visible(info.version[:200])}
        return {"protocol": self._client.protocol_version, **said}

    async def open(self) -> None:
        """Start the server and shake hands.

        Raises:
            ToolError: it does not start, or not in time; or its answers are none.
            WeftError: a rule of ours is in the way.
        """
        self._owner = asyncio.create_task(self._own(), name=f"mcp {self._server.id}")
        limit = self._server.startup_timeout_s
        try:
            async with asyncio.timeout(limit):
                await self._ready.wait()
        except TimeoutError as error:
            said = self._why()
            await self.close(kill=True)
            raise ToolError(
                f"{self._server.shown} did not answer within {limit:g} s{said}",
                fix="raise its startup_timeout_s, or run its command by hand to see what it does",
            ) from error
        except asyncio.CancelledError:
            await self.close(kill=True)
            raise
        if not self.alive:
            raise self._start_failure()

    async def tools(self) -> list[Descriptor]:
        """Everything that the server offers, page by page.

        Raises:
            ToolError: it offers too much, or what cannot be used; or the session ended.
        """
        self.changed = False
        limit = self._server.startup_timeout_s
        found: list[Descriptor] = []
        cursor: str | None = None
        for _ in range(_PAGES):
            page: ListToolsResult = await self._asked(self._listed(cursor), limit)
            found += [read_descriptor(tool) for tool in page.tools]
            if len(found) > MAX_TOOLS:
                break
            cursor = page.next_cursor
            if not cursor:
                names = [one.name for one in found]
                if len(set(names)) < len(names):
                    raise ToolError(f"{self._server.shown} lists a tool twice", fix="tell the server's author")
                return found
        raise ToolError(f"{self._server.shown} offers more than {MAX_TOOLS} tools", fix="use a server with fewer")

    async def call(
        self, name: str, args: Mapping[str, Any], *, key: str, timeout_s: float, progress: ProgressFnT
    ) -> CallToolResult:
        """The result of one call. When this is cancelled the server is told, and killed if it answers nothing any more.

        Raises:
            TransientError: the session ended before the answer came.
            StepTimeoutError: the server took too long.
            ToolError: it refused, or its answer is none.
        """
        assert self._client is not None
        calling = self._client.call_tool(
            name, dict(args), timeout_s, progress, meta=cast("RequestParamsMeta", {KEY: key})
        )
        try:
            result: CallToolResult = await self._asked(calling, timeout_s, grace=1.0)
            return result
        except asyncio.CancelledError:
            self._look_whether_it_lives()
            raise

    async def close(self, *, kill: bool = False) -> None:
        """End the session, and the server if it is a process."""
        if kill:
            self._way.kill()
        self._leave.set()
        for task in (self._probe, self._owner):
            if task is None or task is asyncio.current_task():
                continue
            if not self._ready.is_set() or task is self._probe:
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task

    async def _own(self) -> None:
        try:
            async with Client(
                self._way.streams(),
                cache=None,
                message_handler=self._heard,
                client_info=Implementation(name="weft", version="1"),
            ) as client:
                self._client = client
                self._ready.set()
                await self._leave.wait()
        except Exception as error:  # noqa: BLE001 -- whatever it is, who opens or calls makes sense of it
            self._failure = error
        finally:
            self._client = None
            self._ready.set()

    async def _heard(self, message: Any) -> None:
        if isinstance(message, ToolListChangedNotification):
            self.changed = True

    def _listed(self, cursor: str | None) -> Awaitable[ListToolsResult]:
        assert self._client is not None
        return self._client.list_tools(cursor=cursor)

    async def _asked(self, question: Awaitable[Any], limit: float, *, grace: float = 0.0) -> Any:
        """The answer; `grace` is for a question that keeps the limit itself, and tells the server when it is over."""
        try:
            async with asyncio.timeout(limit + grace):
                return await question
        except TimeoutError as error:
            self._look_whether_it_lives()
            raise self._too_slow(limit) from error
        except MCPError as error:
            if error.code == CONNECTION_CLOSED:
                raise await self._lost() from error
            if error.code == REQUEST_TIMEOUT:
                self._look_whether_it_lives()
                raise self._too_slow(limit) from error
            raise ToolError(
                f"{self._server.shown} refused: {visible(error.message[:_MESSAGE])}", fix="correct the arguments"
            ) from error
        except (ValidationError, RuntimeError, ValueError) as error:
            raise ToolError(
                f"the answer of {self._server.shown} is not what the protocol says: {visible(str(error)[:_MESSAGE])}",
                fix="update the server, or tell its author",
            ) from error

    def _too_slow(self, limit: float) -> StepTimeoutError:
        return StepTimeoutError(
            f"{self._server.shown} did not answer within {limit:g} s{self._why()}", fix="raise its timeout_s"
        )

    async def _lost(self) -> WeftError:
        await self.close()
        refusal = getattr(self._way, "refusal", None)
        if isinstance(refusal, WeftError):
            return refusal
        return TransientError(f"the connection to {self._server.shown} ended{self._why()}", fix="try again")

    def _look_whether_it_lives(self) -> None:
        """Ask something simple after a call that took too long, and kill a server that does not answer that either."""
        if self.alive and (self._probe is None or self._probe.done()):
            self._probe = asyncio.create_task(self._live_or_die(), name=f"mcp {self._server.id} probe")

    async def _live_or_die(self) -> None:
        try:
            async with asyncio.timeout(_PROBE_S):
                await self._listed(None)
        except Exception:  # noqa: BLE001 -- any other answer than a list is none
            self._way.kill()
            self._leave.set()

    def _start_failure(self) -> WeftError:
        refusal = getattr(self._way, "refusal", None)
        if isinstance(refusal, WeftError):
            return refusal
        cause = _first(self._failure)
        if isinstance(cause, WeftError):
            return cause
        reason = f": {visible(str(cause)[:_MESSAGE])}" if cause is not None and str(cause) else ""
        return ToolError(
            f"{self._server.shown} did not start{reason}{self._why()}",
            fix="run its command by hand to see what it lacks, or mark it `optional: true`",
        )

    def _why(self) -> str:
        parts = [part for part in (self._way.trouble, visible(self._way.said()[-_MESSAGE:])) if part]
        return f": {'; '.join(parts)}" if parts else ""


def _first(error: BaseException | None) -> BaseException | None:
    """The first plain error in a group of groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
