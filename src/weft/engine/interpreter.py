"""The one interpreter: walks a plan and asks a `Runtime` for everything that is not pure.

It has no clock, no randomness, no I/O and no state of its own between nodes; what it needs to know of the past it asks the
runtime. So it runs the same on the embedded runtime, in a simulator and inside a workflow sandbox.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from weft.core.errors import BudgetError, InputError, Place, StepTimeoutError, UnsupportedError, WeftError
from weft.engine.fanout import FanOut
from weft.engine.port import Composite, Failure, Outcome, Runtime, Settings, Success, Suspended
from weft.plan.nodes import Block, Call, Choose, Graph, Loop, Map, Node, Plan, Sequence, Set, Wait
from weft.plan.template import evaluate

Scope = dict[str, Any]
Conversations = dict[str, tuple[str, ...]]
MAX_ITEMS = 100_000
"""A map over more items is refused."""
MAX_WAIT_S = 100 * 366 * 86_400
"""A wait for longer than a century is refused."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What a node inherits: settings of enclosing blocks, and the calls that came before it, by conversation."""

    settings: Settings = field(default_factory=Settings)
    conversations: Conversations = field(default_factory=dict)

    def fork(self) -> Frame:
        """A frame for a child whose conversations its siblings must not see."""
        return Frame(self.settings, dict(self.conversations))


