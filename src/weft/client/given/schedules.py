"""Written by scripts/client from the OpenAPI document. What ``schedules`` is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NotRequired, TypedDict


class AddSchedule(TypedDict):
    """When runs start: by `cron` in the zone `tz`, or `every_s` seconds."""

    workflow: str
    version: NotRequired[int | None]
    """A registered version; that of now by default."""
    name: NotRequired[str]
    """Letters, digits, dots and dashes."""
    inputs: NotRequired[Mapping[str, Any]]
    pin: NotRequired[bool]
    """Start nothing once the workflow has changed."""
    cron: NotRequired[str | None]
    every_s: NotRequired[float | None]
    tz: NotRequired[str]
    overlap: NotRequired[Literal["skip", "buffer", "allow", "cancel"]]
    """What happens when the run before has not ended."""
    catch_up_s: NotRequired[float]
    """How far back missed times are made up for."""
    jitter_s: NotRequired[float]


class SchedulesListQuery(TypedDict):
    """What `schedules.list` asks for."""

    limit: NotRequired[int]
    """How many of them; the next page has the rest."""
    cursor: NotRequired[str | None]
    """Where to go on: `next` of the page before. Its form may change."""


class SchedulesNextQuery(TypedDict):
    """What `schedules.next` asks for."""

    count: NotRequired[int]
    """How many."""
