"""Written by scripts/client from the OpenAPI document. What ``agents`` is given."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class AgentsListQuery(TypedDict):
    """What `agents.list` asks for."""

    limit: NotRequired[int]
    """How many of them; the next page has the rest."""
    cursor: NotRequired[str | None]
    """Where to go on: `next` of the page before. Its form may change."""
