"""Several children at once: dependencies, a window, and a policy for when enough of them are done.

Deterministic by construction: children start in declared order as they become ready, ends are handled one by one in the order
in which they happened, and whatever depends on that order is reported as a decision that the caller journals.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from weft.core.errors import InputError, ToolError, WeftError
from weft.engine.port import Failure, Outcome, Success, Suspended
from weft.engine.tasks import WINDOW, Tasks
from weft.plan.nodes import Join


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
    _tasks: Tasks = field(default_factory=Tasks)

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
            while ready or self._tasks.busy:
                while ready and len(self._tasks.running) < window:
                    key = ready.popleft()
                    self._tasks.launch(key, self.start(key))
                key, outcome = await self._tasks.next_end()
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
            await self._tasks.stop()

    def _dependents(self) -> dict[str, list[str]]:
        dependents: dict[str, list[str]] = {}
        for key in self.keys:
            for dep in self.deps.get(key, ()):
                dependents.setdefault(dep, []).append(key)
        return dependents

    def _release(self, key: str, ready: deque[str]) -> None:
        broken = [dep for dep in self.deps[key] if dep in self.failures]
        if broken:
            error = ToolError(f"{key!r} was not started: {broken[0]!r}, on which it depends, failed")
            error.final = True
            self.failures[key] = error
            # Nobody will end it, so it ends here; its own dependents are found broken in turn.
            self._tasks.end(key, Failure(error))
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
