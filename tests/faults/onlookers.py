"""Those who follow a service's streams, by the thousand in one event loop, and those who ask for a stream and then do not read it."""

from __future__ import annotations

import asyncio
import resource
import socket
from contextlib import suppress
from pathlib import Path

from tests.processes import Started

_SPARE = 300
"""Files that tests and a service have open besides."""
_LINE = 2**23


def places(wanted: int, process: Started) -> int:
    """How many connections this process and that one may have between them: what is wanted, or as many as the machine allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted + _SPARE if hard == resource.RLIM_INFINITY else min(wanted + _SPARE, hard)
    for pid in (0, process.pid):
        soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        if soft not in {resource.RLIM_INFINITY, *range(most, soft + 1)}:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, hard))
    return most - _SPARE


def begin_anew(process: Started) -> int:
    """What memory the process has now (bytes); the most that it has had is counted from here on."""
    with suppress(OSError):
        Path(f"/proc/{process.pid}/clear_refs").write_text("5")
    return most_memory(process)


def most_memory(process: Started) -> int:
    """The most memory that it has had (bytes)."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def descriptors(process: Started) -> int:
    """How many files and connections it has open."""
    return len(list(Path(f"/proc/{process.pid}/fd").iterdir()))


def request(path: str) -> bytes:
    """What asks for a stream."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()


class Onlooker:
    """One who reads everything as it comes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def come(cls, port: int, path: str) -> Onlooker:
        """Ask for a stream; return when the answer has begun."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=_LINE)
        writer.write(request(path))
        head = await reader.readuntil(b"\r\n\r\n")
        assert b" 200 " in head.split(b"\r\n")[0], head
        return cls(reader, writer)

    async def to_the_end(self) -> list[bytes]:
        """The names of the events that are still to come."""
        try:
            lines = [line async for line in self._reader if line.startswith(b"event: ")]
        finally:
            self._writer.close()
        return [line.removeprefix(b"event: ").strip() for line in lines]


class Stalled:
    """One who asks for a stream, through the smallest window that there is, and does not read what comes."""

    def __init__(self, port: int, path: str) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
        self._socket.settimeout(30)
        self._socket.connect(("127.0.0.1", port))
        self._socket.sendall(request(path))
        self._begun = self._socket.recv(12)
        assert self._begun == b"HTTP/1.1 200"

    async def read_on(self) -> list[bytes]:
        """Begin to read after all."""
        reader, writer = await asyncio.open_connection(sock=self._socket, limit=_LINE)
        await reader.readuntil(b"\r\n\r\n")
        return await Onlooker(reader, writer).to_the_end()

    def close(self) -> None:
        """Go away."""
        self._socket.close()
