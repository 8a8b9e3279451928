"""What a replay owes the walk: ends that the journal has and that were not handed over yet, found by where they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

HandOver = Callable[[], None]


def around(path: str) -> str:
    """The path of what is right around `path`."""
    return path[: max(path.rfind("/"), path.rfind("["), 0)]


@dataclass(slots=True)
class Owed:
    """In the order in which they were recorded. Each is known to all that is around it, so that nobody looks through the others."""

    _left: dict[int, tuple[str, HandOver]] = field(default_factory=dict)
    _inside: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    _failed: set[int] = field(default_factory=set)
    _count: int = 0

    def __bool__(self) -> bool:
        """Whether anything is owed."""
        return bool(self._left)

    def add(self, path: str, hand_over: HandOver, *, failed: bool = False) -> None:
        """The end of what is at `path` is owed."""
        self._count += 1
        if failed:
            self._failed.add(self._count)
        self._left[self._count] = (path, hand_over)
        if path:
            self._inside[path].append(self._count)
        for outer in _outwards(around(path)):
            self._inside[outer].append(self._count)

    def take_one(self, path: str) -> HandOver | None:
        """One end that is owed at `path` or inside it, if any is; it is owed no more. What failed comes last: it seldom begins anything."""
        numbers = [number for number in self._inside.get(path, ()) if number in self._left]
        if not numbers:
            return None
        return self._left.pop(min(numbers, key=lambda number: (number in self._failed, number)))[1]

    def take(self, path: str, *, alone: bool = False) -> list[HandOver]:
        """What is owed at `path` and, unless it is to be `alone`, inside it; it is owed no more."""
        numbers = [number for number in self._inside.pop(path, ()) if number in self._left]
        if alone and (stay := [number for number in numbers if self._left[number][0] != path]):
            self._inside[path] = stay
            numbers = [number for number in numbers if self._left[number][0] == path]
        return [self._left.pop(number)[1] for number in numbers]

    def clear(self) -> None:
        """Nothing is owed any more."""
        self._left.clear()
        self._inside.clear()
        self._failed.clear()


@lru_cache(maxsize=1024)
def _outwards(path: str) -> tuple[str, ...]:
    """`path` and all that is around it, which siblings share."""
    return (path, *_outwards(around(path))) if path else (path,)
