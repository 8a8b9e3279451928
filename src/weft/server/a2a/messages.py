"""Messages of A2A: what a client says, as text and values, and what we say, as parts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from a2a.types import a2a_pb2
from a2a.utils.errors import ContentTypeNotSupportedError, InvalidParamsError
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.struct_pb2 import Value

from weft.core.numbers import whole

INPUT_MODES = ("text/plain", "text/markdown", "application/json")
OUTPUT_MODES = ("text/plain", "application/json", "application/octet-stream")
MAX_PARTS, MAX_ID = 100, 200


@dataclass(frozen=True, slots=True)
class Heard:
    """What a message says: its text, and values by name."""

    text: str
    values: Mapping[str, Any] = field(default_factory=dict)


def check(message: a2a_pb2.Message, *, any_mode: bool) -> None:
    """Hold a message to what it must have. With `any_mode`, its parts may have any media type that is known to the world.

    Raises:
        InvalidParamsError: something is missing, or there is too much of it.
        ContentTypeNotSupportedError: a part has a media type that no agent here takes.
    """
    wrong = []
    if not message.message_id or len(message.message_id) > MAX_ID:
        wrong.append(("message.messageId", f"it has 1 to {MAX_ID} characters"))
    if message.role != a2a_pb2.ROLE_USER:
        wrong.append(("message.role", "a client says ROLE_USER"))
    if not 0 < len(message.parts) <= MAX_PARTS:
        wrong.append(("message.parts", f"there are 1 to {MAX_PARTS}"))
    wrong += [
        (f"message.{name}", f"it has at most {MAX_ID} characters")
        for name in ("context_id", "task_id")
        if len(getattr(message, name)) > MAX_ID
    ]
    wrong += [
        (f"message.parts[{place}]", "it has text, raw, url or data")
        for place, part in enumerate(message.parts)
        if part.WhichOneof("content") is None
    ]
    if wrong:
        first = f"{wrong[0][0]}: {wrong[0][1]}"
        raise InvalidParamsError(
            message=f"the message does not fit: {first}",
            data={"errors": [{"field": name, "message": text} for name, text in wrong]},
        )
    for part in message.parts:
        _check_mode(part, any_mode=any_mode)


def _check_mode(part: a2a_pb2.Part, *, any_mode: bool) -> None:
    mode = _mode(part)
    # A type that somebody made up for themselves is one that nobody else can take, whatever else they take.
    taken = "/x-" not in mode if any_mode else mode in INPUT_MODES
    if not taken:
        raise ContentTypeNotSupportedError(
            message=f"parts of the type {mode[:100]!r} are not taken; taken are {', '.join(INPUT_MODES)}"
        )


def _mode(part: a2a_pb2.Part) -> str:
    said = part.media_type.partition(";")[0].strip().lower()
    usual = {"text": "text/plain", "data": "application/json"}
    return said or usual.get(part.WhichOneof("content") or "", "application/octet-stream")


def heard(message: a2a_pb2.Message, declared: Iterable[str]) -> Heard:
    """What `message` says to something with the `declared` inputs: data of those names are values, the rest is text."""
    names = frozenset(declared)
    texts: list[str] = []
    values: dict[str, Any] = {}
    for part in message.parts:
        data = _data(part)
        if isinstance(data, dict) and data and data.keys() <= names:
            values |= data
        elif data is not None:
            texts.append(json.dumps(data, ensure_ascii=False))
        else:
            texts.append(_text(part))
    return Heard("\n\n".join(text for text in texts if text), values)


def _data(part: a2a_pb2.Part) -> Any:
    match part.WhichOneof("content"):
        case "data":
            return whole(MessageToDict(part.data))
        case "raw" if _mode(part) == "application/json":
            try:
                return json.loads(part.raw)
            except (ValueError, RecursionError):
                return None
        case _:
            return None


def _text(part: a2a_pb2.Part) -> str:
    match part.WhichOneof("content"):
        case "text":
            return str(part.text)
        case "url":
            return str(part.url)
        case "raw" if _mode(part) in INPUT_MODES or _mode(part).startswith("text/"):
            return part.raw.decode("utf-8", "replace")
        case _:
            return f"[a file: {part.filename or _mode(part)}]"


def text_part(text: str) -> a2a_pb2.Part:
    """`text` as a part."""
    return a2a_pb2.Part(text=text, media_type="text/plain")


def data_part(data: Any) -> a2a_pb2.Part:
    """`data` as a part."""
    value = Value()
    try:
        ParseDict(_plain(data), value)
    except ParseError:  # nested deeper than the wire format may be
        return text_part(json.dumps(data, ensure_ascii=False))
    return a2a_pb2.Part(data=value, media_type="application/json")


def file_part(name: str, content: bytes, media_type: str) -> a2a_pb2.Part:
    """A file as a part."""
    return a2a_pb2.Part(raw=content, filename=name, media_type=media_type)


def _plain(data: Any) -> Any:
    return json.loads(json.dumps(data))


def agent_message(
    key: str, parts: Iterable[a2a_pb2.Part], *, task: str = "", context: str = "", extension: str = ""
) -> a2a_pb2.Message:
    """Something that we say; `key` makes its id, so that it is the same whenever it is told again."""
    return a2a_pb2.Message(
        message_id=key[:MAX_ID],
        role=a2a_pb2.ROLE_AGENT,
        parts=list(parts),
        task_id=task,
        context_id=context,
        extensions=[extension] if extension else [],
    )
