"""The wire formats: how each provider writes an answer, a stream of one, and an error."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from weft.testing.providers.script import Request, Turn


class Wire(Protocol):
    """One provider's format, without the HTTP around it."""

    content_type: str
    stream_type: str

    def model(self, path: str, body: Any) -> str:
        """The model that the request names."""
        ...

    def streams(self, path: str, body: Any) -> bool:
        """Whether the request asks for a stream."""
        ...

    def prompt(self, body: Any) -> str:
        """The last text that the user or a tool sent."""
        ...

    def answer(self, turn: Turn, request: Request) -> Any:
        """The whole answer, as JSON."""
        ...

    def stream(self, turn: Turn, request: Request) -> list[bytes]:
        """The answer in frames."""
        ...

    def error(self, turn: Turn, request: Request) -> tuple[Any, Mapping[str, str]]:
        """The body, as JSON, and the further headers of an error; the message is the turn's text."""
        ...


def encode(value: Any) -> bytes:
    """Compact JSON."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # Half a surrogate pair has a form in JSON, and none in UTF-8.
    return re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text).encode()


def event(data: Any, *, name: str | None = None) -> bytes:
    """One server-sent event."""
    head = b"event: %s\n" % name.encode() if name else b""
    return head + b"data: " + (data if isinstance(data, bytes) else encode(data)) + b"\n\n"


def pieces(text: str) -> list[str]:
    """`text` in words, white space kept: what a stream sends one after the other."""
    return re.findall(r"\S+\s*|\s+", text)


def call_ids(turn: Turn, request: Request, prefix: str) -> list[str]:
    """Ids for the calls of a turn: their own, or made of the request's number and their place."""
    return [call.id or f"{prefix}{request.number}_{place}" for place, call in enumerate(turn.calls)]


def tokens(turn: Turn, request: Request) -> tuple[int, int]:
    """Input and output tokens: as scripted, or a quarter of the characters."""
    used = turn.input_tokens if turn.input_tokens is not None else max(1, len(request.text) // 4)
    spoken = turn.text + "".join(call.name + json.dumps(dict(call.arguments)) for call in turn.calls)
    made = turn.output_tokens if turn.output_tokens is not None else max(1, len(spoken) // 4)
    return used, made


def last_text(messages: Any, *, key: str = "content") -> str:
    """The text of the last message, whatever its parts are called."""
    if not isinstance(messages, Sequence) or isinstance(messages, str) or not messages:
        return messages if isinstance(messages, str) else ""
    last = messages[-1]
    return "\n".join(_texts(last.get(key, last) if isinstance(last, Mapping) else last))


def _texts(value: Any) -> list[str]:
    if isinstance(value, str | int | float):
        return [str(value)]
    if isinstance(value, Mapping):
        named = [value[name] for name in ("text", "content", "output", "toolResult", "response") if name in value]
        return [text for inner in named or value.values() for text in _texts(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in _texts(inner)]
    return []
