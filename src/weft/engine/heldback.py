"""An interpreter for replays: a node that has come to its end says so only when it is let.

On an engine the siblings of a node that fails at once (it needs no step, or failed before the drive began) may still come to ends
of their own before their fan-out hears of it and stops them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any, Protocol

from weft.engine.interpreter import Interpreter
from weft.engine.port import Failure, Outcome, Runtime, Suspended
from weft.engine.walk.frame import Frame, Scope
from weft.plan.nodes import Node


class Hold(Protocol):
    """Is waited for between the end of the node at a path, `failed` or not, and whoever walks that node hearing of it."""

    def __call__(self, path: str, *, failed: bool) -> Awaitable[None]:
        """Return when it is to be heard of."""
        ...


class HeldBack(Interpreter):
    """Walks plans like any interpreter, and waits for `hold` at the end of every node that ended for good."""

    def __init__(self, runtime: Runtime, hold: Hold, others: Mapping[type, Any] | None = None) -> None:
        super().__init__(runtime, others)
        self._hold = hold

    def on(self, runtime: Runtime) -> HeldBack:
        """See `Walk.on`."""
        return HeldBack(runtime, self._hold, self._others)

    async def walk(self, node: Node, path: str, scope: Scope, frame: Frame) -> Outcome:
        """See `Walk.walk`."""
        outcome = await super().walk(node, path, scope, frame)
        if not isinstance(outcome, Suspended):
            await self._hold(path, failed=isinstance(outcome, Failure))
        return outcome
