"""A response as its events, which are the same whenever they are made.

An event's number counts what came before it: one for each event, and one for each character of streamed text. So the pieces in which a text
comes in do not matter, and a client that has read up to a number goes on exactly there, also when the text is read from the journal.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from weft.app.serving.items import Called, Ended, Item, Said
from weft.core.usage import Usage
from weft.server.openai import chunks, errors
from weft.server.openai.following import Paused
from weft.server.openai.handing import calls_of
from weft.server.openai.response_ids import ResponseId
from weft.server.sse import encode

Event = dict[str, Any]
DELTA = "response.output_text.delta"


@dataclass(slots=True)
class Outcome:
    """What a response has come to."""

    status: str = "in_progress"
    output: list[dict[str, Any]] = field(default_factory=list)
    error: dict[str, Any] | None = None
    usage: Usage | None = None
    incomplete: str | None = None


class Narration:
    """Tells a response from its items, in the order that clients expect. `outcome` is what it has come to so far."""

    def __init__(self, id_: ResponseId, frame: Mapping[str, Any]) -> None:
        self._id = id_
        self._frame = frame
        self._number = 0
        self._text = ""
        self._speaking = False
        self.outcome = Outcome()

    def begin(self) -> Iterator[Event]:
        """The events before the first item."""
        for kind in ("created", "in_progress"):
            yield self._event(f"response.{kind}", response=self.response())

    def tell(self, item: Item) -> Iterator[Event]:
        """The events of one item."""
        match item:
            case Said(text=text):
                yield from self._say(text)
            case Paused():
                yield from self._wait(item)
            case Ended():
                yield from self._end(item)
            case Called():
                pass  # told as a whole at the end, where its place among the items is known
            case _:
                told = chunks.extension(item)
                if told is not None:
                    thought = {"text": text} if (text := getattr(item, "text", "")) else {}
                    yield {"type": "weft.event", "sequence_number": self._number, "weft": {**told, **thought}}

    def response(self) -> dict[str, Any]:
        """The response as it stands."""
        outcome = self.outcome
        return {
            **self._frame,
            "status": outcome.status,
            "output": list(outcome.output),
            "error": outcome.error,
            "incomplete_details": {"reason": outcome.incomplete} if outcome.incomplete else None,
            "usage": None if outcome.usage is None else usage_json(outcome.usage),
        }

    def _event(self, type_: str, *, weight: int = 1, **rest: Any) -> Event:
        self._number += weight
        return {"type": type_, "sequence_number": self._number, **rest}

    def _say(self, text: str) -> Iterator[Event]:
        at = len(self.outcome.output)
        where: Event = {"item_id": self._id.part("msg", at), "output_index": at, "content_index": 0}
        if not self._speaking:
            self._speaking = True
            yield self._event("response.output_item.added", output_index=at, item=self._message(at, "in_progress", []))
            yield self._event("response.content_part.added", **where, part=_part(""))
        self._text += text
        yield self._event(DELTA, weight=len(text), **where, delta=text, logprobs=[])

    def _hush(self, whole: str | None = None) -> Iterator[Event]:
        """Close the message, if there is one."""
        if not self._speaking:
            return
        at, text = len(self.outcome.output), self._text if whole is None else whole
        where: Event = {"item_id": self._id.part("msg", at), "output_index": at, "content_index": 0}
        yield self._event("response.output_text.done", **where, text=text, logprobs=[])
        yield self._event("response.content_part.done", **where, part=_part(text))
        yield from self._done(self._message(at, "completed", [_part(text)]))
        self._speaking = False

    def _message(self, at: int, status: str, content: list[dict[str, Any]]) -> dict[str, Any]:
        head = {"id": self._id.part("msg", at), "type": "message", "role": "assistant"}
        return {**head, "status": status, "content": content}

    def _done(self, item: dict[str, Any]) -> Iterator[Event]:
        at = len(self.outcome.output)
        self.outcome.output.append(item)
        yield self._event("response.output_item.done", output_index=at, item=item)

    def _wait(self, item: Paused) -> Iterator[Event]:
        yield from self._hush()
        for call in calls_of(item):
            yield from self._call(call)
        for gate in item.gates:
            if "client" in (gate.request.get("facts") or {}):
                continue
            asked = approval_item(gate.id, gate.request)
            yield self._event("response.output_item.added", output_index=len(self.outcome.output), item=asked)
            yield from self._done(asked)
        self.outcome.status, self.outcome.usage = "completed", item.usage
        yield self._event("response.completed", response=self.response())

    def _end(self, item: Ended) -> Iterator[Event]:
        error = chunks.error_of(item)
        if error is None and item.text and not self._speaking:
            yield from self._say(item.text)
        yield from self._hush(item.text if error is None else None)
        self.outcome.usage = item.usage
        if error is not None:
            self.outcome.status = "cancelled" if item.status == "cancelled" else "failed"
            self.outcome.error = {"code": error.code, "message": errors.said(error)}
            yield self._event("response.failed", response=self.response())
            return
        answer = chunks.answer_of(item)
        for call in answer.get("calls") or ():
            yield from self._call(call)
        cut = answer.get("finish_reason") == "length"
        self.outcome.status, self.outcome.incomplete = (
            ("incomplete", "max_output_tokens") if cut else ("completed", None)
        )
        yield self._event(f"response.{self.outcome.status}", response=self.response())

    def _call(self, call: Mapping[str, Any]) -> Iterator[Event]:
        at = len(self.outcome.output)
        item = {"id": self._id.part("fc", at), "type": "function_call", "call_id": call["id"], "name": call["name"]}
        begun = {**item, "arguments": "", "status": "in_progress"}
        where = {"item_id": item["id"], "output_index": at}
        yield self._event("response.output_item.added", output_index=at, item=begun)
        yield self._event("response.function_call_arguments.delta", **where, delta=call["arguments"])
        said = {"arguments": call["arguments"], "name": call["name"]}
        yield self._event("response.function_call_arguments.done", **where, **said)
        yield from self._done({**item, "arguments": call["arguments"], "status": "completed"})


async def events(narration: Narration, items: AsyncGenerator[Item]) -> AsyncGenerator[Event]:
    """The events of a response; `narration` then has its outcome."""
    for event in narration.begin():
        yield event
    async with aclosing(items):
        async for item in items:
            for event in narration.tell(item):
                yield event
            if isinstance(item, Ended | Paused):
                return


def after(event: Event, number: int) -> Event | None:
    """What of an event comes after `number`; None for nothing."""
    over = event["sequence_number"] - number
    if over <= 0:
        return None
    return {**event, "delta": event["delta"][-over:]} if event["type"] == DELTA else event


def framed(event: Event) -> bytes:
    """An event on the wire."""
    return encode(chunks.compact(event), event=event["type"])


def approval_item(gate: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """A gate as an approval request."""
    facts: Mapping[str, Any] = request.get("facts") or {}
    return {
        "id": f"mcpr_{gate}",
        "type": "mcp_approval_request",
        "name": str(facts.get("tool") or "decide"),
        "arguments": chunks.compact(request.get("given") or {}).decode(),
        "server_label": "weft",
        "weft": {
            "prompt": request.get("prompt", ""),
            "choices": request.get("choices") or [],
            "shown": request.get("shown"),
        },
    }


def usage_json(usage: Usage) -> dict[str, Any]:
    """Tokens as responses count them."""
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.tokens,
        "weft": {"requests": usage.requests, "cost_usd": None if usage.unpriced else float(usage.cost)},
    }


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
