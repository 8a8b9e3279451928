"""Written by scripts/client from the OpenAPI document. What ``agents`` answers with."""

from __future__ import annotations

from typing import Any

from weft.client.operation import Shape


class AgentItem(Shape):
    """An agent: `workflow/agent`, or the name of its own file."""

    name: str
    """Under this name it can be run."""
    agent: str
    workflow: str
    atomic: bool
    """Whether it stands in a file of its own."""
    version: int
    description: str = ""
    changed_at: str


class AgentPage(Shape):
    """Some agents, by name."""

    items: list[AgentItem]
    next: str | None = None
    """The cursor of the next page."""


class AgentView(Shape):
    """An agent in full. `card` says what it can do, as planners read it."""

    name: str
    """Under this name it can be run."""
    agent: str
    workflow: str
    atomic: bool
    """Whether it stands in a file of its own."""
    version: int
    description: str = ""
    changed_at: str
    model: str | None = None
    """The model that it asks; null when it cannot be planned."""
    tools: list[str]
    input_schema: dict[str, Any]
    """What a run of it takes."""
    output_schema: dict[str, Any] | None = None
    """What it answers with; text by default."""
    card: dict[str, Any]