class Interpreter:
    """Walks plans on a runtime."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._walkers: Mapping[type, Any] = {
            Call: self._call,
            Sequence: self._sequence,
            Graph: self._graph,
            Choose: self._choose,
            Loop: self._loop,
            Map: self._map,
            Set: self._set,
            Wait: self._wait,
            Block: self._block,
        }

    async def run(self, plan: Plan, scope: Mapping[str, Any]) -> tuple[Outcome, Scope]:
        """Walk the whole plan; returns how it ended and the scope at its end."""
        top = dict(scope)
        return await self._walk(plan.root, "", top, Frame()), top

    async def _walk(self, node: Node, path: str, scope: Scope, frame: Frame) -> Outcome:
        walker = self._walkers.get(type(node))
        if walker is None:
            return Failure(UnsupportedError(f"no {type(node).__name__.lower()} is run yet", place=Place(path=path)))
        try:
            outcome: Outcome = await walker(node, path, scope, frame)
        except WeftError as error:
            return Failure(error)
        return outcome

    async def _call(self, node: Call, path: str, scope: Scope, frame: Frame) -> Outcome:
        talk = node.conversation
        history = frame.conversations.get(talk, ()) if talk else ()
        outcome = await self._runtime.perform(path, node, scope, frame.settings, history)
        if talk and isinstance(outcome, Success):
            frame.conversations[talk] = (*history, path)
        return outcome

    async def _sequence(self, node: Sequence, path: str, scope: Scope, frame: Frame) -> Outcome:
        if path and (known := self._known(path, scope, frame)):
            return known
        before = dict(frame.conversations)
        results: list[Any] = []
        inner = dict(scope)
        if node.into:
            inner[node.into] = results
        value: Any = None
        for child in node.children:
            outcome = await self._walk(child, _join(path, child.name), inner, frame)
            if not isinstance(outcome, Success):
                return outcome
            value = outcome.value
            results.append(value)
            _set_response(inner, value)
        if node.value:
            value = _compute(node.value, inner)
        exported = {node.into: results} if node.into else {}
        if inner.get("last_response") is not scope.get("last_response"):
            exported["last_response"] = inner["last_response"]
        done = Composite(value, exported, _added(before, frame.conversations))
        if path:
            done = await self._runtime.finish(path, done)
        scope.update(done.exported)
        return Success(done.value)

    async def _graph(self, node: Graph, path: str, scope: Scope, frame: Frame) -> Outcome:
        if known := self._known(path, scope, frame):
            return known
        children = {child.name: child for child in node.children}
        frames: dict[str, Frame] = {}
        fan: FanOut

        async def start(key: str) -> Outcome:
            inner = dict(scope)
            if node.into:
                inner[node.into] = {name: _settled(fan, name) for name in _ancestors(node, key)}
            frames[key] = own = self._inherit(node, key, frames, frame)
            return await self._walk(children[key], _join(path, key), inner, own)

        fan = FanOut(list(children), start, node.join, node.deps, node.max_parallel)
        error = await fan.run()
        if fan.suspended:
            return Suspended(tuple(fan.waits))
        if error is not None:
            await self._runtime.fail(path, error)
            return Failure(error)
        results = {name: _settled(fan, name) for name in children if name in fan.values or name in fan.failures}
        inner = dict(scope)
        if node.into:
            inner[node.into] = results
        value = _compute(node.value, inner) if node.value else results
        before = frame.conversations
        merged = _merge(before, [frames[name].conversations for name in children if name in fan.values])
        done = await self._runtime.finish(
            path,
            Composite(value, {node.into: results} if node.into else {}, _added(before, merged)),
            decision=node.join.policy != "all",
        )
        scope.update(done.exported)
        frame.conversations.update(merged)
        return Success(done.value)

    async def _map(self, node: Map, path: str, scope: Scope, frame: Frame) -> Outcome:
        if known := self._known(path, scope, frame):
            return known
        items = evaluate(node.items, scope)
        if not isinstance(items, list) or len(items) > MAX_ITEMS:
            raise InputError(
                f"a map needs a list of at most {MAX_ITEMS} items, and {node.items!r} is not one",
                place=Place(path=path),
            )
        keys = _map_keys(node, items, scope, path)
        frames = {key: frame.fork() for key in keys}

        async def start(key: str) -> Outcome:
            inner = scope | {node.item: items[keys[key]], "index": keys[key]}
            return await self._walk(node.body, f"{path}[{key}]", inner, frames[key])

        fan = FanOut(list(keys), start, node.join, window=node.max_parallel)
        error = await fan.run()
        if fan.suspended:
            return Suspended(tuple(fan.waits))
        if error is not None:
            await self._runtime.fail(path, error)
            return Failure(error)
        before = frame.conversations
        merged = _merge(before, [frames[key].conversations for key in keys if key in fan.values])
        value = [_settled(fan, key) for key in keys if key in fan.values or key in fan.failures]
        done = await self._runtime.finish(
            path, Composite(value, {}, _added(before, merged)), decision=node.join.policy != "all"
        )
        frame.conversations.update(merged)
        return Success(done.value)

    async def _loop(self, node: Loop, path: str, scope: Scope, frame: Frame) -> Outcome:
        if known := self._known(path, scope, frame):
            return known
        before = dict(frame.conversations)
        rounds: list[Any] = []
        inner = dict(scope)
        if node.into:
            inner[node.into] = rounds
        value: Any = None
        for index in range(node.max_iterations):
            inner["iteration"] = index
            outcome = await self._walk(node.body, f"{path}[{index}]", inner, frame)
            if not isinstance(outcome, Success):
                return outcome
            value = outcome.value
            rounds.append(value)
            _set_response(inner, value)
            if evaluate(node.until, inner):
                break
        exported = {node.into: rounds} if node.into else {}
        done = await self._runtime.finish(path, Composite(value, exported, _added(before, frame.conversations)))
        scope.update(done.exported)
        return Success(done.value)

    async def _choose(self, node: Choose, path: str, scope: Scope, frame: Frame) -> Outcome:
        for branch in node.branches:
            if evaluate(branch.when, scope):
                return await self._walk(branch.node, _join(path, branch.node.name), scope, frame)
        if node.otherwise is None:
            return Success(None)
        return await self._walk(node.otherwise, _join(path, node.otherwise.name), scope, frame)

    async def _set(self, node: Set, _: str, scope: Scope, __: Frame) -> Outcome:
        values = _compute(node.values, scope)
        scope.update(values)
        return Success(values)

    async def _wait(self, node: Wait, path: str, scope: Scope, _: Frame) -> Outcome:
        seconds = evaluate(node.seconds or "0", scope)
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 <= seconds <= MAX_WAIT_S:
            raise InputError(
                f"a wait needs seconds from 0 to {MAX_WAIT_S}, and {node.seconds!r} is {seconds!r}",
                place=Place(path=path),
            )
        return await self._runtime.sleep(path, float(seconds))

    async def _block(self, node: Block, path: str, scope: Scope, frame: Frame) -> Outcome:
        settings = frame.settings
        if node.retry:
            settings = replace(settings, retry=node.retry)
        if node.budget:
            self._runtime.open_budget(path, node.budget)
            settings = replace(settings, budgets=(*settings.budgets, (path, node.budget)))
        inner = Frame(settings, frame.conversations)

        async def inside() -> Outcome:
            return await self._walk(node.body, _join(path, node.body.name), scope, inner)

        budget_s = node.budget.max_duration_s if node.budget else None
        limits = [seconds for seconds in (node.timeout_s, budget_s) if seconds is not None]
        if not limits:
            return await inside()
        seconds = min(limits)
        return await self._runtime.within(
            path, seconds, inside, _too_long(path, seconds, by_budget=seconds == budget_s)
        )

    def _inherit(self, node: Graph, key: str, frames: Mapping[str, Frame], frame: Frame) -> Frame:
        """The frame of a graph's child: the conversations of what it depends on, in declared order, never of siblings."""
        deps = node.deps.get(key, ())
        if not deps:
            return frame.fork()
        merged = _merge(frame.conversations, [frames[dep].conversations for dep in deps if dep in frames])
        return Frame(frame.settings, merged)

    def _known(self, path: str, scope: Scope, frame: Frame) -> Outcome | None:
        """How a composite that the journal holds as finished ended, with its effect on the scope restored."""
        known = self._runtime.finished(path)
        if known is None or isinstance(known, Failure):
            return known
        scope.update(known.exported)
        for talk, added in known.conversations.items():
            frame.conversations[talk] = (*frame.conversations.get(talk, ()), *added)
        return Success(known.value)


