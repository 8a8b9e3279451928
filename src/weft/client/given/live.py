"""Written by scripts/client from the OpenAPI document. What ``live`` is given."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class LiveStreamQuery(TypedDict):
    """What `live.stream` asks for."""

    topics: NotRequired[str]
    """With commas between: `runs`, `gates`, `budgets`, `run/<id>`."""
