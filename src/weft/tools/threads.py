"""Synchronous functions beside the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

from weft.core.errors import ToolError


class Threads:
    """Runs each function in a daemon thread of its own, at most `limit` at once.

    A thread cannot be killed: a function that is given up goes on and holds its place until it returns. The threads are
    not those of the loop's executor, so that a function that hangs blocks neither look-ups of names nor the exit.
    """

    def __init__(self, limit: int = 64) -> None:
        self._limit = limit
        self._places = threading.BoundedSemaphore(limit)

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
                self._places.release()
            try:
                loop.call_soon_threadsafe(_settle, future, value, error)
            except RuntimeError:
                return  # the loop is closed: nobody waits any more

        try:
            threading.Thread(target=work, name="weft-tool", daemon=True).start()
        except RuntimeError as error:
            self._places.release()
            raise ToolError("the system gives no more threads", fix="run fewer tools at once") from error
        return await future


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
