"""Written by scripts/client from the OpenAPI document. What ``plans`` answers with."""

from __future__ import annotations

from typing import Any

from weft.client.operation import Shape


class KeptPlan(Shape):
    """A plan that was made for a request."""

    key: str
    workflow: str
    request: str
    by: str
    """Who made it: the rules, or an agent."""
    draft: dict[str, Any]
    made_at: str
    expires_at: str


class KeptPlanPage(Shape):
    """Some kept plans, the newest first."""

    items: list[KeptPlan]
    next: str | None = None
    """The cursor of the next page."""


class Invalidated(Shape):
    """The keys of what is gone."""

    removed: list[str]
