"""A small HTTP server on this machine and in the test's own event loop, for tests of tools and clients."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A request as it arrived; header names are lower-case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What to answer. A body that is an iterator is sent in chunks; `cut` ends the connection without an answer."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | AsyncIterator[bytes] = b""
    cut: bool = False


Handler = Callable[[Received], Reply | Awaitable[Reply]]


class LoopbackServer:
    """Answers with what `handler` says while its ``async with`` block lasts, and remembers what it was asked."""

    def __init__(self, handler: Handler, *, host: str = "127.0.0.1", ssl_context: ssl.SSLContext | None = None) -> None:
        self._handler = handler
        self._host = host
        self._ssl = ssl_context
        self._tasks: set[asyncio.Task[None]] = set()
        self.requests: list[Received] = []
        self.connections = 0
        self.port = 0

    @property
    def url(self) -> str:
        """The address of the server, without a trailing slash."""
        return f"{'https' if self._ssl else 'http'}://{self._host}:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, self._host, 0, ssl=self._ssl)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has gone, or the test is over
        finally:
            self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ", 2)
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])
        }
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        received = Received(method=method, target=target, headers=headers, body=body)
        self.requests.append(received)
        answer = self._handler(received)
        reply = await answer if inspect.isawaitable(answer) else answer
        if reply.cut:
            return False
        await _write(writer, reply, with_body=method != "HEAD")
        return True


async def _write(writer: asyncio.StreamWriter, reply: Reply, *, with_body: bool) -> None:
    body = reply.body
    framing = {"content-length": str(len(body))} if isinstance(body, bytes) else {"transfer-encoding": "chunked"}
    headers = "".join(f"{name}: {value}\r\n" for name, value in (framing | dict(reply.headers)).items())
    writer.write(f"HTTP/1.1 {reply.status} Reply\r\n{headers}\r\n".encode("latin-1"))
    if with_body and isinstance(body, bytes):
        writer.write(body)
    elif with_body and not isinstance(body, bytes):
        async for part in body:
            writer.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            await writer.drain()
        writer.write(b"0\r\n\r\n")
    await writer.drain()
