"""The time, as the run knows it."""

from __future__ import annotations

from typing import Literal

from weft.core.clock import to_datetime
from weft.tools.port import ToolContext


async def current_time(
    context: ToolContext,
    format: Literal["iso", "unix", "human"] = "iso",  # noqa: A002 -- the name that workflows know
    timezone: Literal["utc", "local"] = "utc",
) -> str:
    """Tell the current date and time.

    Args:
        context: What the call may use.
        format: iso (2026-11-21T05:28:00+00:00), unix (seconds since 1970) or human.
        timezone: utc, or the time zone of the machine.
    """
    micros = context.clock.micros()
    if format == "unix":
        return str(micros // 1_000_000)
    now = to_datetime(micros)
    if timezone == "local":
        now = now.astimezone()
    return now.isoformat(timespec="seconds") if format == "iso" else now.strftime("%A, %d %B %Y, %H:%M:%S %Z")
