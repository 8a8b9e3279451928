"""Time as a port, so that a simulator can own it."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SINCE_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


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


def since_boot() -> float:
    """Seconds since the machine was started, those included that it slept: what a lease is measured with."""
    return time.clock_gettime(_SINCE_BOOT)


def to_datetime(micros: int) -> datetime:
    """Journal time as an aware UTC datetime."""
    return datetime.fromtimestamp(micros / 1_000_000, UTC)


def exact_iso(micros: int) -> str:
    """Journal time as ISO 8601 in UTC with all of its microseconds; `from_iso` reads it back."""
    return (_EPOCH + timedelta(microseconds=micros)).isoformat(timespec="microseconds").replace("+00:00", "Z")


def from_iso(text: str) -> int:
    """Journal time from ISO 8601; a time without a zone is in UTC.

    Raises:
        ValueError: it is none.
    """
    time_ = datetime.fromisoformat(text)
    known = time_ if time_.tzinfo is not None else time_.replace(tzinfo=UTC)
    return (known - _EPOCH) // timedelta(microseconds=1)


def iso(micros: int) -> str:
    """Journal time as ISO 8601 in UTC with milliseconds, such as ``2026-11-21T05:28:00.123Z``."""
    return to_datetime(micros).isoformat(timespec="milliseconds").replace("+00:00", "Z")
