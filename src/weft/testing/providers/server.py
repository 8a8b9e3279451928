"""A small HTTP/1.1 server on a loopback port: keep-alive, chunked answers, connections that break on demand."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

MAX_BODY = 64 * 1024 * 1024
_REASONS = {200: b"OK", 400: b"Bad Request", 401: b"Unauthorized", 404: b"Not Found", 429: b"Too Many Requests"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What is sent back: one body, or `frames` in chunks when `chunked`.

    With `cut`, the connection is closed after what is there, without the end that HTTP asks for. `silent` sends nothing.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    frames: Sequence[bytes] = ()
    chunked: bool = False
    cut: bool = False
    silent: bool = False
    delay_s: float = 0.0
    pause_s: float = 0.0


Handler = Callable[[str, str, Mapping[str, str], bytes], Reply]
"""Takes method, target, headers (lower case) and body."""


class ThreadedServer:
    """Serves `handler` from a thread with an event loop of its own, so that blocking clients may share the process.

    `weft.testing.loopback` has a server for the test's own loop, with TLS and handlers that await.
    """

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="fake-provider", daemon=True)
        self._started = threading.Event()
        self._connections: set[_Connection] = set()
        self.port = 0
        self.accepted = 0

    def start(self) -> None:
        """Bind a free port and begin to serve."""
        self._thread.start()
        self._started.wait(10)

    def stop(self) -> None:
        """Close every connection and end the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _accept(self) -> _Connection:
        self.accepted += 1
        return _Connection(self._handler, self._connections)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(self._loop.create_server(self._accept, "127.0.0.1", 0, backlog=1024))
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        try:
            self._loop.run_forever()
        finally:
            server.close()
            for connection in list(self._connections):
                connection.abort()
            # One more turn lets the transports say goodbye before their loop is gone.
            self._loop.run_until_complete(asyncio.sleep(0))
            self._loop.close()


class _Connection(asyncio.Protocol):
    """One client connection; requests on it are answered in turn."""

    def __init__(self, handler: Handler, connections: set[_Connection]) -> None:
        self._handler = handler
        self._connections = connections
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._busy = False
        self._head: tuple[str, str, dict[str, str], int] | None = None
        self._timers: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- part of the interface
        self._connections.discard(self)
        self._transport = None
        for timer in self._timers:
            timer.cancel()

    def abort(self) -> None:
        """Drop the connection at once."""
        for timer in self._timers:
            timer.cancel()
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._advance()

    def _advance(self) -> None:
        while not self._busy and self._transport is not None:
            if self._head is None and not self._read_head():
                return
            assert self._head is not None
            method, target, headers, length = self._head
            body = self._read_chunks() if length < 0 else self._read_exactly(length)
            if body is None:
                return
            self._head = None
            self._send(self._handler(method, target, headers, body))

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        lines = bytes(self._buffer[:end]).decode("latin-1").split("\r\n")
        del self._buffer[: end + 4]
        method, target, _ = lines[0].split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        chunked = "chunked" in headers.get("transfer-encoding", "")
        length = -1 if chunked else int(headers.get("content-length", "0"))
        if length > MAX_BODY:
            self.abort()
            return False
        self._head = (method, target, headers, length)
        return True

    def _read_exactly(self, length: int) -> bytes | None:
        if len(self._buffer) < length:
            return None
        body = bytes(self._buffer[:length])
        del self._buffer[:length]
        return body

    def _read_chunks(self) -> bytes | None:
        body, place = bytearray(), 0
        while True:
            line = self._buffer.find(b"\r\n", place)
            if line < 0:
                return None
            size = int(bytes(self._buffer[place:line]).split(b";")[0], 16)
            if len(self._buffer) < line + 2 + size + 2:
                return None
            body += self._buffer[line + 2 : line + 2 + size]
            place = line + 2 + size + 2
            if size == 0:
                del self._buffer[:place]
                return bytes(body)

    def _send(self, reply: Reply) -> None:
        if reply.silent:
            self._busy = True
        elif reply.delay_s or reply.pause_s:
            self._busy = True
            timer = asyncio.get_running_loop().create_task(self._send_slowly(reply))
            self._timers.add(timer)
            timer.add_done_callback(self._timers.discard)
        else:
            self._write(_head(reply) + b"".join(_frames(reply)))
            self._finish(reply)

    async def _send_slowly(self, reply: Reply) -> None:
        await asyncio.sleep(reply.delay_s)
        self._write(_head(reply))
        for frame in _frames(reply):
            self._write(frame)
            await asyncio.sleep(reply.pause_s)
        self._busy = False
        self._finish(reply)
        self._advance()

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _finish(self, reply: Reply) -> None:
        if reply.cut and self._transport is not None:
            self._transport.close()


def _head(reply: Reply) -> bytes:
    reason = _REASONS.get(reply.status, b"Status")
    lines = [b"HTTP/1.1 %d %s" % (reply.status, reason)]
    lines += [f"{name}: {value}".encode("latin-1") for name, value in reply.headers.items()]
    if reply.chunked:
        lines.append(b"transfer-encoding: chunked")
    else:
        size = sum(map(len, reply.frames))
        lines.append(b"content-length: %d" % (size * 2 if reply.cut else size))
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _frames(reply: Reply) -> list[bytes]:
    if not reply.chunked:
        return list(reply.frames)
    chunks = [b"%x\r\n%s\r\n" % (len(frame), frame) for frame in reply.frames if frame]
    return chunks if reply.cut else [*chunks, b"0\r\n\r\n"]
