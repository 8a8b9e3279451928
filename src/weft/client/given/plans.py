"""Written by scripts/client from the OpenAPI document. What ``plans`` is given."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class Invalidating(TypedDict):
    """Which plans: the one whose key begins so, those that have expired, or all."""

    key: NotRequired[str | None]
    expired: NotRequired[bool]
    all: NotRequired[bool]


class PlansListQuery(TypedDict):
    """What `plans.list` asks for."""

    limit: NotRequired[int]
    """How many of them; the next page has the rest."""
    cursor: NotRequired[str | None]
    """Where to go on: `next` of the page before. Its form may change."""
