"""Bedrock Converse, with the binary framing of AWS event streams."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote
from zlib import crc32

from weft.testing.providers.script import Request, Turn
from weft.testing.providers.wire import call_ids, encode, last_text, pieces, tokens

_EXCEPTIONS = {
    400: "ValidationException",
    401: "UnrecognizedClientException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    503: "ServiceUnavailableException",
}
_STRING = 7


class Bedrock:
    """``POST /model/ID/converse`` and ``/converse-stream``."""

    content_type = "application/json"
    stream_type = "application/vnd.amazon.eventstream"

    def model(self, path: str, body: Any) -> str:  # noqa: ARG002 -- part of the interface
        """From the path."""
        return unquote(path.partition("/model/")[2].partition("/")[0])

    def streams(self, path: str, body: Any) -> bool:  # noqa: ARG002 -- part of the interface
        """By the path."""
        return path.endswith("/converse-stream")

    def prompt(self, body: Any) -> str:
        """The last message."""
        return last_text(body.get("messages"))

    def answer(self, turn: Turn, request: Request) -> Any:
        """A ``ConverseResponse``."""
        content: list[dict[str, Any]] = [{"text": turn.text}] if turn.text or not turn.calls else []
        content += [
            {"toolUse": {"toolUseId": id_, "name": call.name, "input": dict(call.arguments)}}
            for id_, call in zip(call_ids(turn, request, "tooluse_"), turn.calls, strict=True)
        ]
        message = {"role": "assistant", "content": content}
        return {"output": {"message": message}, "stopReason": _stop(turn), **_metadata(turn, request)}

    def stream(self, turn: Turn, request: Request) -> list[bytes]:
        """Binary frames from ``messageStart`` to ``metadata``."""
        frames = [frame("messageStart", {"role": "assistant"})]
        place = 0
        if turn.text:
            frames += [
                frame("contentBlockDelta", {"delta": {"text": piece}, "contentBlockIndex": place})
                for piece in pieces(turn.text)
            ]
            frames.append(frame("contentBlockStop", {"contentBlockIndex": place}))
            place += 1
        for id_, call in zip(call_ids(turn, request, "tooluse_"), turn.calls, strict=True):
            start = {"toolUse": {"toolUseId": id_, "name": call.name}}
            frames.append(frame("contentBlockStart", {"start": start, "contentBlockIndex": place}))
            frames += [
                frame("contentBlockDelta", {"delta": {"toolUse": {"input": piece}}, "contentBlockIndex": place})
                for piece in pieces(encode(dict(call.arguments)).decode())
            ]
            frames.append(frame("contentBlockStop", {"contentBlockIndex": place}))
            place += 1
        return [
            *frames,
            frame("messageStop", {"stopReason": _stop(turn)}),
            frame("metadata", _metadata(turn, request)),
        ]

    def error(self, turn: Turn, request: Request) -> tuple[Any, Mapping[str, str]]:
        """A message; the class of the error is in a header."""
        kind = _EXCEPTIONS.get(turn.status, "InternalServerException")
        return {"message": turn.text}, {"x-amzn-ErrorType": kind, "x-amzn-RequestId": f"req-{request.number}"}


def frame(event_type: str, payload: Any) -> bytes:
    """One message of an AWS event stream: prelude and checksum, headers, JSON payload, checksum."""
    body = encode(payload)
    headers = b"".join(
        _header(name, value)
        for name, value in (
            (":event-type", event_type),
            (":content-type", "application/json"),
            (":message-type", "event"),
        )
    )
    prelude = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    message = prelude + struct.pack(">I", crc32(prelude)) + headers + body
    return message + struct.pack(">I", crc32(message))


def _header(name: str, value: str) -> bytes:
    key, data = name.encode(), value.encode()
    return struct.pack(">B", len(key)) + key + struct.pack(">BH", _STRING, len(data)) + data


def _stop(turn: Turn) -> str:
    return turn.finish or ("tool_use" if turn.calls else "end_turn")


def _metadata(turn: Turn, request: Request) -> dict[str, Any]:
    used, made = tokens(turn, request)
    usage = {"inputTokens": used, "outputTokens": made, "totalTokens": used + made}
    return {"usage": usage, "metrics": {"latencyMs": 1}}
