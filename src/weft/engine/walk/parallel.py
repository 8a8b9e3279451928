"""Several at once: graphs and maps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from weft.core.ancestry import Ancestry
from weft.core.errors import ConflictError, InputError, Place, WeftError
from weft.engine.fanout import FanOut
from weft.engine.port import Composite, Failure, Outcome, Success, Suspended
from weft.engine.walk.frame import (
    Frame,
    Scope,
    Walk,
    added,
    as_value,
    compute,
    is_cut,
    join,
    merge,
    recall,
    set_response,
)
from weft.engine.walk.undoing import unwind
from weft.plan.nodes import Graph, Join, Map, Node
from weft.plan.paths import segment
from weft.plan.template import evaluate

MAX_ITEMS = 100_000
"""A map over more items is refused."""


async def graph(walk: Walk, node: Graph, path: str, scope: Scope, frame: Frame) -> Outcome:
    """Children as soon as what they depend on is done."""
    if known := recall(walk, path, scope, frame):
        return known
    children = {child.name: child for child in node.children}
    frames: dict[str, Frame] = {}
    ancestry = Ancestry(list(children), node.deps)
    fan: FanOut

    async def start(key: str, walk: Walk = walk) -> Outcome:
        inner = dict(scope)
        if node.into:
            inner[node.into] = {name: _settled(fan, name) for name in ancestry.before(key)}
        frames[key] = own = _inherit(node, key, frames, frame)
        outcome = await walk.walk(children[key], join(path, key), inner, own)
        if frame.told and isinstance(outcome, Success):
            set_response(inner, outcome.value)
            frame.told(key, inner | ({node.into: inner[node.into] | {key: outcome.value}} if node.into else {}))
        return outcome

    fan = FanOut(list(children), start, _policy(walk, node.join), node.deps, node.max_parallel)
    error = await fan.run()
    if fan.suspended:
        return Suspended(tuple(fan.waits))
    error = await _wind_up(walk, fan, node.join, error, start, children.__getitem__)
    if error is not None:
        await walk.runtime.fail(path, error)
        return Failure(error)
    results = {name: _settled(fan, name) for name in children if name in fan.values or name in fan.failures}
    inner = dict(scope)
    if node.into:
        inner[node.into] = results
    value = compute(node.value, inner) if node.value else results
    before = frame.conversations
    merged = merge(before, [frames[name].conversations for name in children if name in fan.values])
    done = await walk.runtime.finish(
        path,
        Composite(value, {node.into: results} if node.into else {}, added(before, merged)),
        decision=node.join.policy != "all",
    )
    scope.update(done.exported)
    frame.conversations.update(merged)
    return Success(done.value)


async def map_items(walk: Walk, node: Map, path: str, scope: Scope, frame: Frame) -> Outcome:
    """The body once for each item."""
    if known := recall(walk, path, scope, frame):
        return known
    items = evaluate(node.items, scope)
    if not isinstance(items, list) or len(items) > MAX_ITEMS:
        raise InputError(
            f"a map needs a list of at most {MAX_ITEMS} items, and {node.items!r} is not one",
            place=Place(path=path),
        )
    keys = _map_keys(node, items, scope, path)
    frames = {key: frame.fork() for key in keys}

    async def start(key: str, walk: Walk = walk) -> Outcome:
        inner = scope | {node.item: items[keys[key]], "index": keys[key]}
        return await walk.walk(node.body, f"{path}[{key}]", inner, frames[key])

    fan = FanOut(list(keys), start, _policy(walk, node.join), window=node.max_parallel)
    error = await fan.run()
    if fan.suspended:
        return Suspended(tuple(fan.waits))
    error = await _wind_up(walk, fan, node.join, error, start, lambda _: node.body)
    if error is not None:
        await walk.runtime.fail(path, error)
        return Failure(error)
    before = frame.conversations
    merged = merge(before, [frames[key].conversations for key in keys if key in fan.values])
    value = [_settled(fan, key) for key in keys if key in fan.values or key in fan.failures]
    done = await walk.runtime.finish(
        path,
        Composite(value, {node.into: value} if node.into else {}, added(before, merged)),
        decision=node.join.policy != "all",
    )
    scope.update(done.exported)
    frame.conversations.update(merged)
    return Success(done.value)


def _policy(walk: Walk, join: Join) -> Join:
    """On the way back every child must come to its end, for what one of them undoes must not be cut off by another."""
    return Join(policy="best_effort") if walk.runtime.unwinding else join


async def _wind_up(
    walk: Walk,
    fan: FanOut,
    policy: Join,
    error: WeftError | None,
    start: Callable[[str, Walk], Awaitable[Outcome]],
    child: Callable[[str], Node],
) -> WeftError | None:
    """What was cut off undoes what it did; the error with which the fan-out ends, if it does."""
    if walk.runtime.unwinding:
        failures = [fan.failures[key] for key in fan.keys if key in fan.failures]
        cut = next((each for each in failures if is_cut(each)), None)
        return cut or next((each for each in failures if policy.policy != "best_effort"), None)
    why = error or ConflictError("it was stopped because others were enough")
    for key in fan.keys:
        if key not in fan.values and key not in fan.failures:
            await unwind(walk, child(key), why, partial(start, key))
    return error


def _inherit(node: Graph, key: str, frames: Mapping[str, Frame], frame: Frame) -> Frame:
    """The frame of a graph's child: the conversations of what it depends on, in declared order, never of siblings."""
    deps = node.deps.get(key, ())
    if not deps:
        return frame.fork()
    merged = merge(frame.conversations, [frames[dep].conversations for dep in deps if dep in frames])
    return Frame(frame.settings, merged)


def _map_keys(node: Map, items: list[Any], scope: Scope, path: str) -> dict[str, int]:
    """The path key of each item, in item order."""
    if node.key is None:
        return {str(index): index for index in range(len(items))}
    keys: dict[str, int] = {}
    for index, item in enumerate(items):
        key = segment(str(evaluate(node.key, scope | {node.item: item, "index": index})))
        if key in keys:
            raise InputError(f"two items of the map have the key {key!r}", place=Place(path=path))
        keys[key] = index
    return keys


def _settled(fan: FanOut, key: str) -> Any:
    """The value of a child that has ended; a failure that the join policy tolerates is a value too."""
    return fan.values[key] if key in fan.values else as_value(fan.failures[key])
