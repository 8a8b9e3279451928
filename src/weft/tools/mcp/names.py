"""The names under which agents see the tools of servers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_FORBIDDEN = re.compile(r"[^A-Za-z0-9_-]")
_LENGTH = 64
"""What every provider of models accepts."""


def exposed_names(tools: Sequence[tuple[str, str]], taken: Iterable[str] = ()) -> list[str]:
    """A name for each (server, tool), in order: the tool's own where it is free, else with the server's before it."""
    used = set(taken)
    names = []
    for server, tool in tools:
        for wish in (_fit(tool), _fit(f"{server}_{tool}")):
            name = wish
            if name not in used:
                break
        number = 2
        while name in used:
            suffix = f"_{number}"
            name, number = wish[: _LENGTH - len(suffix)] + suffix, number + 1
        used.add(name)
        names.append(name)
    return names


def _fit(name: str) -> str:
    return _FORBIDDEN.sub("_", name)[:_LENGTH]
