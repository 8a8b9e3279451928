"""A runtime for walking back: what the journal has is there, nothing new is begun, and only what undoes is performed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from weft.core.errors import WeftError, from_json
from weft.engine.port import Asked, Composite, Failure, GateRequest, Outcome, Position, Runtime, Settings, Undo
from weft.plan.nodes import Budget, Call, Child


class Unwinding:
    """Implements `weft.engine.port.Runtime` over another one.

    Every step that is not in the journal fails at once with `error`, and nothing of that is recorded. The composite at `afresh`
    is walked again although the journal has its end.
    """

    def __init__(self, forward: Runtime, error: WeftError, afresh: str | None = None) -> None:
        cut = from_json(error.as_json())
        cut.ids["unwinding"] = True
        self.unwinding: WeftError | None = cut
        self._forward = forward
        self._afresh = afresh
        self._failure = Failure(cut)

    async def perform(
        self, path: str, call: Call, scope: Mapping[str, Any], settings: Settings, history: tuple[str, ...]
    ) -> Outcome:
        """See `Runtime.perform`."""
        return self._forward.recorded(path) or self._failure

    async def sleep(self, path: str, seconds: float) -> Outcome:
        """See `Runtime.sleep`."""
        return self._forward.recorded(path) or self._failure

    async def ask(self, path: str, request: Callable[[], GateRequest]) -> Outcome:
        """See `Runtime.ask`."""
        return self._forward.recorded(path) or self._failure

    async def listen(
        self, path: str, names: tuple[str, ...], seconds: float | None, accepts: Callable[[Mapping[str, Any]], bool]
    ) -> Outcome:
        """See `Runtime.listen`."""
        return self._forward.recorded(path) or self._failure

    async def child(
        self, path: str, node: Child, planned: Any, inputs: Mapping[str, Any], settings: Settings
    ) -> Outcome:
        """See `Runtime.child`."""
        return self._forward.recorded(path) or self._failure

    def recorded(self, path: str) -> Outcome | None:
        """See `Runtime.recorded`."""
        return self._forward.recorded(path)

    def asked(self, path: str) -> Mapping[str, Asked]:
        """See `Runtime.asked`."""
        return self._forward.asked(path)

    def asks(self, path: str, asked: Asked) -> None:
        """See `Runtime.asks`."""

    async def within(
        self, path: str, seconds: float, work: Callable[[], Awaitable[Outcome]], error: WeftError
    ) -> Outcome:
        """See `Runtime.within`."""
        outcome = await work()
        known = self._forward.finished(path)
        return known if isinstance(known, Failure) else outcome

    def finished(self, path: str) -> Composite | Failure | None:
        """See `Runtime.finished`."""
        return None if path == self._afresh else self._forward.finished(path)

    async def finish(self, path: str, composite: Composite, *, decision: bool = False) -> Composite:
        """See `Runtime.finish`."""
        return composite

    async def fail(self, path: str, error: WeftError) -> None:
        """See `Runtime.fail`."""

    def position(self, path: str) -> Position | None:
        """See `Runtime.position`."""
        return self._forward.position(path)

    def keep(self, path: str, position: Any, done: Sequence[str], rows: Sequence[Any] = ()) -> int:
        """See `Runtime.keep`."""
        return 0

    def undo(self, path: str) -> Undo:
        """See `Runtime.undo`."""
        return self._forward.undo(path)

    def undoable(self, path: str, child: str, *, late: bool = False) -> None:
        """See `Runtime.undoable`. A process may have died after a child's end was written and before this was."""
        del late
        self._forward.undoable(path, child, late=True)

    async def undoing(self, path: str, error: WeftError) -> None:
        """See `Runtime.undoing`."""
        await self._forward.undoing(path, error)

    def unwound(self, error: WeftError, afresh: str | None = None) -> Unwinding:
        """See `Runtime.unwound`."""
        return Unwinding(self._forward, error, afresh)

    def forward(self) -> Runtime:
        """See `Runtime.forward`."""
        return self._forward

    def open_budget(self, path: str, budget: Budget) -> None:
        """See `Runtime.open_budget`."""
        self._forward.open_budget(path, budget)
