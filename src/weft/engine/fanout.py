"""Several children at once: dependencies, a window, and a policy for when enough of them are done.

Deterministic by construction: children start in declared order as they become ready, ends are handled one by one in the order
in which they happened, and whatever depends on that order is reported as a decision that the caller journals.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from weft.core.errors import InputError, ToolError, WeftError
from weft.engine.port import Failure, Outcome, Success, Suspended
from weft.plan.nodes import Join

WINDOW = 256
"""Children that are under way at once when nothing else is said: enough to fill a group commit, bounded in memory."""


@dataclass(slots=True)
class FanOut:
    """One fan-out. `start` performs the child of a key; `deps` maps keys to the keys they wait for."""

    keys: Sequence[str]
    start: Callable[[str], Awaitable[Outcome]]
    join: Join = field(default_factory=Join)
    deps: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    window: int | None = None
    values: dict[str, Any] = field(default_factory=dict)
    failures: dict[str, WeftError] = field(default_factory=dict)
    waits: list[Mapping[str, Any]] = field(default_factory=list)
    suspended: bool = False
    _running: dict[str, asyncio.Task[Outcome]] = field(default_factory=dict)
    _ended: deque[tuple[str, asyncio.Task[Outcome]]] = field(default_factory=deque)
    _bell: asyncio.Future[None] | None = None

    async def run(self) -> WeftError | None:
        """Run until the policy is satisfied or cannot be; returns the error in the latter case.

        Afterwards `values` and `failures` hold what counts, by key. When only what children wait for can decide, `suspended`
        is set and `waits` says what that is.
        """
        missing = {key: len(self.deps.get(key, ())) for key in self.keys}
        dependents = self._dependents()
        ready = deque(key for key in self.keys if not missing[key])
        window = self.window or WINDOW
        try:
            while ready or self._running or self._ended:
                while ready and len(self._running) < window:
                    self._launch(ready.popleft())
                key, outcome = await self._next_end()
                if isinstance(outcome, Suspended):
                    self.waits.extend(outcome.waits)
                    continue
                if self._take(key, outcome):
                    break
                for dependent in dependents.get(key, ()):
                    missing[dependent] -= 1
                    if not missing[dependent]:
                        self._release(dependent, ready)
            return self._end()
        finally:
            await self._stop()

    async def _next_end(self) -> tuple[str, Outcome]:
        """The child that ended first of those not yet handled."""
        if not self._ended:
            self._bell = asyncio.get_running_loop().create_future()
            await self._bell
        key, task = self._ended.popleft()
        return key, task.result()

    def _dependents(self) -> dict[str, list[str]]:
        dependents: dict[str, list[str]] = {}
        for key in self.keys:
            for dep in self.deps.get(key, ()):
                dependents.setdefault(dep, []).append(key)
        return dependents

    def _launch(self, key: str) -> None:
        task = asyncio.ensure_future(self.start(key))
        self._running[key] = task
        task.add_done_callback(lambda ended: self._note_end(key, ended))

    def _note_end(self, key: str, task: asyncio.Task[Outcome]) -> None:
        if self._running.pop(key, None) is None:
            return
        self._ended.append((key, task))
        if self._bell is not None and not self._bell.done():
            self._bell.set_result(None)

    def _release(self, key: str, ready: deque[str]) -> None:
        broken = [dep for dep in self.deps[key] if dep in self.failures]
        if broken:
            error = ToolError(f"{key!r} was not started: {broken[0]!r}, on which it depends, failed")
            error.final = True
            self.failures[key] = error
            # Nobody will end it, so it ends here; its own dependents are found broken in turn.
            self._ended.append((key, _ended(Failure(error))))
        else:
            ready.append(key)

    def _take(self, key: str, outcome: Success | Failure) -> bool:
        """Count one end; true when the rest does not matter any more."""
        if isinstance(outcome, Success):
            self.values[key] = outcome.value
            return len(self.values) == self._enough()
        self.failures[key] = outcome.error
        if self._too_many():
            return True
        if self.join.policy == "best_effort":
            return False
        return len(self.keys) - len(self.failures) < self._enough()

    def _enough(self) -> int:
        """How many successes end the fan-out at once; all of them for ``all`` and, so to speak, ``best_effort``."""
        if self.join.policy == "first":
            return 1
        if self.join.policy == "quorum":
            return self.join.quorum or len(self.keys) // 2 + 1
        return len(self.keys)

    def _too_many(self) -> bool:
        return self.join.failures is not None and len(self.failures) >= self.join.failures

    def _end(self) -> WeftError | None:
        if self._too_many():
            return next(self.failures[key] for key in self.keys if key in self.failures)
        tolerated = len(self.failures) if self.join.policy == "best_effort" else 0
        if len(self.values) + tolerated >= self._enough():
            return None
        if self.waits and len(self.keys) - len(self.failures) + tolerated >= self._enough():
            self.suspended = True
            return None
        first = next((self.failures[key] for key in self.keys if key in self.failures), None)
        return first or InputError(
            f"{self._enough()} must succeed and there are only {len(self.keys)}",
            fix="ask for fewer with `quorum`, or give the fan-out more to do",
        )

    async def _stop(self) -> None:
        tasks = list(self._running.values())
        self._running.clear()
        for task in tasks:
            task.cancel()
        for task in tasks:
            # gather with return_exceptions waits in a fixed order and swallows what cancelled children raise.
            await asyncio.gather(task, return_exceptions=True)
        for _, ended in self._ended:
            # Read, so that asyncio does not complain of an exception that no longer matters.
            ended.cancelled() or ended.exception()


def _ended(outcome: Outcome) -> asyncio.Task[Outcome]:
    future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    future.set_result(outcome)
    return future  # type: ignore[return-value]  # only its result is read
