"""Written by scripts/client from the OpenAPI document. What ``schedules`` answers with."""

from __future__ import annotations

from typing import Any

from weft.client.operation import Shape


class AutomationItem(Shape):
    """A schedule or a trigger."""

    name: str
    kind: str
    workflow: str
    """The workflow that it starts, or its file."""
    rule: dict[str, Any]
    inputs: dict[str, Any]
    paused: bool
    pinned: bool
    next: str | None = None
    """Of a schedule: when it is due."""
    created_at: str
    secret: str | None = None
    """What messages to a new webhook trigger are signed with; told when it is made alone."""


class AutomationPage(Shape):
    """Some schedules or triggers, by name."""

    items: list[AutomationItem]
    next: str | None = None
    """The cursor of the next page."""


class FiringView(Shape):
    """One occasion: what became of it, and which run was started."""

    key: str
    status: str
    run_id: str | None
    at: str
    reason: str = ""


class AutomationView(Shape):
    """A schedule or a trigger, with what it has done lately."""

    name: str
    kind: str
    workflow: str
    """The workflow that it starts, or its file."""
    rule: dict[str, Any]
    inputs: dict[str, Any]
    paused: bool
    pinned: bool
    next: str | None = None
    """Of a schedule: when it is due."""
    created_at: str
    secret: str | None = None
    """What messages to a new webhook trigger are signed with; told when it is made alone."""
    firings: list[FiringView]
    """The latest first."""


class Removed(Shape):
    """What starts no more runs."""

    removed: str


class Upcoming(Shape):
    """The next times of a schedule."""

    name: str
    times: list[str]
