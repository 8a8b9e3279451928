"""One after the other: sequences and loops."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from weft.engine.port import Composite, Outcome, Success
from weft.engine.walk.frame import Frame, Scope, Walk, added, compute, join, recall, set_response
from weft.plan.nodes import Loop, Sequence
from weft.plan.template import evaluate


async def sequence(walk: Walk, node: Sequence, path: str, scope: Scope, frame: Frame) -> Outcome:
    """Children in order, until one does not succeed."""
    if path and (known := recall(walk, path, scope, frame)):
        return known
    before = dict(frame.conversations)
    results: list[Any] = []
    inner = dict(scope)
    if node.into:
        inner[node.into] = results
    value: Any = None
    for child in node.children:
        outcome = await walk.walk(child, join(path, child.name), inner, frame)
        if not isinstance(outcome, Success):
            return outcome
        value = outcome.value
        results.append(value)
        set_response(inner, value)
    if node.value:
        value = compute(node.value, inner)
    exported: dict[str, Any] = {node.into: results} if node.into else {}
    if inner.get("last_response") is not scope.get("last_response"):
        exported["last_response"] = inner["last_response"]
    done = Composite(value, exported | _held(node.exports, inner), added(before, frame.conversations))
    if path:
        done = await walk.runtime.finish(path, done)
    scope.update(done.exported)
    return Success(done.value)


async def loop(walk: Walk, node: Loop, path: str, scope: Scope, frame: Frame) -> Outcome:
    """The body until a condition holds."""
    if known := recall(walk, path, scope, frame):
        return known
    before = dict(frame.conversations)
    rounds: list[Any] = []
    inner = dict(scope)
    if node.into:
        inner[node.into] = rounds
    value: Any = None
    for index in range(node.max_iterations):
        inner["iteration"] = index
        outcome = await walk.walk(node.body, f"{path}[{index}]", inner, frame)
        if not isinstance(outcome, Success):
            return outcome
        value = outcome.value
        rounds.append(value)
        set_response(inner, value)
        if evaluate(node.until, inner):
            break
    exported: dict[str, Any] = {node.into: rounds} if node.into else {}
    exported |= _held(node.exports, inner)
    done = await walk.runtime.finish(path, Composite(value, exported, added(before, frame.conversations)))
    scope.update(done.exported)
    return Success(done.value)


def _held(names: Iterable[str], scope: Scope) -> dict[str, Any]:
    """Those of `names` that the scope holds."""
    return {name: scope[name] for name in names if name in scope}
