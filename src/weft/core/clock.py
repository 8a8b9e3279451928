"""Time as a port, so that a simulator can own it."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What may be asked about time."""

    def micros(self) -> int:
        """Wall clock in microseconds since the epoch, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        ...


class SystemClock:
    """The machine's own time."""

    def micros(self) -> int:
        """Wall clock in microseconds since the epoch, UTC."""
        return time.time_ns() // 1_000

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        await asyncio.sleep(seconds)


def to_datetime(micros: int) -> datetime:
    """Journal time as an aware UTC datetime."""
    return datetime.fromtimestamp(micros / 1_000_000, UTC)


def iso(micros: int) -> str:
    """Journal time as ISO 8601 in UTC with milliseconds, such as ``2026-11-21T05:28:00.123Z``."""
    return to_datetime(micros).isoformat(timespec="milliseconds").replace("+00:00", "Z")
