"""Times that come again: lengths of time, time zones and cron expressions, as people write them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from cronsim import CronSim, CronSimError

from weft.core.clock import to_datetime
from weft.core.errors import InputError
from weft.spec.suggest import did_you_mean

LONGEST_S = 3_660 * 86_400.0
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")


def seconds(text: str) -> float:
    """The length that a text such as ``90``, ``15m`` or ``1h30m`` says, in seconds.

    Raises:
        InputError: it says none.
    """
    plain = text.strip().lower()
    if re.fullmatch(r"\d+(\.\d+)?", plain):
        plain += "s"
    parts = _DURATION.findall(plain)
    if not parts or "".join(number + unit for number, unit in parts) != plain:
        raise InputError(f"{text[:40]!r} is no length of time", fix="write for example 30s, 15m, 1h30m or 2d")
    length = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if length > LONGEST_S:
        raise InputError(f"{text[:40]!r} is longer than ten years", fix="choose a shorter time")
    return length


def zone(name: str) -> ZoneInfo:
    """The time zone of this name.

    Raises:
        InputError: there is none.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        near = did_you_mean(name, available_timezones())
        fix = near if near.startswith("did") else "use a name such as Europe/Berlin or UTC"
        raise InputError(f"there is no time zone {name[:80]!r}", fix=fix) from error


def ticks(cron: str, tz: str, after: int) -> Iterator[int]:
    """The times of a cron expression in the zone `tz` after `after`, in microseconds.

    Raises:
        InputError: the expression cannot be read, or is never due, or there is no such zone.
    """
    start = to_datetime(after).astimezone(zone(tz))
    try:
        for tick in CronSim(cron, start):
            at = round(tick.timestamp()) * 1_000_000
            if at > after:
                yield at
    except CronSimError as error:
        raise InputError(
            f"{cron[:80]!r} is no cron expression: {str(error).lower()}",
            fix="write five fields: minute, hour, day of the month, month, day of the week, such as '0 8 * * 1-5'",
        ) from error
    raise InputError(f"{cron[:80]!r} is never due", fix="choose a day that exists")
