"""Written by scripts/client from the OpenAPI document. What ``tools`` answers with."""

from __future__ import annotations

from typing import Any

from weft.client.operation import Shape


class ToolView(Shape):
    """One tool. `effect` says how it may be repeated; `origin` is `builtin`, `python`, `http`, `skills` or `mcp`."""

    name: str
    origin: str
    effect: str | None = None
    """Null for a server, whose tools are known when it is asked."""
    description: str = ""
    allowed: bool = True
    """Whether agents have it without a further setting."""
    input_schema: dict[str, Any] | None = None


class ToolPage(Shape):
    """Some tools, by name."""

    items: list[ToolView]
    next: str | None = None
    """The cursor of the next page."""
