"""Servers that are processes: started with limits and little else, spoken to over their pipes, and ended for certain.

The process leads a group of its own, and the whole group is killed. It inherits nothing but what the file names and the few
variables that programs need to be found and to write text. Lines, floods and what is kept of its standard error are bounded.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.client._transport import TransportStreams
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCError, JSONRPCResponse, jsonrpc_message_adapter

from weft.core.errors import ToolError
from weft.tools.mcp import launch
from weft.tools.mcp.server import Server

INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS")
"""What a server sees of the environment besides what its definition names."""

_MAX_LINE = 16 * 1024 * 1024
_STDERR = 16 * 1024
_NONSENSE = 50
_UNASKED = 2_000
_WINDOW_S = 10.0
_GRACE_S = 2.0


class Pipes:
    """The process of one server, and its pipes as the streams of a session."""

    def __init__(self, server: Server, *, env: Mapping[str, str], folder: Path) -> None:
        self._server = server
        self._env = {name: os.environ[name] for name in INHERITED if name in os.environ} | dict(env)
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None
        self._stderr: deque[bytes] = deque()
        self._hurry = False
        self.trouble = ""

    @property
    def pid(self) -> int | None:
        """The id of the process, and of its group."""
        return self._process.pid if self._process else None

    def said(self) -> str:
        """The last lines of its standard error."""
        return b"".join(self._stderr)[-_STDERR:].decode(errors="replace").strip()

    def kill(self) -> None:
        """Kill the whole group at once."""
        self._hurry = True
        self._signal(signal.SIGKILL)

    @asynccontextmanager
    async def streams(self) -> AsyncGenerator[TransportStreams, None]:
        """Start the process; it is gone when this is left.

        Raises:
            ToolError: it cannot be started.
        """
        process = self._process = await self._start()
        inbound, reading = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        writing, outbound = anyio.create_memory_object_stream[SessionMessage](0)
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._read, process, inbound)
                group.start_soon(self._write, process, outbound, inbound)
                group.start_soon(self._listen, process)
                try:
                    yield reading, writing
                finally:
                    reading.close()
                    writing.close()
                    with anyio.CancelScope(shield=True):
                        await self._stop(process)
                    group.cancel_scope.cancel()
        finally:
            # Whatever interrupted the orderly end, nothing of the group survives it.
            self._signal(signal.SIGKILL)
            for stream in (inbound, reading, writing, outbound):
                stream.close()
            _close(process)

    async def _start(self) -> asyncio.subprocess.Process:
        server = self._server
        command = shutil.which(server.command, path=self._env.get("PATH"))
        if command is None:
            raise ToolError(
                f"{server.shown} cannot be started: there is no command {server.command!r}",
                fix="install it, or correct the command; only PATH and the folder of the workflow are looked in",
            )
        try:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", launch.__file__, server.limits.text(), command, *server.args),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=self._env,
                cwd=self._folder,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise ToolError(f"{server.shown} cannot be started: {error}", fix="check its command and args") from error

    async def _read(
        self, process: asyncio.subprocess.Process, inbound: MemoryObjectSendStream[SessionMessage | Exception]
    ) -> None:
        assert process.stdout is not None
        lines = _Lines(asyncio.get_running_loop().time)
        with inbound, contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, ConnectionError):
            while not lines.trouble and (chunk := await process.stdout.read(65_536)):
                for message in lines.feed(chunk):
                    await inbound.send(message)
        if lines.trouble:
            self.trouble = lines.trouble
            self.kill()

    async def _write(
        self,
        process: asyncio.subprocess.Process,
        outbound: MemoryObjectReceiveStream[SessionMessage],
        inbound: MemoryObjectSendStream[Any],
    ) -> None:
        assert process.stdin is not None
        try:
            async with outbound:
                async for message in outbound:
                    text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
                    process.stdin.write(text.encode() + b"\n")
                    await process.stdin.drain()
        except OSError:
            # The session must learn that the server is gone instead of waiting for its answers.
            await inbound.aclose()

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        size = 0
        with contextlib.suppress(OSError):
            while chunk := await process.stderr.read(4096):
                self._stderr.append(chunk)
                size += len(chunk)
                while size > _STDERR and len(self._stderr) > 1:
                    size -= len(self._stderr.popleft())

    async def _stop(self, process: asyncio.subprocess.Process) -> None:
        """Close its standard input, then ask it to end, then make it."""
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            process.stdin.close()
        for last in (None, signal.SIGTERM):
            if last is not None:
                self._signal(last)
            if not self._hurry and await _ended(process, _GRACE_S):
                break
        self._signal(signal.SIGKILL)
        await _ended(process, _GRACE_S)

    def _signal(self, number: int) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)


class _Lines:
    """Messages out of what a process writes, until there is `trouble`: lines without end, nonsense, a flood."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._parts: list[bytes] = []
        self._size = 0
        self._nonsense = 0
        self._unasked = 0
        self._since = now()
        self.trouble = ""

    def feed(self, chunk: bytes) -> Iterator[SessionMessage]:
        """The messages that are complete with `chunk`."""
        *ended, rest = chunk.split(b"\n")
        for line in ended:
            whole = b"".join((*self._parts, line))
            self._parts, self._size = [], 0
            message = _message(whole)
            if message is not None and not self._floods(message):
                self._nonsense = 0
                yield message
            elif message is None and whole.strip():
                self._nonsense += 1
                if self._nonsense >= _NONSENSE:
                    self.trouble = "it wrote what is not JSON-RPC to its standard output"
            if self.trouble:
                return
        self._parts.append(rest)
        self._size += len(rest)
        if self._size > _MAX_LINE:
            self.trouble = f"it wrote a line of more than {_MAX_LINE} bytes"

    def _floods(self, message: SessionMessage) -> bool:
        """Whether there are too many messages that nobody asked for."""
        if isinstance(message.message, JSONRPCResponse | JSONRPCError):
            return False
        if self._now() - self._since >= _WINDOW_S:
            self._unasked, self._since = 0, self._now()
        self._unasked += 1
        if self._unasked > _UNASKED:
            self.trouble = f"it sent more than {_UNASKED} messages in {_WINDOW_S:g} seconds that nobody asked for"
        return bool(self.trouble)


def _message(line: bytes) -> SessionMessage | None:
    try:
        return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValueError:
        return None


async def _ended(process: asyncio.subprocess.Process, seconds: float) -> bool:
    """Whether it ends in time. `wait` would also wait for pipes that a grandchild holds open."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while process.returncode is None:
        if loop.time() >= until:
            return False
        await asyncio.sleep(0.01)
    return True


def _close(process: asyncio.subprocess.Process) -> None:
    """Close the pipes, which a grandchild that left the group may hold open."""
    transport = getattr(process, "_transport", None)
    if transport is not None:
        transport.close()
