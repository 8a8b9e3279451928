"""OpenAI Chat Completions; Azure and Ollama speak it too, with errors of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weft.testing.providers.script import Request, Turn
from weft.testing.providers.wire import call_ids, encode, event, last_text, pieces, tokens

_CREATED = 1_700_000_000
_TYPES = {401: "invalid_request_error", 404: "invalid_request_error", 429: "requests", 500: "server_error"}
_CODES = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}


class OpenAIChat:
    """``POST /v1/chat/completions``."""

    content_type = "application/json"
    stream_type = "text/event-stream; charset=utf-8"

    def model(self, path: str, body: Any) -> str:
        """From the body, or from a deployment's path."""
        deployment = path.partition("/deployments/")[2].partition("/")[0]
        return deployment or str(body.get("model", ""))

    def streams(self, path: str, body: Any) -> bool:  # noqa: ARG002 -- part of the interface
        """By the flag in the body."""
        return bool(body.get("stream"))

    def prompt(self, body: Any) -> str:
        """The last message."""
        return last_text(body.get("messages"))

    def answer(self, turn: Turn, request: Request) -> Any:
        """A ``chat.completion``; for ``/v1/embeddings``, a vector for each text, its length and its count of vowels."""
        if request.path.endswith("/embeddings"):
            return _embeddings(request)
        message: dict[str, Any] = {
            "role": "assistant",
            "content": turn.text or None,
            "refusal": None,
            "annotations": [],
        }
        if turn.calls:
            message["tool_calls"] = [
                {"id": id_, "type": "function", "function": {"name": call.name, "arguments": _json(call.arguments)}}
                for id_, call in zip(call_ids(turn, request, "call_"), turn.calls, strict=True)
            ]
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(turn)}
        head = {"id": f"chatcmpl-{request.number}", "object": "chat.completion", "created": _CREATED}
        return {**head, "model": request.model, "choices": [choice], "usage": _usage(turn, request)}

    def stream(self, turn: Turn, request: Request) -> list[bytes]:
        """``chat.completion.chunk`` events and ``[DONE]``."""
        head = {"id": f"chatcmpl-{request.number}", "object": "chat.completion.chunk", "created": _CREATED}
        head["model"] = request.model
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": "" if turn.text else None}]
        deltas += [{"content": piece} for piece in pieces(turn.text)]
        for place, (id_, call) in enumerate(zip(call_ids(turn, request, "call_"), turn.calls, strict=True)):
            opening = {"index": place, "id": id_, "type": "function", "function": {"name": call.name, "arguments": ""}}
            deltas.append({"tool_calls": [opening]})
            deltas += [
                {"tool_calls": [{"index": place, "function": {"arguments": piece}}]}
                for piece in pieces(_json(call.arguments))
            ]
        frames = [
            event({**head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}]})
            for delta in deltas
        ]
        frames.append(event({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": _finish(turn)}]}))
        if (request.body.get("stream_options") or {}).get("include_usage"):
            frames.append(event({**head, "choices": [], "usage": _usage(turn, request)}))
        return [*frames, event(b"[DONE]")]

    def error(self, turn: Turn, request: Request) -> tuple[Any, Mapping[str, str]]:
        """An ``error`` object."""
        kind = _TYPES.get(turn.status, "server_error" if turn.status >= 500 else "invalid_request_error")
        error = {"message": turn.text, "type": kind, "param": None, "code": _CODES.get(turn.status)}
        return {"error": error}, {"x-request-id": f"req_{request.number}"}


class Azure(OpenAIChat):
    """The same under ``/openai/v1`` or ``/openai/deployments/NAME``, with Azure's errors."""

    def error(self, turn: Turn, request: Request) -> tuple[Any, Mapping[str, str]]:
        """An ``error`` object whose code is the status."""
        return {"error": {"code": str(turn.status), "message": turn.text}}, {"apim-request-id": f"req-{request.number}"}


class Ollama(OpenAIChat):
    """The OpenAI-compatible API that Ollama serves under ``/v1``."""

    def error(self, turn: Turn, request: Request) -> tuple[Any, Mapping[str, str]]:  # noqa: ARG002 -- interface
        """An ``error`` object as Ollama writes it."""
        kind = "not_found_error" if turn.status == 404 else "api_error"
        return {"error": {"message": turn.text, "type": kind, "param": None, "code": None}}, {}


def _json(arguments: Mapping[str, Any]) -> str:
    return encode(dict(arguments)).decode()


def _finish(turn: Turn) -> str:
    return turn.finish or ("tool_calls" if turn.calls else "stop")


def _usage(turn: Turn, request: Request) -> dict[str, Any]:
    used, made = tokens(turn, request)
    return {
        "prompt_tokens": used,
        "completion_tokens": made,
        "total_tokens": used + made,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def _embeddings(request: Request) -> dict[str, Any]:
    given = request.body.get("input") or ""
    texts = [given] if isinstance(given, str) else list(given)
    data = [
        {"object": "embedding", "index": at, "embedding": [float(len(text)), float(sum(map(text.count, "aeiou")))]}
        for at, text in enumerate(texts)
    ]
    count = sum(len(text.split()) for text in texts)
    usage = {"prompt_tokens": count, "total_tokens": count}
    return {"object": "list", "data": data, "model": request.model, "usage": usage}
