"""What of a run works and what waits. When nothing works any more, those who wait let go, so that a waiting run costs nothing.

Nothing here decides anything: whoever is let go answers `Suspended`, and everything they wait for is in the journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, Self

from weft.core.clock import Clock

LINGER_S = 0.05
"""So long must everything have waited before it is let go: what comes at once is taken at once (seconds)."""
NEAR_S = 60.0
"""A timer that is due within so many seconds is slept through; one further off lets go of the run."""

Woken = Literal["rung", "due", "over"]
"""Why a wait returned: something happened outside, the time has come, or everything waits."""


@dataclass(slots=True, eq=False)
class Activity:
    """A step that is being performed, as a context manager. It works unless something inside it does so for it, or waits."""

    waiting: Waiting
    parent: Activity | None = None
    inside: int = 0
    queued: bool = False
    ended: bool = False

    @property
    def busy(self) -> bool:
        """Whether the step itself is working."""
        return not (self.inside or self.queued or self.ended)

    def __enter__(self) -> Self:
        self.waiting.begin(self.parent)
        return self

    def __exit__(self, *_: object) -> None:
        self.waiting.end(self)


@dataclass(slots=True, eq=False)
class _Waiter:
    woken: asyncio.Future[Woken]
    due: int | None
    timer: bool
    activity: Activity | None


@dataclass(slots=True)
class Waiting:
    """The waits of one run that is driven now. `rings` counts how often something happened outside."""

    clock: Clock
    near_s: float = NEAR_S
    linger_s: float = LINGER_S
    rings: int = 0
    _busy: int = 0
    _moves: int = 0
    _waiters: dict[_Waiter, None] = field(default_factory=dict)
    _lingering: asyncio.Task[None] | None = None

    def working(self, parent: Activity | None = None) -> Activity:
        """While inside, a step is performed, in the step `parent` if there is one."""
        return Activity(self, parent)

    def begin(self, parent: Activity | None) -> None:
        """A step begins to be performed, inside `parent` if there is one."""
        self._busy += 1
        if parent is not None:
            self._inside(parent, 1)

    def end(self, activity: Activity) -> None:
        """It is performed no more."""
        self._busy -= activity.busy
        # What was started inside may outlive it by a moment, when it is stopped.
        activity.ended = True
        if activity.parent is not None:
            self._inside(activity.parent, -1)
        self._stir()

    @contextmanager
    def queued(self, activity: Activity) -> Iterator[None]:
        """While inside, `activity` waits for its turn in this process."""
        self._busy -= activity.busy
        activity.queued = True
        self._stir()
        try:
            yield
        finally:
            activity.queued = False
            self._busy += activity.busy
            self._moves += 1

    async def wait(
        self, *, due: int | None, timer: bool = False, activity: Activity | None = None, heard: int | None = None
    ) -> Woken:
        """Wait until somebody rings, until `due` (microseconds since the epoch), or until everything waits.

        For a `timer`, a time that is near enough counts as work. Who did something else after they looked says how many `rings` they had
        `heard` by then: when there was another one meanwhile, they look again.
        """
        if heard is not None and heard != self.rings:
            return "rung"
        waiter = _Waiter(asyncio.get_running_loop().create_future(), due, timer, activity)
        alarm = None if due is None else asyncio.ensure_future(self._alarm(waiter, due))
        self._waiters[waiter] = None
        self._inside(activity, 1)
        self._stir()
        try:
            return await waiter.woken
        finally:
            del self._waiters[waiter]
            self._inside(activity, -1)
            self._stir()
            if alarm is not None:
                alarm.cancel()
                await asyncio.gather(alarm, return_exceptions=True)

    def ring(self) -> None:
        """Something has happened outside: everybody who waits looks again."""
        self.rings += 1
        self._wake("rung")

    def close(self) -> None:
        """Nobody waits any more."""
        if self._lingering is not None:
            self._lingering.cancel()

    async def _alarm(self, waiter: _Waiter, due: int) -> None:
        while (left := due - self.clock.micros()) > 0:
            await self.clock.sleep(left / 1_000_000)
        if not waiter.woken.done():
            waiter.woken.set_result("due")

    def _inside(self, activity: Activity | None, change: int) -> None:
        if activity is not None:
            was = activity.busy
            activity.inside += change
            self._busy += activity.busy - was

    def _stir(self) -> None:
        self._moves += 1
        if not self._busy and self._waiters and self._lingering is None and self._quiet():
            self._lingering = asyncio.ensure_future(self._linger())

    def _quiet(self) -> bool:
        if self._busy or not self._waiters:
            return False
        near = self.clock.micros() + int(self.near_s * 1_000_000)
        return not any(waiter.timer and waiter.due is not None and waiter.due <= near for waiter in self._waiters)

    async def _linger(self) -> None:
        try:
            while self._quiet():
                moves = self._moves
                await self.clock.sleep(self.linger_s)
                if moves == self._moves and self._quiet():
                    self._wake("over")
                    return
        finally:
            self._lingering = None

    def _wake(self, why: Woken) -> None:
        for waiter in self._waiters:
            if not waiter.woken.done():
                waiter.woken.set_result(why)
