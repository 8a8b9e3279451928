"""The HTTP protocol on the wire, with an end to waiting: a client that says nothing, or says it too slowly, is let go of."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from weft.core.errors import InputError, StepTimeoutError, TransientError, WeftError
from weft.core.settings_model import Server
from weft.server.problems import MEDIA_TYPE, problem


class GuardedProtocol(H11Protocol):
    """A connection on which the head of a request has to arrive within `head_s` seconds, the first one included; one of `most`.

    The server has a limit for idle connections, but every byte that trickles in starts it anew. The body of a request has a limit of
    its own where it is read; what comes in after an answer is given counts as the head of the next request.
    """

    head_s: float = 30.0
    most: int = 8_192

    def __init__(self, *args: Any, **rest: Any) -> None:
        super().__init__(*args, **rest)
        self._late: asyncio.TimerHandle | None = None
        self._heard = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the server has it
        """Begin to wait for the first request, unless there are too many connections already."""
        super().connection_made(transport)
        if len(self.connections) > self.most:
            fix = "ask again in a moment, or raise the setting server.connections"
            self._refuse(TransientError("the service has too many connections", fix=fix), 503)
            return
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._rest()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take in what has come, and see whether a request is there now."""
        self._heard = True
        super().data_received(data)
        self._watch()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, in the form of all our errors."""
        self._refuse(InputError(msg.rstrip("."), fix="send HTTP/1.1 with a head of at most 64 KiB"), 400)

    def _watch(self) -> None:
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:
            self._rest()
            self._heard = False
        elif self._late is None and not self.transport.is_closing():
            self._late = self.loop.call_later(self.head_s, self._give_up)

    def _rest(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _give_up(self) -> None:
        self._late = None
        if self._heard and self.conn.our_state is h11.IDLE:
            self._refuse(StepTimeoutError(f"the request did not arrive within {self.head_s:g} seconds"), 408)
        self.transport.close()

    def _refuse(self, error: WeftError, status: int) -> None:
        body = json.dumps(problem(error, status=status)).encode()
        headers = [("content-type", MEDIA_TYPE), ("content-length", str(len(body))), ("connection", "close")]
        try:
            head = self.conn.send(h11.Response(status_code=status, headers=headers, reason=b""))
            self.transport.write(head + (self.conn.send(h11.Data(data=body)) or b""))
        except h11.LocalProtocolError:
            pass  # an answer is under way: its end is all that can be said
        self.transport.close()


def guarded(settings: Server) -> type[GuardedProtocol]:
    """The protocol with the limits of the settings."""

    class Guarded(GuardedProtocol):
        head_s = settings.request_s
        most = settings.connections

    return Guarded
