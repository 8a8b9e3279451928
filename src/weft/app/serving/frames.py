"""What followers of runs are given: frames, in pages that hold no more than so much, which those who are at one place share."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

from weft.bus.envelope import DELTA
from weft.core.event import Event
from weft.store.journal import Journal

ROOM = 262_144
"""About so many bytes are taken up at once for one reader; a single frame may be larger."""
_MOST, _FIRST = 500, 16
"""Events in one page; in the first one, of which nobody knows yet how large they are."""
_PAGES_ROOM = 8 * ROOM
_PAGES_S = 5.0
"""What is remembered of the past is read anew after so long: it may have been erased meanwhile."""
_EACH = 64
"""Bytes that a value takes beside its text, more or less."""


class Frame:
    """One thing that happened to a run: an event, with its number, or a delta, with the number of the event before it.

    `form` is for whoever sends frames: what one reader has encoded serves all others. `size` is about how many bytes it takes.
    """

    __slots__ = ("at", "data", "form", "path", "seq", "size", "type")

    def __init__(self, seq: int, type: str, at: int, path: str, data: Any) -> None:  # noqa: A002 -- the word of the envelope
        self.seq = seq
        self.type = type
        self.at = at
        self.path = path
        self.data = data
        self.form: bytes | None = None
        self.size = _size(data)

    @property
    def delta(self) -> bool:
        """Whether it is no history."""
        return self.type == DELTA


def frame_of(event: Event) -> Frame:
    """An event as a frame."""
    return Frame(event.seq, event.kind, event.at, event.path, event.data)


def fitting(frames: Iterable[Frame]) -> list[Frame]:
    """The first of these, as many as there is room for; at least one, if there are any."""
    found: list[Frame] = []
    room = ROOM
    for frame in frames:
        if found and frame.size > room:
            break
        found.append(frame)
        room -= frame.size
    return found


class Pages:
    """The past of a run in pages. Those who come together, or come back together, read each of them once."""

    def __init__(self, journal: Journal, run_id: str) -> None:
        self._journal = journal
        self._run_id = run_id
        self._limit = _FIRST
        self._kept: OrderedDict[int, tuple[float, int, list[Frame]]] = OrderedDict()
        self._size = 0

    def read(self, after: int, until: int) -> list[Frame]:
        """Some of the events after number `after`, the oldest first, up to number `until`; none for a run that was deleted."""
        found = self._kept.get(after)
        if found is not None and found[0] > time.monotonic():
            self._kept.move_to_end(after)
            return found[2]
        limit = min(self._limit, until - after)
        page = [frame_of(event) for event in self._journal.events(self._run_id, after=after, limit=limit)]
        size = sum(frame.size for frame in page)
        # As many as would have filled the room this time; never many more at once, for the next ones may be larger.
        fit = len(page) * ROOM // max(size, 1)
        self._limit = max(1, min(fit, 4 * self._limit, _MOST))
        self._keep(after, page, size)
        return page

    def _keep(self, after: int, page: list[Frame], size: int) -> None:
        _, before, _ = self._kept.pop(after, (0.0, 0, []))
        self._kept[after] = (time.monotonic() + _PAGES_S, size, page)
        self._size += size - before
        while self._size > _PAGES_ROOM and len(self._kept) > 1:
            _, (_, gone, _) = self._kept.popitem(last=False)
            self._size -= gone


def _size(data: Any) -> int:
    """About how many bytes a value takes."""
    size, left = 0, [data]
    while left:
        one = left.pop()
        size += _EACH
        if isinstance(one, str):
            size += len(one)
        elif isinstance(one, dict):
            left.extend(one)
            left.extend(one.values())
        elif isinstance(one, list):
            left.extend(one)
    return size
