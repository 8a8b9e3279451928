"""Following runs: any number of readers share one look at each run, whoever drives it.

A reader first gets what is in the journal and then what comes. Its place is all that is kept of it, and the page that it is at: one that is
too slow for what is remembered here reads on from the journal, and has missed nothing but streamed text.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from itertools import islice

from weft.app.serving.frames import Frame, Pages, fitting, frame_of
from weft.bus.envelope import DELTA, LAGGED, Envelope
from weft.bus.local import LocalBus, Subscription
from weft.core.errors import NotFoundError
from weft.core.event import Event
from weft.store.journal import Journal
from weft.store.statuses import TERMINAL

_KEPT, _KEPT_ROOM = 1_024, 4 * 1_048_576
"""So many frames of a run are remembered, and about so many bytes; up to twice that before the oldest go."""
_DRIVEN_S, _ELSEWHERE_S = 1.0, 0.1
"""Between two looks into the journal, for a run that this process drives (the bus tells) and for one that it does not."""
_HELD_S = 5.0
_ENDS = frozenset(f"run.{status}" for status in TERMINAL)


class _Tail:
    """The end of one run's journal, and the deltas since."""

    def __init__(self, journal: Journal, heard: Subscription, run_id: str, last: int | None) -> None:
        self.run_id = run_id
        self.readers = 0
        self.ended = False
        self._journal = journal
        self._heard = heard
        run = journal.runs.get(run_id)
        self.last = run.head_seq if last is None else last
        self.floor = self.last
        """The number of the last event that is not among the frames."""
        self.frames: list[Frame] = []
        self.size = 0
        self.pages = Pages(journal, run_id)
        self.begin = 0
        """The place of the first frame; places only grow."""
        loop = asyncio.get_running_loop()
        self._patience = _DRIVEN_S if run.driven else _ELSEWHERE_S
        self._look_at = loop.time() + self._patience
        self._changed: asyncio.Future[None] = loop.create_future()
        self._pump = asyncio.ensure_future(self._listen())

    @property
    def end(self) -> int:
        """The place behind the last frame."""
        return self.begin + len(self.frames)

    async def changed(self) -> None:
        """Return when there is more, or the run has ended."""
        await asyncio.shield(self._changed)

    def close(self) -> None:
        """Listen no more."""
        self._heard.close()
        self._pump.cancel()

    async def _listen(self) -> None:
        try:
            while not self.ended:
                envelope = await self._next()
                if envelope is None or envelope.type == LAGGED:
                    self._catch_up()
                elif envelope.type == DELTA:
                    data = envelope.data
                    self._add([Frame(self.last, DELTA, envelope.at, str(data["path"]), data)])
                elif envelope.seq == self.last + 1:
                    self._take([envelope.data])
                elif envelope.seq > self.last:
                    self._catch_up()
        except NotFoundError:
            pass  # deleted: that is an end too
        finally:
            self.ended = True
            self._wake()

    async def _next(self) -> Envelope | None:
        """What the bus says next; None when it is time to look into the journal."""
        now = asyncio.get_running_loop().time()
        if now >= self._look_at:
            # Not for each word that is streamed: who drives a run seldom changes.
            self._patience = _DRIVEN_S if self._journal.runs.get(self.run_id).driven else _ELSEWHERE_S
            self._look_at = now + self._patience
        try:
            async with asyncio.timeout(self._patience):
                return await anext(self._heard)
        except (TimeoutError, StopAsyncIteration):
            return None

    def _catch_up(self) -> None:
        run = self._journal.runs.get(self.run_id)
        if run.head_seq > self.last:
            self._take(self._journal.events(self.run_id, after=self.last))
        elif run.ended:
            self.ended = True
            self._wake()

    def _take(self, events: Iterable[Event]) -> None:
        frames = [frame_of(event) for event in events]
        if frames:
            self.last = frames[-1].seq
            self.ended = frames[-1].type in _ENDS
            self._add(frames)

    def _add(self, frames: list[Frame]) -> None:
        self.frames.extend(frames)
        self.size += sum(frame.size for frame in frames)
        if len(self.frames) > 2 * _KEPT or self.size > 2 * _KEPT_ROOM:
            self._forget()
        self._wake()

    def _forget(self) -> None:
        """Let go of the oldest frames."""
        gone = 0
        while len(self.frames) - gone > _KEPT or (self.size > _KEPT_ROOM and gone < len(self.frames)):
            self.size -= self.frames[gone].size
            gone += 1
        self.floor = max(self.floor, self.frames[gone - 1].seq)
        del self.frames[:gone]
        self.begin += gone

    def _wake(self) -> None:
        if not self._changed.done():
            self._changed.set_result(None)
        if not self.ended:
            self._changed = asyncio.get_running_loop().create_future()


