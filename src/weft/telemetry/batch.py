"""A thread that sends things in batches, so that nobody waits for the far end."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class BatchWorker(Generic[T]):
    """Collects items and hands them to `send` on a thread of its own: when `batch` are there, or after `delay_s`.

    The queue holds at most `max_queue` items; more are dropped and counted in `dropped`. The thread starts with the first
    item and never keeps a process alive. `send` must not raise.
    """

    def __init__(
        self, send: Callable[[list[T]], None], *, max_queue: int = 8_192, batch: int = 512, delay_s: float = 1.0
    ) -> None:
        self.dropped = 0
        self._send = send
        self._max_queue = max_queue
        self._batch = batch
        self._delay_s = delay_s
        self._queue: deque[T] = deque()
        self._wake = threading.Condition()
        self._is_closing = False
        self._thread: threading.Thread | None = None

    def put(self, item: T) -> None:
        """Queue `item`. Never blocks on `send`; after `close` it is dropped."""
        with self._wake:
            if self._is_closing or len(self._queue) >= self._max_queue:
                self.dropped += 1
                return
            self._queue.append(item)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="weft-telemetry", daemon=True)
                self._thread.start()
            if len(self._queue) == self._batch:
                self._wake.notify()

    def close(self, timeout_s: float) -> bool:
        """Send what is queued, waiting at most `timeout_s` seconds. False when that was not enough."""
        with self._wake:
            self._is_closing = True
            self._wake.notify()
        if self._thread is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while True:
            deadline = time.monotonic() + self._delay_s
            with self._wake:
                while not self._is_closing and len(self._queue) < self._batch:
                    left = deadline - time.monotonic()
                    if left <= 0:
                        break
                    self._wake.wait(left)
                items = [self._queue.popleft() for _ in range(min(self._batch, len(self._queue)))]
                if not items and self._is_closing:
                    return
            if items:
                self._send(items)
