"""Written by scripts/client from the OpenAPI document. What ``gates`` answers with."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from weft.client.operation import Shape


class GateView(Shape):
    """One question that a run has put. `given` is what its form begins with: the arguments of a tool call that is to be approved."""

    id: str
    run_id: str
    workflow: str
    path: str
    status: str
    opened_at: str
    due: str | None = None
    """When the default is taken, or the gate fails."""
    closed_at: str | None = None
    assignees: list[str]
    """Who is asked now; nobody named means everybody."""
    prompt: str = ""
    show: str = ""
    """What is shown with the question."""
    choices: list[str] = Field(default_factory=list)
    rejections: list[str] = Field(default_factory=list)
    """Which answers reject."""
    pattern: str | None = None
    """What an answer in words has to match."""
    form: dict[str, Any] | None = None
    """The JSON Schema of `values`."""
    given: Any = None
    default: Any = None
    shown: str
    """The hash of what is asked: sent as `saw`, it guards against a change in between."""
    decision: dict[str, Any] | None = None


class GatePage(Shape):
    """Some gates, the newest first."""

    items: list[GateView]
    next: str | None = None
    """The cursor of the next page."""


class Decided(Shape):
    """What holds at a gate now. `repeated` says that the very same answer had been given before."""

    gate: GateView
    decision: dict[str, Any]
    repeated: bool = False
