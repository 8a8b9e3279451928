"""A run that is driven: its walk, and the walk back when somebody cancels it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from weft.core.errors import ConflictError
from weft.engine.interpreter import Interpreter
from weft.engine.port import Failure, Outcome, Runtime
from weft.engine.recorder import Recorder
from weft.engine.runtime import EmbeddedRuntime
from weft.plan.nodes import Plan

_GRACE_S = 10.0
"""How long what was stopped may take to come to its end."""
_CANCELLED = ConflictError("the run is cancelled")
Ended = tuple[Outcome, Mapping[str, Any]]
"""How a walk ended, and the scope then."""


class Driven:
    """One drive of a run. It begins with the walk back when the journal says that the run is being cancelled."""

    def __init__(self, recorder: Recorder, plan: Plan, runtime: Callable[[], EmbeddedRuntime]) -> None:
        self.recorder = recorder
        self.cancelled = recorder.state.cancelling
        self._plan = plan
        self._new_runtime = runtime
        self._begin(back=self.cancelled is not None)

    def cancel(self, reason: str) -> None:
        """Stop going forward; `ended` then is how the walk back ends."""
        if self.cancelled is None:
            self.cancelled = reason
            self.recorder.note("run.cancelling", "", {"reason": reason})
            self._runtime.stop()
            self._task.cancel()

    async def ended(self) -> Ended:
        """How the walk ends.

        Raises:
            asyncio.CancelledError: whoever waits here is cancelled, which is not to cancel the run.
        """
        try:
            ended = await asyncio.shield(self._task)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self.cancelled is None or self._back or (task is not None and task.cancelling()):
                raise
        else:
            if self.cancelled is None or self._back:
                return ended
        await self.stop()
        if not self.recorder.state.to_undo(""):
            return Failure(_CANCELLED), {}
        self._begin(back=True)
        return await asyncio.shield(self._task)

    async def stop(self) -> None:
        """Stop the walk. A performer that does not let itself be stopped is left to itself after a while, and nobody listens to it."""
        self._runtime.stop()
        self._task.cancel()
        await asyncio.wait([self._task], timeout=_GRACE_S)
        if self._task.done() and not self._task.cancelled():
            # Read, so that asyncio does not complain of an exception that no longer matters.
            self._task.exception()

    def _begin(self, *, back: bool) -> None:
        self._back = back
        self._runtime = self._new_runtime()
        on: Runtime = self._runtime.unwound(_CANCELLED) if back else self._runtime
        self._task = asyncio.ensure_future(Interpreter(on).run(self._plan, self.recorder.state.scope))
