"""Times, durations, tokens, money and sizes as people read them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from weft.core.clock import to_datetime
from weft.core.usage import Usage


def when(micros: int) -> str:
    """Journal time in the user's own time zone, such as ``2026-11-21 06:20:11``."""
    return f"{to_datetime(micros).astimezone():%Y-%m-%d %H:%M:%S}"


def clock(micros: int) -> str:
    """The time of day of a journal time in the user's own time zone."""
    return f"{to_datetime(micros).astimezone():%H:%M:%S}"


def now() -> int:
    """This moment as journal time."""
    return int(datetime.now().astimezone().timestamp() * 1_000_000)


def duration(micros: int) -> str:
    """A span of microseconds: ``850 ms``, ``12.3 s``, ``3 min 05 s``, ``2 h 03 min``, ``4 d 02 h``."""
    seconds = max(micros, 0) / 1_000_000
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3_600:
        return f"{whole // 60} min {whole % 60:02} s"
    if whole < 86_400:
        return f"{whole // 3_600} h {whole % 3_600 // 60:02} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3_600:02} h"


def again(micros: int) -> str:
    """When something is tried again, in so many microseconds."""
    return f"again in {duration(micros)}" if micros > 0 else "again now"


def tokens(count: int) -> str:
    """A number of tokens: ``1 token``, ``12,345 tokens``."""
    return f"{count:,} token{'' if count == 1 else 's'}"


def cost(usage: Usage) -> str:
    """What `usage` cost in US dollars, ``unknown`` when a request in it has no known price."""
    if usage.unpriced:
        return "cost unknown"
    if usage.cost == 0:
        return "$0.00"
    if usage.cost < Decimal("0.01"):
        return f"${usage.cost:.6f}".rstrip("0")
    return f"${usage.cost:,.4f}" if usage.cost < 1 else f"${usage.cost:,.2f}"


def usage_json(usage: Usage) -> dict[str, Any]:
    """`usage` for programs: `tokens` and `cost_usd` are always there, the latter None when a request had no known price."""
    priced = None if usage.unpriced else str(usage.cost)
    return {**usage.as_json(), "tokens": usage.tokens, "cost_usd": priced}


def consumed(usage: Usage) -> str:
    """Tokens and money of `usage`, or nothing when no model was asked."""
    return f"{tokens(usage.tokens)}, {cost(usage)}" if usage.requests else ""


def size(count: int) -> str:
    """A number of bytes: ``950 B``, ``4.2 KiB``, ``1.3 MiB``."""
    if count < 1_024:
        return f"{count} B"
    if count < 1_048_576:
        return f"{count / 1_024:.1f} KiB"
    return f"{count / 1_048_576:.1f} MiB"


def short(text: str, limit: int) -> str:
    """`text` on one line, at most `limit` characters of it."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: max(limit - 1, 0)]}…"
