"""Reading a stream of Server-Sent Events over as many connections as it takes, without any input or output of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import httpx2

from weft.client.exchange import wait
from weft.client.refusals import refusal, unreachable
from weft.core.errors import MismatchError, TransientError, WeftError

ENDS = frozenset({"run.completed", "run.failed", "run.cancelled"})
DELTA = "delta"
SILENCE_S = 50.0
"""The service says something every 15 seconds; after so long without a word, the connection is broken."""
_LONGEST = 33_554_432
_PATIENCE = 24
"""Failures in a row after which a stream is given up: a minute or more."""
_EMPTY = 2


@dataclass(frozen=True, slots=True)
class Envelope:
    """One message of a stream.

    `type` is an event's kind, such as ``step.completed``, or ``delta`` for streamed text. `seq` is the number of the event in
    its run's journal; `at` is in microseconds since the epoch. `id` is where a stream goes on after it, if it can.
    """

    seq: int
    topic: str
    type: str
    at: int
    data: Any
    id: str = ""

    @property
    def delta(self) -> bool:
        """Whether it is streamed text, which is no history."""
        return self.type == DELTA


@dataclass(slots=True)
class Reading:
    """The state of a stream: what came last, what is half read, and how often it broke since anything came.

    With `ends`, it is over with the last event of its run.
    """

    base: str
    ends: bool
    last: str = ""
    over: bool = False
    _text: bytearray = field(default_factory=bytearray)
    _id: str = ""
    _data: list[str] = field(default_factory=list)
    _failures: int = 0
    _silent: int = 0
    _heard: bool = False

    @property
    def headers(self) -> dict[str, str]:
        """What the next connection asks for."""
        return {"Accept": "text/event-stream"} | ({"Last-Event-ID": self.last} if self.last else {})

    def begin(self) -> None:
        """A connection is there: what was half read is of another one."""
        self._text.clear()
        self._data.clear()
        self._id, self._heard = "", False

    def feed(self, chunk: bytes) -> list[Envelope]:
        """The messages that are whole with this chunk.

        Raises:
            MismatchError: it is no stream of envelopes.
        """
        self._text += chunk
        if len(self._text) > _LONGEST:
            raise MismatchError("a line of the stream is longer than anybody reads", fix="check the address")
        *lines, rest = bytes(self._text).replace(b"\r\n", b"\n").split(b"\n")
        self._text = bytearray(rest)
        found = [envelope for line in lines if (envelope := self._line(line.decode(errors="replace"))) is not None]
        if found:
            self._heard, self._failures, self._silent = True, 0, 0
        return found

    def refused(self, status: int, headers: httpx2.Headers, content: bytes) -> float:
        """How long to wait after an answer without success.

        Raises:
            WeftError: waiting does not help.
        """
        error = refusal(status, headers, content)
        if not isinstance(error, TransientError):
            raise error
        return self._again(error)

    def broke(self, error: httpx2.TransportError | None) -> float | None:
        """How long to wait after a connection has ended, by an error or by itself; None when the stream is over.

        Raises:
            WeftError: it has broken too often.
        """
        if error is not None:
            return self._again(unreachable(self.base, error))
        # A service that stops ends its streams; one that has no more to say of a run does so again at once.
        self._silent = 0 if self._heard else self._silent + 1
        if self.over or (self.ends and self._silent >= _EMPTY):
            return None
        return wait(self._silent)

    def _again(self, error: WeftError) -> float:
        self._failures += 1
        if self._failures > _PATIENCE:
            raise error
        return wait(self._failures - 1, error)

    def _line(self, line: str) -> Envelope | None:
        if not line:
            return self._message()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "id":
            self._id = value
        return None

    def _message(self) -> Envelope | None:
        data, id_ = "\n".join(self._data), self._id
        self._data.clear()
        self._id = ""
        if not data:
            return None
        try:
            read = json.loads(data)
            envelope = Envelope(
                int(read["seq"]), str(read["topic"]), str(read["type"]), int(read["at"]), read["data"], id_
            )
        except (ValueError, RecursionError, KeyError, TypeError) as error:
            raise MismatchError("the stream sends what this client does not know", fix="check the address") from error
        self.last = id_ or self.last
        self.over = self.over or (self.ends and envelope.type in ENDS)
        return envelope
