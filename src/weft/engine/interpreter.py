"""The one interpreter: walks a plan and asks a `Runtime` for everything that is not pure.

It has no clock, no randomness, no I/O and no state of its own between nodes; what it needs to know of the past it asks the
runtime. So it runs the same on the embedded runtime, in a simulator and inside a workflow sandbox.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weft.core.errors import Place, UnsupportedError, WeftError
from weft.engine.port import Failure, Outcome, Runtime
from weft.engine.walk import blocks, choices, leaves, machine, parallel, serial, waits
from weft.engine.walk.frame import Frame, Scope
from weft.plan.nodes import (
    Block,
    Call,
    Child,
    Choose,
    Gate,
    Graph,
    Loop,
    Machine,
    Map,
    Node,
    Plan,
    Select,
    Sequence,
    Set,
    Wait,
)

WALKERS: Mapping[type, Any] = {
    Block: blocks.block,
    Call: leaves.call,
    Child: leaves.child,
    Choose: choices.choose,
    Gate: waits.gate,
    Graph: parallel.graph,
    Loop: serial.loop,
    Machine: machine.machine,
    Map: parallel.map_items,
    Select: choices.select,
    Sequence: serial.sequence,
    Set: leaves.set_values,
    Wait: waits.wait,
}
"""How each kind of node is walked."""


class Interpreter:
    """Walks plans on a runtime. `others` walk the kinds of node that are not for the interpreter itself."""

    def __init__(self, runtime: Runtime, others: Mapping[type, Any] | None = None) -> None:
        self.runtime = runtime
        self._others = others or {}

    async def run(self, plan: Plan, scope: Mapping[str, Any]) -> tuple[Outcome, Scope]:
        """Walk the whole plan; returns how it ended and the scope at its end."""
        top = dict(scope)
        return await self.walk(plan.root, "", top, Frame()), top

    def on(self, runtime: Runtime) -> Interpreter:
        """See `Walk.on`."""
        return Interpreter(runtime, self._others)

    async def walk(self, node: Node, path: str, scope: Scope, frame: Frame) -> Outcome:
        """See `Walk.walk`."""
        walker = WALKERS.get(type(node)) or self._others.get(type(node))
        if walker is None:
            return Failure(UnsupportedError(f"no {type(node).__name__.lower()} is run yet", place=Place(path=path)))
        try:
            outcome: Outcome = await walker(self, node, path, scope, frame)
        except WeftError as error:
            return Failure(error)
        return outcome
