"""The HTTP protocol on the wire, with an end to waiting: a client that says nothing, or says it too slowly, is let go of."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from weft.core.errors import InputError, StepTimeoutError, TransientError, WeftError
from weft.core.settings_model import Server
from weft.server.problems import MEDIA_TYPE, problem

_HEAD = 65_536
"""Bytes of a head; also of what may come in a body without being any of it (framing, fields at its end)."""
_READ = 65_536
_AHEAD = 32
"""Requests that may be sent on a connection before the first of them is answered."""


class GuardedProtocol(HttpToolsProtocol):
    """A connection on which the head of a request has to arrive within `head_s` seconds, the first one included; one of `most`.

    The server has a limit for idle connections, but every byte that trickles in starts it anew. The body of a request has a limit of
    its own where it is read; what comes in after an answer is given counts as the head of the next request. The parser keeps what is
    not whole yet, however long it grows: that is bounded here.
    """

    head_s: float = 30.0
    most: int = 8_192

    def __init__(self, *args: Any, **rest: Any) -> None:
        super().__init__(*args, **rest)
        self._late: asyncio.TimerHandle | None = None
        self._in_head = False
        self._pending = 0
        """Bytes that have come since the last thing that was whole."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the server has it
        """Begin to wait for the first request, unless there are too many connections already."""
        super().connection_made(transport)
        if hasattr(transport, "max_size"):
            # Room for more is had anew from the system at each read, which takes longer than all else about a small request.
            transport.max_size = _READ
        if len(self.connections) > self.most:
            fix = "ask again in a moment, or raise the setting server.connections"
            self._refuse(
                TransientError("the service has too many connections", fix=fix), HTTPStatus.SERVICE_UNAVAILABLE
            )
            return
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._rest()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take in what has come, and see whether a request is there now."""
        self._pending += len(data)
        super().data_received(data)
        if self._pending > _HEAD and not self.transport.is_closing():
            self.send_400_response("the head of the request is too long")
        self._watch()

    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field of a head; those behind a body come when everybody has read the head, and are dropped."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """A head is whole."""
        self._in_head, self._pending = False, 0
        size, named = len(self.url), False
        for name, value in self.headers:
            size += len(name) + len(value)
            named = named or name == b"host"
            if name == b"transfer-encoding" and value.lower() != b"chunked":
                raise ValueError(value)  # the parser makes a refusal of it
        version = self.parser.get_http_version()
        if size > _HEAD or len(self.pipeline) >= _AHEAD or not (version == "1.0" or (version == "1.1" and named)):
            raise ValueError(version)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        self._pending = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is whole."""
        self._pending = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, in the form of all our errors."""
        fix = "send HTTP/1.1 with a head of at most 64 KiB"
        self._refuse(InputError(msg.rstrip("."), fix=fix), HTTPStatus.BAD_REQUEST)

    def _answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _watch(self) -> None:
        if self._answering():
            self._rest()
        elif self._late is None and not self.transport.is_closing():
            self._late = self.loop.call_later(self.head_s, self._give_up)

    def _rest(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _give_up(self) -> None:
        self._late = None
        if self._in_head:
            late = StepTimeoutError(f"the request did not arrive within {self.head_s:g} seconds")
            self._refuse(late, HTTPStatus.REQUEST_TIMEOUT)
        self.transport.close()

    def _refuse(self, error: WeftError, status: HTTPStatus) -> None:
        begun = self._answering() and (self.cycle.response_started or self.pipeline)
        if not begun:  # while an answer is under way, its end is all that can be said
            body = json.dumps(problem(error, status=status)).encode()
            head = f"HTTP/1.1 {status} {status.phrase}\r\ncontent-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}"
            self.transport.write(f"{head}\r\nconnection: close\r\n\r\n".encode() + body)
        self.transport.close()


def guarded(settings: Server) -> type[GuardedProtocol]:
    """The protocol with the limits of the settings."""

    class Guarded(GuardedProtocol):
        head_s = settings.request_s
        most = settings.connections

    return Guarded
