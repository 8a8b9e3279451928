"""Google's generateContent (the Gemini API)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weft.testing.providers.script import Request, Turn
from weft.testing.providers.wire import event, last_text, pieces, tokens

_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}


class Google:
    """``POST /v1beta/models/NAME:generateContent`` and ``:streamGenerateContent``."""

    content_type = "application/json; charset=UTF-8"
    stream_type = "text/event-stream"

    def model(self, path: str, body: Any) -> str:  # noqa: ARG002 -- part of the interface
        """From the path."""
        return path.partition("/models/")[2].partition(":")[0]

    def streams(self, path: str, body: Any) -> bool:  # noqa: ARG002 -- part of the interface
        """By the path."""
        return path.endswith(":streamGenerateContent")

    def prompt(self, body: Any) -> str:
        """The last content."""
        return last_text(body.get("contents"), key="parts")

    def answer(self, turn: Turn, request: Request) -> Any:
        """A ``GenerateContentResponse``."""
        parts: list[dict[str, Any]] = [{"text": turn.text}] if turn.text or not turn.calls else []
        return _response(turn, request, [*parts, *_calls(turn)], last=True)

    def stream(self, turn: Turn, request: Request) -> list[bytes]:
        """Partial responses; the last one carries the reason to stop."""
        chunks: list[list[dict[str, Any]]] = [[{"text": piece}] for piece in pieces(turn.text)]
        chunks += [[call] for call in _calls(turn)]
        chunks = chunks or [[{"text": ""}]]
        return [
            event(_response(turn, request, parts, last=place == len(chunks) - 1)) for place, parts in enumerate(chunks)
        ]

    def error(self, turn: Turn, request: Request) -> tuple[Any, Mapping[str, str]]:  # noqa: ARG002 -- interface
        """An ``error`` object with a status name."""
        status = _STATUS.get(turn.status, "INTERNAL")
        return {"error": {"code": turn.status, "message": turn.text, "status": status}}, {}


def _calls(turn: Turn) -> list[dict[str, Any]]:
    return [{"functionCall": {"name": call.name, "args": dict(call.arguments)}} for call in turn.calls]


def _response(turn: Turn, request: Request, parts: list[dict[str, Any]], *, last: bool) -> dict[str, Any]:
    used, made = tokens(turn, request)
    candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if last:
        candidate["finishReason"] = turn.finish or "STOP"
    usage = {"promptTokenCount": used, "candidatesTokenCount": made, "totalTokenCount": used + made}
    head = {"modelVersion": request.model, "responseId": f"resp-{request.number}"}
    return {"candidates": [candidate], "usageMetadata": usage, **head}
