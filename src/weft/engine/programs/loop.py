"""The event loop of a program: without time and without I/O, so that its tasks take the same turns in every life."""

from __future__ import annotations

import asyncio
import contextvars
import sys
from collections import Counter, deque
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from weft.core.errors import LimitError, UnsupportedError
from weft.engine.programs.port import PLACE
from weft.plan.paths import segment

_TURNS = 100_000
"""Turns that a program may take without asking for anything."""
_FIX = "do it in a `weft.tool`, or in the function of a `weft.step`"
_OUTSIDE = {
    "call_soon_threadsafe": "wait for another thread",
    "run_in_executor": "start a thread",
    "getaddrinfo": "look up an address",
    "create_connection": "open a connection",
    "create_server": "serve",
    "subprocess_exec": "start a process",
    "subprocess_shell": "start a process",
    "add_reader": "read from outside",
    "add_writer": "write to the outside",
    "sock_connect": "open a connection",
    "sock_recv": "read from outside",
    "sock_sendall": "write to the outside",
}
"""Methods of a loop that lead outside, each with what it does."""


class ProgramLoop(asyncio.AbstractEventLoop):
    """Runs callbacks in the order in which they became ready; `turn` returns when none is left.

    A task that a task makes stands below it: ``/name[n]``, by the name of its coroutine and in the order of creation.
    """

    def __init__(self) -> None:
        self._ready: deque[asyncio.Handle] = deque()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._born = Counter[str]()

    def turn(self, most: int = _TURNS) -> None:
        """Run everything that can go on by itself.

        Raises:
            LimitError: it does not come to rest.
        """
        # The loop that drives us is running, and mostly in a task: both step aside for the while.
        outer = asyncio.get_running_loop()
        task = asyncio.current_task(outer)
        if task is not None:
            asyncio._leave_task(outer, task)  # noqa: SLF001 -- for authors of event loops
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(None, None)
        asyncio._set_running_loop(self)  # noqa: SLF001 -- same
        try:
            for _ in range(most):
                if not self._ready:
                    return
                handle = self._ready.popleft()
                if not handle.cancelled():
                    handle._run()  # noqa: SLF001 -- same
        finally:
            asyncio._set_running_loop(outer)  # noqa: SLF001 -- same
            sys.set_asyncgen_hooks(*hooks)
            if task is not None:
                asyncio._enter_task(outer, task)  # noqa: SLF001 -- same
        raise LimitError(
            f"the program took {most:,} turns without asking for anything",
            fix="wait with `weft.sleep` or for a step, not in a loop that looks again and again",
        )

    def abandon(self) -> None:
        """Stop every task. Whoever does not let itself be stopped is left to itself."""
        for _ in range(8):
            for task in list(self._tasks):
                task.cancel()
            try:
                self.turn(10_000)
            except LimitError:
                break
            if not self._tasks:
                break
        self._ready.clear()

    def create_task(self, coro: Any, *, name: Any = None, context: Any = None, **_: Any) -> asyncio.Task[Any]:
        """A task that runs here, below the one that makes it."""
        about = contextvars.copy_context() if context is None else context
        above = about.get(PLACE, "")
        called = segment(getattr(coro, "__name__", "task"))
        mark = f"{above}/{called}"
        about.run(PLACE.set, f"{mark}[{self._born[mark]}]")
        self._born[mark] += 1
        return self._begun(asyncio.Task(coro, loop=self, name=name, context=about))

    def main(self, coro: Coroutine[Any, Any, Any], path: str) -> asyncio.Task[Any]:
        """The first task, whose steps stand right below `path`."""
        about = contextvars.copy_context()
        about.run(PLACE.set, path)
        return self._begun(asyncio.Task(coro, loop=self, context=about))

    def create_future(self) -> asyncio.Future[Any]:
        """A future that is waited for here."""
        return asyncio.Future(loop=self)

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Any = None) -> asyncio.Handle:  # type: ignore[override]  # its types, said shorter
        """Schedule `callback` behind what is ready."""
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """What a task left behind unread is nobody's business: its steps are in the journal."""

    def get_debug(self) -> bool:
        """Never."""
        return False

    def is_running(self) -> bool:
        """While something turns it."""
        return True

    def is_closed(self) -> bool:
        """It holds nothing that could be closed."""
        return False

    def time(self) -> float:
        """There is none here."""
        return 0.0

    def _begun(self, task: asyncio.Task[Any]) -> asyncio.Task[Any]:
        self._tasks.add(task)
        task.add_done_callback(self._over)
        return task

    def _over(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            # Read, so that asyncio does not complain; whoever awaits the task still gets it.
            task.exception()


def _refusing(message: str, fix: str) -> Callable[..., NoReturn]:
    def refuse(_: ProgramLoop, *_args: Any, **_rest: Any) -> NoReturn:
        raise UnsupportedError(message, fix=fix)

    return refuse


for _method in ("call_later", "call_at"):
    setattr(
        ProgramLoop,
        _method,
        _refusing(
            "a workflow function waits with `weft.sleep`: the clock of asyncio does not survive the process",
            "write `await weft.sleep(seconds)`, or give the step a `timeout_s`",
        ),
    )
for _method, _what in _OUTSIDE.items():
    setattr(ProgramLoop, _method, _refusing(f"a workflow function may not {_what}: that is for steps", _FIX))
