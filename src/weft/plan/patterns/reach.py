"""The order of what a document names in a map: that in which one comes to it, for the order of keys must not reach the plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def by_reach(start: str, ways: Mapping[str, Iterable[str]]) -> list[str]:
    """The names in `ways` as one comes to them from `start`, the nearest first; then by name those that no way leads to."""
    found = [start]
    known = {start}
    for name in found:  # grows while it is walked
        for target in ways[name]:
            if target not in known:
                known.add(target)
                found.append(target)
    return [*found, *sorted(ways.keys() - known)]
