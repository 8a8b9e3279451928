"""Reading: what a request's messages say, as plain text and calls, for the parts that know no agent library."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextContent,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import ModelRequestParameters

from weft.models.offline.brief import Material
from weft.models.offline.tool_choice import Call

_FEEDBACK = re.compile(r"<pyai:(?:validation_errors|retry_feedback)\b")


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a call gave: its text, and whether it failed."""

    call: Call
    text: str
    failed: bool

    @property
    def label(self) -> str:
        """A source mark: the path or address that the call read, or the call itself."""
        values = [v for v in self.call.arguments.values() if isinstance(v, str) and len(v) <= 120]
        if len(values) == 1 and re.search(r"[/.]\w", values[0]) and not re.search(r"\s", values[0]):
            return values[0]
        return " ".join([self.call.tool, *values[:1]])


@dataclass
class Reading:
    """The messages of a request, sorted by what they are for."""

    instructions: str = ""
    prompt: str = ""
    earlier: list[Material] = field(default_factory=list)
    results: list[ToolResult] = field(default_factory=list)
    calls: int = 0
    """Tool calls in the whole conversation, for fresh call ids."""


def read_messages(messages: Sequence[ModelMessage], parameters: ModelRequestParameters) -> Reading:
    """Sort `messages`: the last prompt of the user, what tools have answered since, and what was said before."""
    outputs = {tool.name for tool in parameters.output_tools}
    reading = Reading(instructions=_instructions(messages, parameters))
    open_calls: dict[str, Call] = {}
    for message in messages:
        if isinstance(message, ModelRequest):
            _read_request(message, reading, open_calls, outputs)
        elif isinstance(message, ModelResponse):
            _read_response(message, reading, open_calls)
    return reading


def _instructions(messages: Sequence[ModelMessage], parameters: ModelRequestParameters) -> str:
    if parameters.instruction_parts:
        # How to write JSON is of no use here: the schema itself is at hand.
        template = parameters.prompted_output_instructions
        standing = [part.content for part in parameters.instruction_parts if part.content != template]
    else:
        given = (m.instructions for m in reversed(messages) if isinstance(m, ModelRequest) and m.instructions)
        standing = [text for text in (next(given, None),) if text]
    opening = next((message for message in messages if isinstance(message, ModelRequest)), None)
    system = [part.content for part in opening.parts if isinstance(part, SystemPromptPart)] if opening else []
    return "\n\n".join([*system, *standing])


def _read_request(message: ModelRequest, reading: Reading, open_calls: dict[str, Call], outputs: set[str]) -> None:
    prompts = [
        text
        for part in message.parts
        if isinstance(part, UserPromptPart) and (text := user_text(part)) and not _FEEDBACK.search(text)
    ]
    if prompts:
        if reading.prompt:
            reading.earlier.append(Material(reading.prompt))
        reading.earlier.extend(Material(r.text, r.label) for r in reading.results if not r.failed)
        reading.prompt, reading.results = "\n\n".join(prompts), []
    for part in message.parts:
        if isinstance(part, ToolReturnPart) and part.tool_name not in outputs:
            call = open_calls.get(part.tool_call_id, Call(part.tool_name, {}))
            failed = part.outcome != "success"
            reading.results.append(ToolResult(call, _result_text(part), failed))


def _read_response(message: ModelResponse, reading: Reading, open_calls: dict[str, Call]) -> None:
    for part in message.parts:
        if isinstance(part, ToolCallPart):
            reading.calls += 1
            open_calls[part.tool_call_id] = Call(part.tool_name, _arguments(part))
        elif isinstance(part, TextPart) and part.content:
            reading.earlier.append(Material(part.content))


def _arguments(part: ToolCallPart) -> dict[str, Any]:
    try:
        return part.args_as_dict()
    except (ValueError, AssertionError):
        return {}


def user_text(part: UserPromptPart) -> str:
    """The text of a prompt; images and files are passed over."""
    if isinstance(part.content, str):
        return part.content
    return "\n\n".join(
        item if isinstance(item, str) else item.content for item in part.content if isinstance(item, str | TextContent)
    )


def _result_text(part: ToolReturnPart) -> str:
    text = part.model_response_str(wrap_if_error=False)
    if text[:1] in "{[":
        try:
            return "\n".join(_flat(json.loads(text)))
        except (ValueError, RecursionError):
            return text
    return text


def _flat(value: Any, name: str = "", depth: int = 0) -> Iterable[str]:
    """JSON as lines that read like text: ``name: value``, list items, and long strings as they are."""
    if isinstance(value, dict) and depth < 6:
        for key, inner in value.items():
            yield from _flat(inner, str(key), depth + 1)
    elif isinstance(value, list) and depth < 6:
        for inner in value:
            if isinstance(inner, dict):
                yield "- " + "; ".join(f"{key}: {_scalar(item)}" for key, item in inner.items())
            else:
                yield f"- {_scalar(inner)}"
    elif isinstance(value, str) and ("\n" in value or len(value) > 200):
        yield value
    else:
        yield f"{name}: {_scalar(value)}" if name else _scalar(value)


def _scalar(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
