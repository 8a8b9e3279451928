"""What a call gave, as JSON for the journal and the agent."""

from __future__ import annotations

from typing import Any

from mcp_types import (
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
)


def as_json(result: CallToolResult) -> Any:
    """The structured result when there is one; else the text; else the parts.

    Of binary parts only the kind and the size are kept: neither journals nor models take them as text.
    """
    if result.structured_content is not None:
        return result.structured_content
    if all(isinstance(part, TextContent) for part in result.content):
        return text_of(result)
    return {"content": [_part(part) for part in result.content]}


def text_of(result: CallToolResult) -> str:
    """The texts of a result."""
    return "\n\n".join(part.text for part in result.content if isinstance(part, TextContent))


def _part(part: Any) -> dict[str, Any]:
    if isinstance(part, TextContent):
        return {"type": "text", "text": part.text}
    if isinstance(part, ImageContent | AudioContent):
        return {"type": part.type, "media_type": part.mime_type, "bytes": _size(part.data)}
    if isinstance(part, ResourceLink):
        return {"type": "resource_link", "uri": str(part.uri), "name": part.name}
    if isinstance(part, EmbeddedResource):
        held = part.resource
        if isinstance(held, BlobResourceContents):
            return {"type": "resource", "uri": str(held.uri), "bytes": _size(held.blob)}
        return {"type": "resource", "uri": str(held.uri), "text": held.text}
    return {"type": str(getattr(part, "type", "unknown"))}


def _size(base64: str) -> int:
    return len(base64) * 3 // 4
