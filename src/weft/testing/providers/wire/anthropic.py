"""Anthropic Messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weft.testing.providers.script import Request, Turn
from weft.testing.providers.wire import call_ids, encode, event, last_text, pieces, tokens

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


class Anthropic:
    """``POST /v1/messages``."""

    content_type = "application/json"
    stream_type = "text/event-stream; charset=utf-8"

    def model(self, path: str, body: Any) -> str:  # noqa: ARG002 -- part of the interface
        """From the body."""
        return str(body.get("model", ""))

    def streams(self, path: str, body: Any) -> bool:  # noqa: ARG002 -- part of the interface
        """By the flag in the body."""
        return bool(body.get("stream"))

    def prompt(self, body: Any) -> str:
        """The last message."""
        return last_text(body.get("messages"))

    def answer(self, turn: Turn, request: Request) -> Any:
        """A ``message``."""
        return {**_message(turn, request), "content": _blocks(turn, request), "stop_reason": _stop(turn)}

    def stream(self, turn: Turn, request: Request) -> list[bytes]:
        """From ``message_start`` to ``message_stop``."""
        start = _message(turn, request)
        start["usage"] = {**start["usage"], "output_tokens": 1}
        events: list[dict[str, Any]] = [{"type": "message_start", "message": {**start, "stop_reason": None}}]
        for place, block in enumerate(_blocks(turn, request)):
            if block["type"] == "text":
                opened: dict[str, Any] = {"type": "text", "text": ""}
                deltas = [{"type": "text_delta", "text": piece} for piece in pieces(block["text"])]
            else:
                opened = {**block, "input": {}}
                arguments = encode(block["input"]).decode()
                deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ["", *pieces(arguments)]]
            events.append({"type": "content_block_start", "index": place, "content_block": opened})
            events += [{"type": "content_block_delta", "index": place, "delta": delta} for delta in deltas]
            events.append({"type": "content_block_stop", "index": place})
        _, made = tokens(turn, request)
        stop = {"stop_reason": _stop(turn), "stop_sequence": None}
        events.append({"type": "message_delta", "delta": stop, "usage": {"output_tokens": made}})
        events.append({"type": "message_stop"})
        return [event(data, name=data["type"]) for data in events]

    def error(self, turn: Turn, request: Request) -> tuple[Any, Mapping[str, str]]:
        """An ``error`` object."""
        kind = _TYPES.get(turn.status, "api_error")
        request_id = f"req_{request.number}"
        body = {"type": "error", "error": {"type": kind, "message": turn.text}, "request_id": request_id}
        return body, {"request-id": request_id}


def _blocks(turn: Turn, request: Request) -> list[dict[str, Any]]:
    text = [{"type": "text", "text": turn.text}] if turn.text or not turn.calls else []
    ids = call_ids(turn, request, "toolu_")
    return text + [
        {"type": "tool_use", "id": id_, "name": call.name, "input": dict(call.arguments)}
        for id_, call in zip(ids, turn.calls, strict=True)
    ]


def _stop(turn: Turn) -> str:
    return turn.finish or ("tool_use" if turn.calls else "end_turn")


def _message(turn: Turn, request: Request) -> dict[str, Any]:
    used, made = tokens(turn, request)
    usage = {
        "input_tokens": used,
        "output_tokens": made,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
    }
    head = {"id": f"msg_{request.number}", "type": "message", "role": "assistant", "model": request.model}
    return {**head, "content": [], "stop_sequence": None, "usage": usage}
