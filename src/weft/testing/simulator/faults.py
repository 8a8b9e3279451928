"""Faults to inject, as people write them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from weft.core.errors import InputError
from weft.spec.model.swarm import Partition

_PARTITION = re.compile(r"(\d{1,4})-(\d{1,4})(?:/(\d{1,3}))?")
_FIX = "write for example --faults latency=0.2..2,errors=0.05,limits=0.02,garbage=0.01,crashes=0.001"


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What goes wrong. `latency` is the shortest and the longest time that a request takes, in virtual seconds.

    The others are chances: of a request to fail in a way that passes (`errors`), to be refused as one too many (`limits`) or
    to be answered with nonsense (`garbage`), and of the process to die at an append (`crashes`).
    """

    latency: tuple[float, float] = (0.2, 2.0)
    errors: float = 0.0
    limits: float = 0.0
    garbage: float = 0.0
    crashes: float = 0.0


def parse_faults(text: str) -> Faults:
    """The faults that `text` names; none of the chances when it is empty.

    Raises:
        InputError: it names others, or says what is no chance or no time.
    """
    faults = Faults()
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, sign, value = part.partition("=")
        read = _READERS.get(name)
        if read is None or not sign:
            raise InputError(f"there is no fault {part!r}", fix=_FIX)
        faults = replace(faults, **{name: read(value)})
    return faults


def _chance(text: str) -> float:
    value = _number(text)
    if not 0 <= value <= 0.5:
        raise InputError(f"{text!r} is no chance between 0 and 0.5", fix=_FIX)
    return value


def _times(text: str) -> tuple[float, float]:
    low, sign, high = text.partition("..")
    times = _number(low), _number(high if sign else low)
    if not 0 <= times[0] <= times[1] <= 86_400:
        raise InputError(f"{text!r} is no time between 0 and 86400 seconds", fix=_FIX)
    return times


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{text!r} is no number", fix=_FIX) from None


_READERS: Mapping[str, Callable[[str], Any]] = {
    "latency": _times,
    "errors": _chance,
    "limits": _chance,
    "garbage": _chance,
    "crashes": _chance,
}


def parse_partitions(texts: Sequence[str]) -> list[Partition]:
    """Partitions as ``first-last/groups``, such as ``2-6/2``; two groups when nothing else is said.

    Raises:
        InputError: one is not written so.
    """
    found = []
    for text in texts:
        match = _PARTITION.fullmatch(text.strip())
        first, last, groups = (int(match[1]), int(match[2]), int(match[3] or 2)) if match else (0, 0, 0)
        if not 1 <= first <= last or not 2 <= groups <= 100:
            raise InputError(
                f"{text!r} is no partition",
                fix="write first-last/groups, such as --partition 2-6/2: two groups in rounds 2 to 6",
            )
        found.append(Partition(first=first, last=last, groups=groups))
    return found
