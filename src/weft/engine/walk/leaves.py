"""The nodes without children that wait for nothing outside: calls and computed values."""

from __future__ import annotations

from weft.engine.port import Outcome, Success
from weft.engine.walk.frame import Frame, Scope, Walk, compute
from weft.plan.nodes import Call, Child, Set
from weft.plan.template import evaluate


async def call(walk: Walk, node: Call, path: str, scope: Scope, frame: Frame) -> Outcome:
    """Have it performed."""
    talk = node.conversation
    history = frame.conversations.get(talk, ()) if talk else ()
    outcome = await walk.runtime.perform(path, node, scope, frame.settings, history)
    if talk and isinstance(outcome, Success):
        frame.conversations[talk] = (*history, path)
    return outcome


async def child(walk: Walk, node: Child, path: str, scope: Scope, frame: Frame) -> Outcome:
    """Have it run as a run of its own."""
    planned = None if node.planned is None else evaluate(node.planned, scope)
    return await walk.runtime.child(path, node, planned, compute(node.inputs, scope), frame.settings)


async def set_values(_: Walk, node: Set, __: str, scope: Scope, ___: Frame) -> Outcome:
    """Compute values into the scope."""
    values = compute(node.values, scope)
    scope.update(values)
    return Success(values)
