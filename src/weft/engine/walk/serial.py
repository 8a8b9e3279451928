"""One after the other: sequences and loops."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from weft.engine.port import Composite, Outcome, Success
from weft.engine.walk.frame import Frame, Scope, Walk, Written, added, compute, extend, join, pace, recall, set_response
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
    below = frame.below()
    for child in node.children:
        outcome = await walk.walk(child, join(path, child.name), inner, below)
        if not isinstance(outcome, Success):
            return outcome
        value = outcome.value
        results.append(value)
        set_response(inner, value)
        if frame.told:
            frame.told(child.name, inner | ({node.into: list(results)} if node.into else {}))
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
    """The body until a condition holds. A walk that comes again begins at the round that was kept last."""
    if known := recall(walk, path, scope, frame):
        return known
    before = dict(frame.conversations)
    rounds: list[Any] = []
    inner = Written(scope)
    if node.into:
        inner[node.into] = rounds
    value: Any = None
    first = 0
    if kept := walk.runtime.position(path):
        first, value = kept.position["round"], kept.position["value"]
        inner.update(kept.position["names"])
        for row in kept.rows:
            rounds.extend(row["value"])
            extend(frame.conversations, row["talks"])
    done: list[str] = []
    mark, often = (len(rounds), dict(frame.conversations)), pace(0)
    for index in range(first, node.max_iterations):
        inner["iteration"] = index
        outcome = await walk.walk(node.body, f"{path}[{index}]", inner, frame.below())
        if not isinstance(outcome, Success):
            return outcome
        value = outcome.value
        if node.into:
            rounds.append(value)
        set_response(inner, value)
        if evaluate(node.until, inner):
            break
        done.append(f"{path}[{index}]")
        if len(done) >= often:
            names = {name: each for name, each in inner.written().items() if name != node.into}
            position = {"round": index + 1, "value": value, "names": names}
            row = {"value": rounds[mark[0] :], "talks": added(mark[1], frame.conversations)}
            often = pace(walk.runtime.keep(path, position, done, [row] if any(row.values()) else []))
            done, mark = [], (len(rounds), dict(frame.conversations))
    exported: dict[str, Any] = {node.into: rounds} if node.into else {}
    exported |= _held(node.exports, inner)
    ended = await walk.runtime.finish(path, Composite(value, exported, added(before, frame.conversations)))
    scope.update(ended.exported)
    return Success(ended.value)


def _held(names: Iterable[str], scope: Scope) -> dict[str, Any]:
    """Those of `names` that the scope holds."""
    return {name: scope[name] for name in names if name in scope}
