"""Machines: the visits of states that tokens call for, each with what its own past put into the scope."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from weft.core.errors import ConflictError, WeftError
from weft.engine.port import Composite, Failure, Outcome, Success, Suspended
from weft.engine.tasks import WINDOW, Tasks
from weft.engine.walk.frame import (
    Frame,
    Scope,
    Walk,
    Written,
    added,
    compute,
    merge,
    pace,
    recall,
    set_response,
)
from weft.engine.walk.position import restore, to_json
from weft.engine.walk.tokens import Game, Past
from weft.engine.walk.undoing import unwind
from weft.plan.nodes import Machine, Node, State
from weft.plan.paths import segment
from weft.plan.template import evaluate


async def machine(walk: Walk, node: Machine, path: str, scope: Scope, frame: Frame) -> Outcome:
    """Walk the tokens until none is left, or one of them is in a final state."""
    if known := recall(walk, path, scope, frame):
        return known
    play = _Play(walk, node, path, scope, frame)
    try:
        ended = await play.run()
    except WeftError as error:
        ended = Failure(error)
    if isinstance(ended, Suspended):
        return ended
    if isinstance(ended, Failure):
        await play.wind_up(ended.error)
        await walk.runtime.fail(path, ended.error)
        return ended
    past, final = ended
    await play.wind_up(ConflictError("it was stopped because the machine has ended"))
    carried = _carried(node, scope, past)
    value = compute(node.value, scope | carried) if node.value else _values(node, scope, past)
    talks = merge(frame.conversations, [past.talks])
    composite = Composite(value, carried, added(frame.conversations, talks))
    done = await walk.runtime.finish(path, composite, decision=final)
    scope.update(done.exported)
    frame.conversations.update(talks)
    return Success(done.value)


class _Play:
    """One walk over a machine."""

    def __init__(self, walk: Walk, node: Machine, path: str, scope: Scope, frame: Frame) -> None:
        self._walk = walk
        self._node = node
        self._path = path
        self._scope = scope
        self._frame = frame
        self._game = Game(node)
        self._tasks = Tasks()
        self._scopes: dict[str, tuple[Written, Frame]] = {}
        self._waits: list[Mapping[str, Any]] = []
        self._done: list[str] = []
        self._pace = pace(0)
        self._failure: Failure | None = None

    async def run(self) -> tuple[Past, bool] | Failure | Suspended:
        """Play to the end: what is known then, and whether a final state ended it."""
        self._begin()
        try:
            while self._advance():
                name, outcome = await self._tasks.next_end()
                if isinstance(outcome, Suspended):
                    self._waits.extend(outcome.waits)
                elif isinstance(outcome, Success):
                    if final := self._leave(name, outcome.value):
                        return final, True
                else:
                    self._failure = self._failure or outcome
                    # On the way back every state must come to its end, for what one undoes must not be cut off by another.
                    if not self._walk.runtime.unwinding:
                        break
        finally:
            await self._tasks.stop()
        if self._failure:
            return self._failure
        return Suspended(tuple(self._waits)) if self._waits else (self._game.result(), False)

    def _advance(self) -> bool:
        """Visit what may be visited; whether there is an end to wait for."""
        game, window = self._game, self._node.max_parallel or WINDOW
        while len(self._tasks.running) < window and (name := game.enabled()):
            game.enter(name)
            self._visit(name)
        if not self._tasks.busy and not self._waits and not self._failure and (name := game.stuck()):
            game.enter(name)
            self._visit(name)
        return self._tasks.busy

    def _begin(self) -> None:
        kept = self._walk.runtime.position(self._path)
        if kept is None:
            self._game.begin(Past())
            return
        restore(self._game, kept.position)
        for name in self._game.live:
            self._visit(name)

    def _visit(self, name: str) -> None:
        """Start on the body of a state that was entered."""
        visit, past = self._game.live[name]
        inner = Written(self._scope | _carried(self._node, self._scope, past))
        own = Frame(self._frame.settings, merge(self._frame.conversations, [past.talks]))
        self._scopes[name] = inner, own
        self._tasks.launch(name, self._perform(self._game.states[name], self._at(name, visit), inner, own))

    async def _perform(self, state: State, path: str, inner: Written, own: Frame) -> Outcome:
        if state.body is None:
            return Success(None)
        return await self._walk.walk(state.body, path, inner, own)

    async def wind_up(self, error: WeftError) -> None:
        """What was cut off when the machine ended undoes what it did."""
        for name, (visit, _) in self._game.live.items():
            body, path = self._game.states[name].body, self._at(name, visit)
            if body is not None and name in self._scopes:
                await unwind(self._walk, body, error, partial(_walk_body, body, path, *self._scopes[name]))

    def _leave(self, name: str, value: Any) -> Past | None:
        """Take in the end of a visit and send its tokens on; what is known when it was a final one."""
        state, (visit, before) = self._game.states[name], self._game.live[name]
        inner, own = self._scopes.pop(name)
        set_response(inner, value)
        talks = added(self._frame.conversations, own.conversations)
        past = before.after(
            (name, visit), value, inner.written(), {talk: tuple(paths) for talk, paths in talks.items()}
        )
        if state.final:
            return past
        seen = inner | ({self._node.into: _values(self._node, self._scope, past)} if self._node.into else {})
        targets = [
            (group, arrow.to)
            for group, arrows in enumerate(state.exits)
            if (arrow := next((each for each in arrows if evaluate(each.when, seen)), None))
        ]
        self._game.leave(name, past, targets)
        self._done.append(self._at(name, visit))
        if len(self._done) >= self._pace:
            self._pace = pace(self._walk.runtime.keep(self._path, to_json(self._game), self._done))
            self._done = []
        return None

    def _at(self, name: str, visit: int) -> str:
        return f"{self._path}/{segment(name)}[{visit}]"


async def _walk_body(body: Node, path: str, inner: Written, own: Frame, walk: Walk) -> Outcome:
    return await walk.walk(body, path, inner, own)


def _values(node: Machine, scope: Scope, past: Past) -> dict[str, Any]:
    """The latest value of each visited state, over what the scope has of them before the first."""
    before = scope.get(node.into) if node.into else None
    return {**(before if isinstance(before, dict) else {}), **{name: value for name, (_, value) in past.seen.items()}}


def _carried(node: Machine, scope: Scope, past: Past) -> dict[str, Any]:
    """What `past` puts into a scope."""
    carried = {name: value for name, (_, value) in past.names.items()}
    if node.into:
        carried[node.into] = _values(node, scope, past)
    return carried
