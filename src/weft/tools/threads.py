"""Synchronous functions beside the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextvars import copy_context
from queue import Empty, SimpleQueue
from typing import Any

from weft.core.errors import ToolError

_IDLE_S = 2.0
"""How long a thread without work waits for some (seconds) before it ends."""


class Threads:
    """Runs each function in a daemon thread, at most `limit` at once; a thread that has finished takes the next function.

    A thread cannot be killed: a function that is given up goes on and holds its place until it returns. The threads are
    not those of the loop's executor, so that a function that hangs blocks neither look-ups of names nor the exit.
    """

    def __init__(self, limit: int = 64) -> None:
        self._limit = limit
        self._places = threading.BoundedSemaphore(limit)
        self._work: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._idle = 0
        self._counting = threading.Lock()

    async def run(self, function: Callable[[], Any]) -> Any:
        """What `function` returns or raises.

        Raises:
            ToolError: every place is taken.
        """
        if not self._places.acquire(blocking=False):
            raise ToolError(
                f"{self._limit} calls of synchronous tools are still running",
                fix="make the tools return, or write them as async functions that can be cancelled",
            )
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        context = copy_context()

        def work() -> None:
            value, error = None, None
            try:
                value = context.run(function)
            except BaseException as raised:  # noqa: BLE001 -- whatever it is, it belongs to the caller
                error = _carried(raised)
            finally:
                # Before anybody hears of the result: who calls again at once finds the place, and the thread, free.
                with self._counting:
                    self._idle += 1
                self._places.release()
            try:
                loop.call_soon_threadsafe(_settle, future, value, error)
            except RuntimeError:
                return  # the loop is closed: nobody waits any more

        try:
            self._hand_over(work)
        except RuntimeError as error:
            self._places.release()
            raise ToolError("the system gives no more threads", fix="run fewer tools at once") from error
        return await future

    def _hand_over(self, work: Callable[[], None]) -> None:
        """Give `work` to a thread that waits for some, or to a new one: starting one costs more than most functions."""
        with self._counting:
            waiting = self._idle > 0
            self._idle -= waiting
        if waiting:
            self._work.put(work)
        else:
            threading.Thread(target=self._serve, args=(work,), name="weft-tool", daemon=True).start()

    def _serve(self, work: Callable[[], None]) -> None:
        while True:
            work()
            del work  # what the function holds is not kept for the next one
            try:
                work = self._work.get(timeout=_IDLE_S)
            except Empty:
                with self._counting:
                    if self._idle:
                        self._idle -= 1
                        return
                # Somebody counted on this thread just now.
                work = self._work.get()


def _carried(error: BaseException) -> Exception:
    """A future takes no StopIteration, and a tool must not end the process."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    return ToolError(f"the tool raised {type(error).__name__}", fix="raise an ordinary exception")


def _settle(future: asyncio.Future[Any], value: Any, error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(error)
