"""The bus inside one process."""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType
from typing import Self

from weft.bus.envelope import DELTA, LAGGED, Envelope


class Subscription:
    """One reader's view of the bus: an async iterator, open from the moment it is made until `close`.

    A reader that is too slow first loses deltas, then everything that it has not read; in place of either it gets one
    envelope of type ``lagged`` whose `data` is ``{"missed": n, "events": n}`` (of which so many were events) and whose
    `seq` is the last event it was given, so that it can read on from the journal.
    """

    def __init__(self, bus: LocalBus, prefix: str, max_queue: int) -> None:
        self._bus = bus
        self.prefix = prefix
        self._max_queue = max_queue
        self._queue: deque[Envelope] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._closed = False
        self._seq = 0
        self._missed = 0
        self._missed_events = 0

    def offer(self, envelope: Envelope) -> None:
        """Keep `envelope`, of one of its topics, for the reader. Never blocks; called by the bus."""
        if len(self._queue) >= self._max_queue:
            self._shed()
        self._queue.append(envelope)
        self._wake()

    def close(self) -> None:
        """Stop listening; the iterator ends after what was already offered."""
        self._closed = True
        self._bus.forget(self)
        self._wake()

    def _shed(self) -> None:
        kept = deque(one for one in self._queue if one.type != DELTA)
        # When hardly anything was a delta, making room one by one would cost a pass for each publication.
        if len(kept) > self._max_queue // 2:
            self._missed_events += len(kept)
            kept.clear()
        self._missed += len(self._queue) - len(kept)
        self._queue = kept

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Envelope:
        while not self._queue and not self._missed:
            if self._closed:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        if self._missed:
            return self._lagged()
        envelope = self._queue.popleft()
        if envelope.type != DELTA:
            self._seq = envelope.seq
        return envelope

    def _lagged(self) -> Envelope:
        data = {"missed": self._missed, "events": self._missed_events}
        at = self._queue[0].at if self._queue else 0
        self._missed = self._missed_events = 0
        return Envelope(self._seq, self.prefix, LAGGED, at, data)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class LocalBus:
    """Hands each envelope to the readers of its topic, in order. For one event loop: publish only from it.

    `listening` says whether anybody listens at all: look at it before making an envelope, for most runs have no viewer.
    """

    def __init__(self) -> None:
        self.listening = False
        self._readers: dict[str, tuple[Subscription, ...]] = {}

    def publish(self, envelope: Envelope) -> None:
        """Offer `envelope` to every reader of its topic. Returns at once, whatever they do, and however many read other topics."""
        topic = envelope.topic
        while True:
            for reader in self._readers.get(topic, ()):
                reader.offer(envelope)
            if not topic:
                break
            topic = topic.rpartition("/")[0]

    def subscribe(self, topic_prefix: str = "", *, max_queue: int = 1_000) -> Subscription:
        """A reader of `topic_prefix` and everything below it (``run`` hears ``run/7``, not ``runner``); all when empty.

        It hears what is published from now on, and holds at most `max_queue` envelopes unread. Close it, or use it
        with ``async with``.

        Raises:
            ValueError: `max_queue` is less than 1.
        """
        if max_queue < 1:
            raise ValueError("max_queue must be at least 1")
        reader = Subscription(self, topic_prefix, max_queue)
        self._readers[topic_prefix] = (*self._readers.get(topic_prefix, ()), reader)
        self.listening = True
        return reader

    def forget(self, reader: Subscription) -> None:
        """Offer nothing to `reader` any more."""
        left = tuple(other for other in self._readers.get(reader.prefix, ()) if other is not reader)
        if left:
            self._readers[reader.prefix] = left
        else:
            self._readers.pop(reader.prefix, None)
        self.listening = bool(self._readers)

    def close(self) -> None:
        """End every reader."""
        for reader in [one for readers in self._readers.values() for one in readers]:
            reader.close()
