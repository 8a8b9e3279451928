"""A conversation as data, with the calls of tools in it, as messages for a model.

Each entry is ``{"role": "system" | "user" | "assistant" | "tool", "content": text or parts}``; an assistant's may have ``calls`` (``id``,
``name``, ``arguments`` as JSON text), a tool's has the ``call_id`` that it answers. A part is ``{"text"}`` or ``{"data", "media_type"}``, the
bytes in base64.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic_ai.messages import (
    BinaryContent,
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)

from weft.core.errors import InputError


def as_messages(entries: Sequence[Mapping[str, Any]], at: datetime) -> list[ModelMessage]:
    """The messages that `entries` are, said `at` a time.

    Raises:
        InputError: a tool answers a call that nobody made, or a part cannot be read.
    """
    messages: list[ModelMessage] = []
    names: dict[str, str] = {}
    asked: list[ModelRequestPart] = []
    for entry in entries:
        if entry["role"] != "assistant":
            asked.append(_asked(entry, names, at))
            continue
        if asked:
            messages.append(ModelRequest(parts=asked))
            asked = []
        names |= {one["id"]: one["name"] for one in entry.get("calls") or ()}
        messages.append(ModelResponse(parts=_answered(entry), timestamp=at))
    if asked:
        messages.append(ModelRequest(parts=asked))
    return messages


def _asked(entry: Mapping[str, Any], names: Mapping[str, str], at: datetime) -> ModelRequestPart:
    content = entry.get("content") or ""
    match entry["role"]:
        case "system":
            return SystemPromptPart(_text(content), timestamp=at)
        case "tool":
            call = str(entry.get("call_id") or "")
            if call not in names:
                raise InputError(
                    f"a tool answers the call {call!r}, which nobody made",
                    fix="send the assistant's message with that call before it",
                )
            return ToolReturnPart(tool_name=names[call], content=_text(content), tool_call_id=call, timestamp=at)
        case _:
            said = content if isinstance(content, str) else [_content(part) for part in content]
            return UserPromptPart(said, timestamp=at)


def _answered(entry: Mapping[str, Any]) -> list[ModelResponsePart]:
    text = _text(entry.get("content") or "")
    parts: list[ModelResponsePart] = [TextPart(text)] if text else []
    calls = entry.get("calls") or ()
    return [*parts, *(ToolCallPart(one["name"], one["arguments"], tool_call_id=one["id"]) for one in calls)]


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(str(part.get("text", "")) for part in content)


def _content(part: Mapping[str, Any]) -> UserContent:
    if "data" not in part:
        return str(part.get("text", ""))
    try:
        data = base64.b64decode(part["data"], validate=True)
    except (binascii.Error, ValueError):
        raise InputError("a part of a message is not base64", fix="encode its bytes as base64") from None
    return BinaryContent(data, media_type=str(part["media_type"]))
