"""A simulated world for the engine: virtual time, and a seeded order among tasks that are ready at once.

Everything runs in one thread and nothing waits for real, so a case is repeatable from its seed.
"""

from __future__ import annotations

import asyncio
import random
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from weft.core.ids import uuid7

T = TypeVar("T")
EPOCH = 1_760_000_000_000_000
"""When simulated worlds begin, in microseconds since the Unix epoch."""


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer instead of waiting, and which shuffles ready callbacks by `seed`.

    With ``seed=None`` callbacks keep their order.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._virtual_now = 0.0
        self._order = None if seed is None else random.Random(seed)  # noqa: S311 -- repeatable on purpose
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        """Seconds of virtual time."""
        return self._virtual_now

    def jump(self, seconds: float) -> None:
        """Let virtual time pass."""
        self._virtual_now += seconds

    def run_in_executor(  # type: ignore[override]  # its types are those of the base class, said shorter
        self, executor: Any, func: Any, *args: Any
    ) -> asyncio.Future[Any]:
        """Do what is meant for a thread here and now: how long a real thread takes is no part of this world."""
        del executor
        future: asyncio.Future[Any] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 -- it is for whoever awaits the future
            future.set_exception(error)
        return future

    def call_soon(  # type: ignore[override]  # its types are those of the base class, said shorter
        self, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.Handle:
        """Schedule `callback`, somewhere among those that are ready."""
        handle = super().call_soon(callback, *args, context=context)
        ready: Any = self._ready  # type: ignore[attr-defined]  # a detail of asyncio, and the one way to reorder
        if self._order is not None and len(ready) > 1:
            ready.insert(self._order.randrange(len(ready)), ready.pop())
        return handle


class _JumpingSelector(selectors.DefaultSelector):
    """A selector that never blocks: where it would, virtual time passes."""

    def __init__(self, loop: SimulatedLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready now; a positive `timeout` passes at once."""
        found: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        if found:
            return found
        if timeout is None:
            raise RuntimeError("the simulated world has come to a stop: everything waits and no timer is set")
        if timeout > 0:
            # A hair more, so that rounding never leaves a timer undue.
            self._loop.jump(timeout + 1e-9)
        return []


class SimulatedClock:
    """A `weft.core.clock.Clock` over the virtual time of the running `SimulatedLoop`."""

    def micros(self) -> int:
        """Microseconds since the Unix epoch, as the simulated world sees it."""
        return EPOCH + int(asyncio.get_running_loop().time() * 1_000_000)

    def monotonic(self) -> float:
        """Seconds of virtual time."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Let virtual time pass."""
        await asyncio.sleep(seconds)


class SeededEntropy:
    """Repeatable bytes, and ids made of them."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 -- repeatable on purpose
        self._ids = 0

    def __call__(self, count: int) -> bytes:
        """The next `count` bytes."""
        return self._random.randbytes(count)

    def new_id(self) -> str:
        """The next id: a UUID of version 7 whose time is a counter."""
        self._ids += 1
        return uuid7(millis=EPOCH // 1_000 + self._ids, entropy=self)


def simulate(main: Callable[[], Coroutine[Any, Any, T]], *, seed: int | None = None) -> T:
    """Run `main` in a simulated world and return its result."""
    loop = SimulatedLoop(seed)
    try:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(main())
    finally:
        pending = asyncio.all_tasks(loop)
        for task in pending:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
        asyncio.set_event_loop(None)
        loop.close()
