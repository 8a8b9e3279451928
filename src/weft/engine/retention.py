"""What a run keeps in memory of steps that nobody will ask for again: only what a position still names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Kept:
    """Where a composite stands.

    `rows` are added to from position to position; what they name is `pinned`. `loose` are paths of what is over that only the
    latest position names.
    """

    position: Any = None
    rows: list[Any] = field(default_factory=list)
    pinned: set[str] = field(default_factory=set)
    loose: set[str] = field(default_factory=set)


@dataclass(slots=True)
class PathTree:
    """Paths of steps and composites, such that all below one of them are found at once."""

    _top: dict[str, Any] = field(default_factory=dict)
    _new: list[str] = field(default_factory=list)
    """Not in the tree yet: most runs end without anything being taken out."""

    def add(self, path: str) -> None:
        """Take in a path."""
        self._new.append(path)

    def take(self, path: str) -> list[str]:
        """Take out `path` and all below it, and return them."""
        self._grow()
        if not path:
            everything, self._top = self._top, {}
            return list(_leaves(everything))
        *above, last = path.split("/")[1:]
        level = self._top
        for name in above:
            if name not in level:
                return []
            level = level[name]
        return list(_leaves(level.pop(last, {})))

    def _grow(self) -> None:
        new, self._new = self._new, []
        for path in new:
            level = self._top
            for name in path.split("/")[1:]:
                level = level.setdefault(name, {})
            level[""] = path


def paths_in(value: Any, prefix: str) -> set[str]:
    """Every text in the JSON `value` that may be a path under `prefix`."""
    found: set[str] = set()
    pending = [value]
    while pending:
        one = pending.pop()
        if isinstance(one, str):
            if one.startswith(prefix):
                found.add(one)
        elif isinstance(one, dict):
            pending.extend(one.values())
        elif isinstance(one, list):
            pending.extend(one)
    return found


def named(path: str, names: set[str]) -> bool:
    """Whether `path` or one above it is among `names`."""
    while path:
        if path in names:
            return True
        path = path.rpartition("/")[0]
    return False


def _leaves(level: Any) -> Iterator[str]:
    pending = [level]
    while pending:
        one = pending.pop()
        if isinstance(one, str):
            yield one
        else:
            pending.extend(one.values())
