"""Scripts: what a fake provider answers, turn by turn, and what it remembers of each request."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that the model asks for."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One answer, or one way to fail.

    `delay_s` passes before the first byte and `pause_s` between the pieces of a stream. `status` of 400 and above makes it an
    error in the provider's own form; `raw` is sent as it is instead of an answer. With `cut_after`, the connection breaks
    after so many pieces of a stream (or in the middle of a plain body); with `silent`, nothing is ever sent.
    """

    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    input_tokens: int | None = None
    output_tokens: int | None = None
    finish: str | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    cut_after: int | None = None
    silent: bool = False
    delay_s: float = 0.0
    pause_s: float = 0.0


def say(text: str, **rest: Any) -> Turn:
    """Answer with `text`."""
    return Turn(text=text, **rest)


def call(name: str, arguments: Mapping[str, Any] | None = None, **rest: Any) -> Turn:
    """Ask for one tool call."""
    return Turn(calls=(ToolCall(name, arguments or {}),), **rest)


def calls(*wanted: ToolCall, **rest: Any) -> Turn:
    """Ask for several tool calls at once."""
    return Turn(calls=wanted, **rest)


def fail(status: int, message: str = "scripted failure", *, retry_after: str | None = None, **rest: Any) -> Turn:
    """Answer with an HTTP error in the provider's own form."""
    headers = {"Retry-After": retry_after} if retry_after is not None else {}
    return Turn(text=message, status=status, headers=headers, **rest)


def garbage(body: bytes = b"<html>this is no model</html>", **rest: Any) -> Turn:
    """Answer 200 with a body that nobody can read."""
    return Turn(raw=body, **rest)


def half(text: str = "one two three four five six", *, after: int = 3, **rest: Any) -> Turn:
    """Break the connection after a few pieces of the stream, or in the middle of a plain body."""
    return Turn(text=text, cut_after=after, **rest)


def hang() -> Turn:
    """Take the request and never answer."""
    return Turn(silent=True)


def slow(turn: Turn, seconds: float) -> Turn:
    """The same turn, later."""
    return replace(turn, delay_s=seconds)


@dataclass(frozen=True, slots=True)
class Request:
    """A request as the fake saw it. Header names are in lower case; `body` is the decoded JSON."""

    number: int
    method: str
    target: str
    headers: Mapping[str, str]
    body: Any
    stream: bool = False
    model: str = ""
    prompt: str = ""
    """The last text that the user or a tool sent."""

    @property
    def path(self) -> str:
        """The target without its query."""
        return urlsplit(self.target).path

    @property
    def query(self) -> Mapping[str, list[str]]:
        """The parameters of the target."""
        return parse_qs(urlsplit(self.target).query)

    @property
    def text(self) -> str:
        """The body as JSON text, to search in."""
        return json.dumps(self.body, ensure_ascii=False)


Brain = Callable[[Request], Turn]
"""A function that answers requests."""


class Script:
    """Turns in order; the last one is repeated for whatever comes after it.

    `strict` answers 500 instead when more requests come than were scripted.
    """

    def __init__(self, *turns: Turn, strict: bool = False) -> None:
        self._turns: Sequence[Turn] = turns or (say("ok"),)
        self._strict = strict
        self._next = 0

    def __call__(self, request: Request) -> Turn:
        """The turn for the next request."""
        place, self._next = self._next, self._next + 1
        if place < len(self._turns):
            return self._turns[place]
        if self._strict:
            return fail(500, f"request {request.number} was not scripted")
        return self._turns[-1]
