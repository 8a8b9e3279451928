"""How much of a time limit does not count: the time in which everything below it waited for people.

A limit is about work. Whoever has to answer a question may sleep over it. All of it is told from the journal, so that every drive of a
run comes to the same number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from weft.core.event import Event

_BEGINS = frozenset({"step.started", "step.retrying", "signal.awaited"})
_ENDS = frozenset({"step.completed", "step.failed", "node.completed", "node.failed"})
_AFRESH = frozenset({"run.reopened", "run.forked"})


@dataclass(slots=True)
class _Below:
    """What is under way below a path: steps and timers, and questions to people."""

    path: str
    working: set[str] = field(default_factory=set)
    asking: set[str] = field(default_factory=set)
    let_go: bool = False

    def stands(self) -> bool:
        """Whether people are all that is waited for. A step that has a question inside it waits with it."""
        if self.let_go:
            return True
        if not self.asking:
            return False
        above: set[str] = set()
        for path in self.asking | self.working:
            above.update(_around(path))
        return self.working - self.asking <= above

    def take(self, event: Event) -> None:
        """Take one more event in."""
        path, kind = event.path, event.kind
        if kind in _AFRESH:
            self.working, self.asking, self.let_go = set(), set(), False
        elif kind == "run.waiting":
            self.let_go = only_people(event.data["waits"], self.path)
        elif kind == "run.started":
            self.let_go = False
        elif not inside(path, self.path):
            return
        elif kind == "gate.opened":
            self.asking.add(path)
        elif kind == "gate.decided":
            self.asking.discard(path)
        elif kind in _BEGINS or (kind == "timer.set" and event.data["due"] > event.at):
            # The beginning of a time limit is noted with that moment itself, a wait with the one of its end.
            self.working.add(path)
        elif kind in _ENDS:
            self._end(path)

    def _end(self, path: str) -> None:
        for under in (self.working, self.asking):
            under.discard(path)
            for other in [other for other in under if inside(other, path)]:
                under.discard(other)


def _around(path: str) -> Iterator[str]:
    while (cut := max(path.rfind("/"), path.rfind("["))) > 0:
        path = path[:cut]
        yield path


def inside(path: str, outer: str) -> bool:
    """Whether `path` is below `outer`; everything is below the root."""
    return not outer or path.startswith((f"{outer}/", f"{outer}["))


def around_limit(mark: str) -> str:
    """The path of the block whose time limit is journaled at `mark`."""
    return mark.removesuffix("/$time").removesuffix("/$block")


def only_people(waits: Iterable[Mapping[str, Any]], path: str) -> bool:
    """Whether all that is waited for below `path` are people; limits that stand still say nothing of it."""
    below = [wait for wait in waits if wait.get("kind") != "limit" and inside(str(wait.get("path", "")), path)]
    return bool(below) and all(wait.get("kind") == "gate" or wait.get("people") is True for wait in below)


def waited(events: Sequence[Event], path: str, since: int, now: int) -> int:
    """Microseconds from `since` to `now` in which everything below `path` waited for people."""
    below, total = _Below(path), 0
    stood: int | None = None
    for event in events:
        below.take(event)
        stands = below.stands()
        if stands and stood is None:
            stood = event.at
        elif not stands and stood is not None:
            total += max(0, event.at - max(stood, since))
            stood = None
    return total if stood is None else total + max(0, now - max(stood, since))
