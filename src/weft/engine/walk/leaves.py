"""The nodes without children: calls, computed values, waits."""

from __future__ import annotations

from weft.core.errors import InputError, Place
from weft.engine.port import Outcome, Success
from weft.engine.walk.frame import Frame, Scope, Walk, compute
from weft.plan.nodes import Call, Set, Wait
from weft.plan.template import evaluate

MAX_WAIT_S = 100 * 366 * 86_400
"""A wait for longer than a century is refused."""


async def call(walk: Walk, node: Call, path: str, scope: Scope, frame: Frame) -> Outcome:
    """Have it performed."""
    talk = node.conversation
    history = frame.conversations.get(talk, ()) if talk else ()
    outcome = await walk.runtime.perform(path, node, scope, frame.settings, history)
    if talk and isinstance(outcome, Success):
        frame.conversations[talk] = (*history, path)
    return outcome


async def set_values(_: Walk, node: Set, __: str, scope: Scope, ___: Frame) -> Outcome:
    """Compute values into the scope."""
    values = compute(node.values, scope)
    scope.update(values)
    return Success(values)


async def wait(walk: Walk, node: Wait, path: str, scope: Scope, _: Frame) -> Outcome:
    """Let time pass."""
    seconds = evaluate(node.seconds or "0", scope)
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 <= seconds <= MAX_WAIT_S:
        raise InputError(
            f"a wait needs seconds from 0 to {MAX_WAIT_S}, and {node.seconds!r} is {seconds!r}",
            place=Place(path=path),
        )
    return await walk.runtime.sleep(path, float(seconds))
