"""OpenAI Responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weft.testing.providers.script import Request, Turn
from weft.testing.providers.wire import call_ids, encode, event, last_text, pieces, tokens
from weft.testing.providers.wire.openai_chat import OpenAIChat

_CREATED = 1_700_000_000


class OpenAIResponses:
    """``POST /v1/responses``."""

    content_type = "application/json"
    stream_type = "text/event-stream; charset=utf-8"

    def model(self, path: str, body: Any) -> str:  # noqa: ARG002 -- part of the interface
        """From the body."""
        return str(body.get("model", ""))

    def streams(self, path: str, body: Any) -> bool:  # noqa: ARG002 -- part of the interface
        """By the flag in the body."""
        return bool(body.get("stream"))

    def prompt(self, body: Any) -> str:
        """The last input item."""
        return last_text(body.get("input"))

    def answer(self, turn: Turn, request: Request) -> Any:
        """A ``response`` that is completed."""
        output = [item for item, _ in _items(turn, request)]
        return _response(turn, request, status="completed", output=output)

    def stream(self, turn: Turn, request: Request) -> list[bytes]:
        """The typed events of a response."""
        events: list[tuple[str, dict[str, Any]]] = [
            ("response.created", {"response": _response(turn, request, status="in_progress", output=[])}),
            ("response.in_progress", {"response": _response(turn, request, status="in_progress", output=[])}),
        ]
        items = _items(turn, request)
        for place, (item, text) in enumerate(items):
            events += _item_events(place, item, text)
        done = _response(turn, request, status="completed", output=[item for item, _ in items])
        events.append(("response.completed", {"response": done}))
        return [
            event({"type": name, "sequence_number": number, **data}, name=name)
            for number, (name, data) in enumerate(events)
        ]

    def error(self, turn: Turn, request: Request) -> tuple[Any, Mapping[str, str]]:
        """As in Chat Completions."""
        return OpenAIChat().error(turn, request)


def _items(turn: Turn, request: Request) -> list[tuple[dict[str, Any], str]]:
    """Output items, each with the text that is streamed for it."""
    items: list[tuple[dict[str, Any], str]] = []
    if turn.text or not turn.calls:
        content = [{"type": "output_text", "text": turn.text, "annotations": [], "logprobs": []}]
        head = {"id": f"msg_{request.number}", "type": "message", "status": "completed", "role": "assistant"}
        items.append(({**head, "content": content}, turn.text))
    for id_, call in zip(call_ids(turn, request, "call_"), turn.calls, strict=True):
        arguments = encode(dict(call.arguments)).decode()
        item = {"id": f"fc_{id_}", "type": "function_call", "status": "completed", "call_id": id_, "name": call.name}
        items.append(({**item, "arguments": arguments}, arguments))
    return items


def _item_events(place: int, item: dict[str, Any], text: str) -> list[tuple[str, dict[str, Any]]]:
    spot = {"item_id": item["id"], "output_index": place}
    if item["type"] == "function_call":
        opened = {**item, "status": "in_progress", "arguments": ""}
        name = "response.function_call_arguments"
        inner = [(f"{name}.delta", {**spot, "delta": piece}) for piece in pieces(text)]
        inner.append((f"{name}.done", {**spot, "arguments": text, "name": item["name"]}))
    else:
        opened = {**item, "status": "in_progress", "content": []}
        at = {**spot, "content_index": 0}
        empty = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        inner = [("response.content_part.added", {**at, "part": empty})]
        inner += [("response.output_text.delta", {**at, "delta": piece, "logprobs": []}) for piece in pieces(text)]
        inner.append(("response.output_text.done", {**at, "text": text, "logprobs": []}))
        inner.append(("response.content_part.done", {**at, "part": item["content"][0]}))
    return [
        ("response.output_item.added", {"output_index": place, "item": opened}),
        *inner,
        ("response.output_item.done", {"output_index": place, "item": item}),
    ]


def _response(turn: Turn, request: Request, *, status: str, output: list[dict[str, Any]]) -> dict[str, Any]:
    used, made = tokens(turn, request)
    usage = {
        "input_tokens": used,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": used + made,
    }
    return {
        "id": f"resp_{request.number}",
        "object": "response",
        "created_at": _CREATED,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "model": request.model,
        "output": output,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": usage if status == "completed" else None,
    }
