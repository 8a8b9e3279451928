"""Written by scripts/client from the OpenAPI document. What ``tools`` is given."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class ToolsListQuery(TypedDict):
    """What `tools.list` asks for."""

    limit: NotRequired[int]
    """How many of them; the next page has the rest."""
    cursor: NotRequired[str | None]
    """Where to go on: `next` of the page before. Its form may change."""
    workflow: NotRequired[str | None]
    """Those of this workflow; the built-in ones by default."""