class _Reader:
    """One reader's place: the number of its last event, and where it is among the frames."""

    def __init__(self, journal: Journal, tail: _Tail, after: int) -> None:
        self._journal = journal
        self._tail = tail
        self._seq = after
        self._place = tail.end

    def read(self) -> list[Frame] | None:
        """What there is for it now, a page at most; nothing when it has to wait, None when there will be no more."""
        tail = self._tail
        if self._seq < tail.floor:
            # No further than that: a delta among the frames may be older than an event that is in the journal by now.
            page = tail.pages.read(self._seq, tail.floor)
            self._place = tail.begin
            self._seq = page[-1].seq if page else self._seq
            # A run that was deleted meanwhile has none.
            return page or None
        behind = self._place >= tail.end and self._seq < tail.last
        place = tail.begin if behind else max(self._place, tail.begin)
        while place < tail.end:
            page = fitting(islice(tail.frames, place - tail.begin, None))
            place = self._place = place + len(page)
            if found := [frame for frame in page if self._is_new(frame)]:
                return found
        return None if tail.ended else []

    def _is_new(self, frame: Frame) -> bool:
        if frame.delta:
            return frame.seq >= self._seq
        new = frame.seq > self._seq
        self._seq = max(self._seq, frame.seq)
        return new


@dataclass(slots=True)
class _Held:
    """What a run says after event number `last`, kept unread until somebody follows it: then it is what `tail` hears."""

    heard: Subscription
    last: int
    until: float
    tail: _Tail | None = None


class Tails:
    """Follows runs of one journal; for one event loop."""

    def __init__(self, journal: Journal, bus: LocalBus) -> None:
        self._journal = journal
        self._bus = bus
        self._tails: dict[str, _Tail] = {}
        self._held: dict[str, _Held] = {}
        """The oldest first."""
        self._sweeping: asyncio.TimerHandle | None = None

    async def follow(self, run_id: str, *, after: int = 0) -> AsyncGenerator[Frame]:
        """What has happened to a run after event number `after`, and what comes, until the run ends. Waits do not end it.

        Deltas are those from the first look on. Close it (`aclose`) to stop earlier.

        Raises:
            NotFoundError: there is no such run.
        """
        tail = self._join(run_id)
        reader = _Reader(self._journal, tail, after)
        try:
            while (frames := reader.read()) is not None:
                for frame in frames:
                    yield frame
                if not frames:
                    await tail.changed()
        finally:
            self._leave(tail)

    def hold(self, run_id: str, last: int) -> None:
        """Listen to a run that is about to be driven, so that whoever follows it in the next seconds misses no word of it.

        `last` is the number of its last event, and nothing has happened to it since.
        """
        loop = asyncio.get_running_loop()
        self.let_go(run_id)
        self._held[run_id] = _Held(self._listen(run_id), last, loop.time() + _HELD_S)
        if self._sweeping is None:
            self._sweeping = loop.call_later(_HELD_S, self._sweep)

    def let_go(self, run_id: str) -> None:
        """The run is driven no more: whoever follows it from now on finds all that it said in the journal."""
        held = self._held.pop(run_id, None)
        if held is not None and held.tail is None:
            held.heard.close()
        elif held is not None and held.tail is not None:
            self._leave(held.tail)

    def _sweep(self) -> None:
        """Let go of those whose time is over."""
        loop = asyncio.get_running_loop()
        for run_id in [one for one, held in self._held.items() if held.until <= loop.time()]:
            self.let_go(run_id)
        oldest = next(iter(self._held.values()), None)
        self._sweeping = None if oldest is None else loop.call_at(oldest.until, self._sweep)

    def close(self) -> None:
        """End every reader."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        for run_id in list(self._held):
            self.let_go(run_id)
        for tail in list(self._tails.values()):
            tail.close()

    def _listen(self, run_id: str) -> Subscription:
        return self._bus.subscribe(f"run/{run_id}", max_queue=4 * _KEPT)

    def _join(self, run_id: str) -> _Tail:
        tail = self._tails.get(run_id)
        if tail is None or tail.ended:
            held = self._held.get(run_id)
            kept = held if held is not None and held.tail is None else None
            if kept is None:
                tail = _Tail(self._journal, self._listen(run_id), run_id, None)
            else:
                # What was heard before anybody followed keeps its order.
                tail = kept.tail = _Tail(self._journal, kept.heard, run_id, kept.last)
                tail.readers += 1
            self._tails[run_id] = tail
        tail.readers += 1
        return tail

    def _leave(self, tail: _Tail) -> None:
        tail.readers -= 1
        if not tail.readers:
            tail.close()
            if self._tails.get(tail.run_id) is tail:
                del self._tails[tail.run_id]
