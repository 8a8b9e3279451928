"""What travels on the bus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

DELTA = "delta"
"""The type of what may be dropped: streamed text and the like, which is never history."""

LAGGED = "lagged"
"""The type of the mark that a slow reader gets in place of what it missed."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """One message.

    `seq` is the place in the journal of the topic's run: of the event itself, or of the last one before a delta. `topic` is
    segments with slashes between, such as ``run/<id>``. `type` is an event's kind, or ``delta``, or ``lagged``. `at` is
    microseconds since the epoch. `data` is JSON.
    """

    seq: int
    topic: str
    type: str
    at: int
    data: Any
