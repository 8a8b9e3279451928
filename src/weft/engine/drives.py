"""Drives of a run as its events show them: where they break off, how they end, and what they end waiting for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from weft.core.event import Event

BREAKS = frozenset({"run.started", "run.reopened", "run.forked", "run.cancelled", "run.stalled"})
ENDS = frozenset({"run.completed", "run.failed", "run.waiting"})


def let_go(event: Event) -> bool:
    """Whether the drive did not come to an end but was interrupted."""
    return event.kind == "run.waiting" and any(wait.get("kind") == "driver" for wait in event.data["waits"])


def waits_of_drive(events: Sequence[Event], place: int) -> tuple[Mapping[str, Any], ...]:
    """What the drive that begins at `place` ended waiting for, if it did."""
    for following in range(place + 1, len(events)):
        event = events[following]
        if event.kind == "run.waiting":
            return tuple(event.data["waits"])
        if event.kind in BREAKS or event.kind in ENDS:
            break
    return ()


def same_end(kind: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two ends of this kind, with these data, are the same."""
    if kind != "run.waiting":
        return one == other
    # What a wait says besides is of its time: how long there is left, who is asked now.
    return _waits(one) == _waits(other)


def _waits(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    return sorted((str(wait.get("kind")), str(wait.get("path", ""))) for wait in data["waits"])
