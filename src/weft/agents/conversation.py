"""What an agent has said before: the messages of earlier calls, rebuilt from the journal.

A call's value holds the messages that it added. Responses are in the journal already, as the values of its model steps, so they
stand there as ``{"response": n}``: a conversation of n turns costs O(n) bytes. The instructions of a request that are those of the request
before it are left out, and ``null`` stands where there are none any more. Where a call was shortened, its value says by which
of its summaries and up to where (``compaction``), and the conversation goes on from there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    TextPart,
    UserPromptPart,
)

from weft.agents.view import summary_message
from weft.core.clock import to_datetime
from weft.engine.port import StepContext

_REFERENCE = "response"
_INSTRUCTIONS = "instructions"


def pack(messages: Sequence[ModelMessage]) -> list[dict[str, Any]]:
    """The messages of one call as it records them."""
    packed: list[dict[str, Any]] = []
    requests: list[ModelMessage] = []
    count = 0
    for message in messages:
        if isinstance(message, ModelResponse):
            packed.append({_REFERENCE: count})
            count += 1
        else:
            requests.append(message)
            packed.append({})
    dumped = ModelMessagesTypeAdapter.dump_python(requests, mode="json", exclude_none=True)
    before: str | None = None
    for request in dumped:
        own = request.get(_INSTRUCTIONS)
        if own != before:
            request[_INSTRUCTIONS] = own
        elif own is not None:
            del request[_INSTRUCTIONS]
        before = own
    left = iter(dumped)
    return [entry or next(left) for entry in packed]


def said_before(given: Sequence[Mapping[str, Any]], context: StepContext) -> list[ModelMessage]:
    """A conversation that a run was given, ``{"role", "content"}`` each, as messages; what is empty or of no speaker is left out."""
    messages: list[ModelMessage] = []
    for one in given:
        content = one.get("content")
        if not isinstance(content, str) or not content:
            continue
        if one.get("role") == "assistant":
            messages.append(ModelResponse(parts=[TextPart(content)], timestamp=to_datetime(context.clock.micros())))
        elif one.get("role") == "user":
            part = UserPromptPart(content, timestamp=to_datetime(context.clock.micros()))
            messages.append(ModelRequest(parts=[part]))
    return messages


def history(context: StepContext) -> list[ModelMessage]:
    """The messages of the earlier calls of this conversation, oldest first."""
    collected: list[dict[str, Any]] = []
    for path in context.history:
        value = context.recorded(path) or {}
        instructions: str | None = None
        for entry in value.get("messages", ()):
            if set(entry) == {_REFERENCE}:
                collected.append(context.recorded(f"{path}/agent/model[{entry[_REFERENCE]}]"))
            else:
                instructions = entry.get(_INSTRUCTIONS, instructions)
                collected.append({**entry, _INSTRUCTIONS: instructions})
        if shortened := value.get("compaction"):
            summary = context.recorded(f"{path}/agent/summary[{shortened['step']}]")["summary"]
            opening = ModelMessagesTypeAdapter.dump_python([summary_message(summary)], mode="json", exclude_none=True)
            collected = opening + collected[shortened["cut"] :]
    return ModelMessagesTypeAdapter.validate_python(collected) if collected else []
