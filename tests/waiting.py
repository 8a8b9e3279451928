"""Waiting for what is bound to come, on a machine that may be busy: for as long as it takes, and not for ever."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from typing import TypeVar

Seen = TypeVar("Seen")


def until(look: Callable[[], Seen], seconds: float = 30) -> Seen:
    """What `look` sees once that is something."""
    end = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < end, f"it never came: {seen!r}"
        time.sleep(0.02)
    return seen


async def coming(look: Callable[[], Seen], seconds: float = 30) -> Seen:
    """The same, beside what the event loop has to do."""
    end = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < end, f"it never came: {seen!r}"
        await asyncio.sleep(0.02)
    return seen


def promised(seconds: float) -> float:
    """That long on a machine of its own; longer beside other tests, and on one that has more to do than it has processors for."""
    beside = 3.0 if "PYTEST_XDIST_WORKER" in os.environ else 1.0
    return seconds * max(beside, os.getloadavg()[0] / (os.cpu_count() or 1))
