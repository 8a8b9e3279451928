"""Chat completions on the wire: whole, and as the chunks of a stream."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from weft.app.serving.items import Answered, Asked, Called, Ended, Item, Said, StepBegan, StepEnded, Thought, Waits
from weft.app.serving.places import BEGINNING, Place
from weft.core.errors import ConflictError, WeftError
from weft.core.usage import Usage
from weft.server.openai import errors
from weft.server.openai.following import Paused
from weft.server.sse import encode

DONE = b"data: [DONE]\n\n"
_PIECES: Mapping[type[Item], str] = {Said: "text", Thought: "thought", Called: "call"}
_SHOWN = frozenset({"agent", "model", "tool", "child"})
"""Types of steps that are told of."""


@dataclass(frozen=True, slots=True)
class Completion:
    """The head that a completion and all its chunks share."""

    run_id: str
    model: str
    created: int
    place: Place = BEGINNING
    """The place at which it begins, where a run goes on with what the client has handed in."""

    def chunk(self, delta: Mapping[str, Any], weft: Mapping[str, Any], *, finish: str | None = None) -> bytes:
        """One chunk."""
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return self._event({"choices": [choice], "weft": weft})

    def usage(self, usage: Usage) -> bytes:
        """The chunk behind the last, which has the usage and no choice."""
        return self._event({"choices": [], "usage": usage_json(usage)})

    def whole(self, message: Mapping[str, Any], finish: str, usage: Usage, weft: Mapping[str, Any]) -> dict[str, Any]:
        """The completion that is not streamed."""
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
        return {**self._head("chat.completion"), "choices": [choice], "usage": usage_json(usage), "weft": weft}

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": f"chatcmpl-{self.run_id}", "object": kind, "created": self.created, "model": self.model}

    def _event(self, more: Mapping[str, Any]) -> bytes:
        return encode(compact({**self._head("chat.completion.chunk"), **more}))


def compact(value: Any) -> bytes:
    """`value` as JSON in one line."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def failure(error: WeftError) -> bytes:
    """An error in the middle of a stream."""
    return encode(compact(errors.body(error)))


def usage_json(usage: Usage) -> dict[str, Any]:
    """Tokens as OpenAI counts them, and what they cost (null where a price is not known)."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read_tokens},
        "weft": {"requests": usage.requests, "cost_usd": None if usage.unpriced else float(usage.cost)},
    }


def delta_of(item: Item) -> dict[str, Any]:
    """What an item adds to the message."""
    match item:
        case Said(text=text):
            return {"content": text}
        case Thought(text=text):
            return {"reasoning_content": text}
        case Called():
            function = {"arguments": item.arguments} | ({"name": item.name} if item.name else {})
            begun = {"id": item.call_id, "type": "function"} if item.call_id else {}
            return {"tool_calls": [{"index": item.index, **begun, "function": function}]}
        case _:
            return {}


def extension(item: Item) -> dict[str, Any] | None:
    """What Weft says of an item beside the delta; None for one that is not told of."""
    where: dict[str, Any] = {"run_id": item.run_id, "step": item.path}
    if isinstance(item, Said | Thought | Called):
        return {**where, "type": _PIECES[type(item)], "agent": item.agent}
    match item:
        case StepBegan(type=type_, target=target) if type_ in _SHOWN:
            return {**where, "type": "step.began", "kind": type_, "agent": target}
        case StepEnded(type=type_, target=target) if type_ in _SHOWN:
            failed = {"error": {name: item.error[name] for name in ("code", "message")}} if item.error else {}
            return {**where, "type": "step.ended", "kind": type_, "agent": target, **failed}
        case Asked(gate=gate) | Answered(gate=gate):
            return {**where, "type": "gate.opened" if isinstance(item, Asked) else "gate.decided", "gate": gate}
        case Waits():
            kinds = sorted({str(one.get("kind", "")) for one in item.waits})
            return {**where, "type": "waits", "for": kinds}
        case _:
            return None


def ending(item: Ended | Paused, link_of: Mapping[str, str]) -> dict[str, Any]:
    """What Weft says at the end of a turn."""
    if isinstance(item, Paused):
        gates = [
            {
                "id": gate.id,
                "run_id": gate.run_id,
                "prompt": gate.request.get("prompt", ""),
                "choices": gate.request.get("choices") or [],
                "shown": gate.request.get("shown"),
                "url": link_of[gate.id],
            }
            for gate in item.gates
        ]
        return {"run_id": item.run_id, "type": "waiting", "gate": gates[0], "gates": gates}
    said = {} if item.said else {"answer": item.text}
    return {"run_id": item.run_id, "type": "ended", "status": item.status, **said}


def answer_of(item: Ended) -> Mapping[str, Any]:
    """What a model that was asked as it stands has answered; nothing for other runs."""
    outputs = item.outputs if isinstance(item.outputs, Mapping) else {}
    value = outputs.get("value")
    return value if isinstance(value, Mapping) and {"finish_reason", "model_name"} <= value.keys() else {}


def finish_of(item: Ended) -> str:
    """Why the answer ends."""
    answer = answer_of(item)
    if answer.get("calls"):
        return "tool_calls"
    reason = answer.get("finish_reason")
    return str(reason) if reason in {"length", "content_filter"} else "stop"


def message_of(item: Ended, thoughts: str) -> dict[str, Any]:
    """The whole message of a run that is completed."""
    calls = answer_of(item).get("calls")
    message: dict[str, Any] = {"role": "assistant", "content": item.text or (None if calls else ""), "refusal": None}
    if thoughts:
        message["reasoning_content"] = thoughts
    if calls:
        message["tool_calls"] = [call_json(one) for one in calls]
    return message


def call_json(call: Mapping[str, Any]) -> dict[str, Any]:
    """A call as a message has it."""
    function = {"name": call["name"], "arguments": call["arguments"]}
    return {"id": call["id"], "type": "function", "function": function}


def error_of(item: Ended) -> WeftError | None:
    """What went wrong with a run that is not completed."""
    if item.status == "completed":
        return None
    if item.error is not None:
        return item.error
    return ConflictError("the run was cancelled", fix="ask again", run=item.run_id)