def _join(path: str, name: str) -> str:
    return f"{path}/{name}" if name else path


def _segment(text: str) -> str:
    """`text` as part of a path: the characters that paths give a meaning to are percent-encoded."""
    return "".join(f"%{ord(char):02X}" if char in "/[]%#" or ord(char) < 32 else char for char in text)


def _map_keys(node: Map, items: list[Any], scope: Scope, path: str) -> dict[str, int]:
    """The path key of each item, in item order."""
    if node.key is None:
        return {str(index): index for index in range(len(items))}
    keys: dict[str, int] = {}
    for index, item in enumerate(items):
        key = _segment(str(evaluate(node.key, scope | {node.item: item, "index": index})))
        if key in keys:
            raise InputError(f"two items of the map have the key {key!r}", place=Place(path=path))
        keys[key] = index
    return keys


def _compute(expressions: Mapping[str, str], scope: Scope) -> dict[str, Any]:
    return {name: evaluate(expression, scope) for name, expression in expressions.items()}


def _set_response(scope: Scope, value: Any) -> None:
    """Make `value` the last response; what has none (a timer, an artifact) leaves it as it was."""
    if isinstance(value, dict):
        if "response" in value:
            scope["last_response"] = value["response"]
    elif value is not None:
        scope["last_response"] = value


def _settled(fan: FanOut, key: str) -> Any:
    """The value of a child that has ended; a failure that the join policy tolerates is a value too."""
    if key in fan.values:
        return fan.values[key]
    return {"status": "failed", "response": "", "error": fan.failures[key].as_json()}


def _ancestors(node: Graph, key: str) -> list[str]:
    """Every child that `key` depends on, directly or not, in declared order."""
    found: set[str] = set()
    pending = list(node.deps.get(key, ()))
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending.extend(node.deps.get(name, ()))
    return [child.name for child in node.children if child.name in found] if found else []


def _merge(before: Conversations, parts: list[Conversations]) -> Conversations:
    """`before` and what each part adds to it, in order, each call once."""
    merged = dict(before)
    for part in parts:
        for talk, paths in part.items():
            have = merged.get(talk, ())
            known = frozenset(have)
            merged[talk] = have + tuple(path for path in paths if path not in known)
    return merged


def _added(before: Conversations, after: Conversations) -> dict[str, list[str]]:
    return {
        talk: list(paths[len(before.get(talk, ())) :])
        for talk, paths in after.items()
        if len(paths) > len(before.get(talk, ()))
    }


def _too_long(path: str, seconds: float, *, by_budget: bool) -> WeftError:
    spot = Place(path=path)
    if by_budget:
        return BudgetError(
            f"the budget is used up: max_duration_s is {seconds:g}",
            fix="raise max_duration_s in the workflow's budgets",
            place=spot,
            limit="max_duration_s",
        )
    return StepTimeoutError(f"it took longer than {seconds:g} s", fix="raise timeout_s", place=spot)
