"""The reply of the offline model: its parts, their size, and the stream that hands them out in words."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pydantic_ai.messages import (
    FinishReason,
    ModelMessage,
    ModelResponsePart,
    ModelResponseStreamEvent,
    TextPart,
    ToolCallPart,
)
from pydantic_ai.models import ModelRequestParameters, StreamedResponse
from pydantic_ai.usage import RequestUsage

from weft.models.offline.reading import read_messages
from weft.models.offline.words import count_pieces

NAME = "offline/extract"
_CHUNK = re.compile(r"\S+\s*|\s+")


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered, what it took and why it ended."""

    parts: tuple[ModelResponsePart, ...]
    usage: RequestUsage
    finish_reason: FinishReason


@dataclass
class OfflineStream(StreamedResponse):
    """A reply that is handed out in words."""

    reply: Reply
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    async def _get_event_iterator(self) -> AsyncIterator[ModelResponseStreamEvent]:
        self._usage = self.reply.usage
        for place, part in enumerate(self.reply.parts):
            if isinstance(part, ToolCallPart):
                yield self._parts_manager.handle_tool_call_part(
                    vendor_part_id=place,
                    tool_name=part.tool_name,
                    args=part.args_as_json_str(),
                    tool_call_id=part.tool_call_id,
                )
            elif isinstance(part, TextPart):
                for chunk in _CHUNK.findall(part.content):
                    if self._cancelled:
                        return
                    for event in self._parts_manager.handle_text_delta(vendor_part_id=place, content=chunk):
                        yield event
        self.finish_reason = self.reply.finish_reason

    async def close_stream(self) -> None:
        """There is no connection to close."""

    @property
    def model_name(self) -> str:
        """The model's name."""
        return NAME

    @property
    def provider_name(self) -> str:
        """The provider's name."""
        return "offline"

    @property
    def provider_url(self) -> None:
        """None: there is no address."""
        return

    @property
    def timestamp(self) -> datetime:
        """When the reply was made."""
        return self.at


def cut(text: str, limit: int | None) -> tuple[str, FinishReason]:
    """`text` within `limit` pieces, and whether that was its own end."""
    if limit is None or count_pieces(text) <= limit:
        return text, "stop"
    kept, used = [], 0
    for chunk in _CHUNK.findall(text):
        used += count_pieces(chunk)
        if used > limit:
            break
        kept.append(chunk)
    return "".join(kept).rstrip() or text[:1], "length"


def part_size(part: ModelResponsePart) -> int:
    """The output size of a part, in pieces."""
    if isinstance(part, ToolCallPart):
        return count_pieces(part.tool_name) + count_pieces(part.args_as_json_str())
    return count_pieces(part.content) if isinstance(part, TextPart) else 0


def input_size(messages: Sequence[ModelMessage], parameters: ModelRequestParameters) -> int:
    """The input size of a request, in pieces: messages, instructions and tools."""
    reading = read_messages(messages, parameters)
    texts = [
        reading.instructions,
        reading.prompt,
        *(m.text for m in reading.earlier),
        *(r.text for r in reading.results),
    ]
    tools = [*parameters.declared_function_tools, *parameters.output_tools]
    texts += [f"{t.name} {t.description or ''} {json.dumps(t.parameters_json_schema, default=str)}" for t in tools]
    return sum(count_pieces(text) for text in texts)
