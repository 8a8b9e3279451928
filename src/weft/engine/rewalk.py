"""Walking a plan again over what a journal holds: the runtime of a replay, which performs nothing at all.

Whoever asks for an effect waits until the replay comes to the event that says how it ended. What the interpreter itself has
recorded, the replay expects from it again: `Rewalk.emitted` holds what it has said and the journal has not said yet.
"""

from __future__ import annotations

import asyncio
import random
import selectors
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from weft.core.canonical import loads
from weft.core.errors import WeftError
from weft.engine.fold import RunState
from weft.engine.owed import around
from weft.engine.port import Asked, Composite, Failure, GateRequest, Outcome, Runtime, Settings, Suspended, Undo
from weft.engine.retention import Kept
from weft.engine.unwinding import Unwinding
from weft.plan.nodes import Budget, Call, Child

T = TypeVar("T")


class QuietLoop(asyncio.SelectorEventLoop):
    """An event loop without time or I/O. `quiet` returns when no task can go on by itself.

    What is ready at once runs in the order in which it became so, or with a `seed` in one that follows from it.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._resting: asyncio.Future[None] | None = None
        self._order = None if seed is None else random.Random(seed)  # noqa: S311 -- repeatable on purpose
        super().__init__(_Deaf(self))

    def call_soon(  # type: ignore[override]  # its types are those of the base class, said shorter
        self, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.Handle:
        """Schedule `callback`, somewhere among those that are ready."""
        handle = super().call_soon(callback, *args, context=context)
        if self._order is not None:
            ready: Any = self._ready  # type: ignore[attr-defined]  # a detail of asyncio, and the one way to reorder
            ready.insert(self._order.randrange(len(ready)), ready.pop())
        return handle

    async def quiet(self) -> None:
        """Let everything run that can."""
        self._resting = self.create_future()
        await self._resting

    def rest(self) -> None:
        """Nothing is ready: wake who waits for that."""
        resting, self._resting = self._resting, None
        if resting is None:
            raise RuntimeError("a replay waits for something outside")
        resting.set_result(None)


class _Deaf(selectors.DefaultSelector):
    def __init__(self, loop: QuietLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout != 0:
            self._loop.rest()
        return []


def quietly(main: Callable[[QuietLoop], Coroutine[Any, Any, T]], seed: int | None = None) -> T:
    """Run `main` on a loop of its own in this thread, which must run no other one."""
    loop = QuietLoop(seed)
    try:
        return loop.run_until_complete(main(loop))
    finally:
        loop.close()


@dataclass(slots=True)
class Emission:
    """What the walk says it has come to. `data` is None for what says only when; `known` is done once the journal says it too."""

    data: Any
    known: asyncio.Future[None] | None = None


@dataclass(slots=True)
class Leaf:
    """What the walk has asked for; `looks` are what the journal must say of its beginning."""

    looks: Mapping[str, str]
    ended: asyncio.Future[Outcome] | None


class Rewalk:
    """Implements `weft.engine.port.Runtime` for one drive of a replay. `waits` is what the journal says that drive ended waiting for.

    `patience` says behind which ends of composites it goes on only when the journal has them, so that others may come to their
    end in between: 2 behind every one, 1 behind those that were decisions, 0 behind none.
    """

    def __init__(self, state: RunState, waits: tuple[Mapping[str, Any], ...], *, patience: int = 2) -> None:
        self.unwinding: WeftError | None = None
        self.state = state
        self.leaves: dict[str, Leaf] = {}
        self.alarms: dict[str, asyncio.Future[None]] = {}
        self.emitted: defaultdict[tuple[str, str], deque[Emission]] = defaultdict(deque)
        self._patience = patience
        self._waits = [wait for wait in waits if wait.get("path") and wait.get("kind") != "limit"]

    async def perform(
        self, path: str, call: Call, scope: Mapping[str, Any], settings: Settings, history: tuple[str, ...]
    ) -> Outcome:
        """See `Runtime.perform`."""
        del scope, settings, history
        looks = {"type": call.performer, "effect": call.effect}
        return await self._leaf(path, looks | ({"target": call.target} if call.target else {}))

    async def sleep(self, path: str, seconds: float) -> Outcome:
        """See `Runtime.sleep`."""
        del seconds
        return await self._timed(path)

    async def ask(self, path: str, request: Callable[[], GateRequest]) -> Outcome:
        """See `Runtime.ask`."""
        if path not in self.state.gates and path not in self.state.outcomes:
            request()
        return await self._leaf(path, {})

    async def child(
        self, path: str, node: Child, planned: Any, inputs: Mapping[str, Any], settings: Settings
    ) -> Outcome:
        """See `Runtime.child`. The child has a journal of its own, and is replayed by itself."""
        del node, planned, inputs, settings
        return await self._leaf(path, {"type": "child"})

    async def listen(
        self, path: str, names: tuple[str, ...], seconds: float | None, accepts: Callable[[Mapping[str, Any]], bool]
    ) -> Outcome:
        """See `Runtime.listen`."""
        del names, accepts
        return await (self._leaf(path, {}) if seconds is None else self._timed(path))

    async def within(
        self, path: str, seconds: float, work: Callable[[], Awaitable[Outcome]], error: WeftError
    ) -> Outcome:
        """See `Runtime.within`. The alarm rings when the journal says so."""
        del seconds
        known = self.state.finished.get(path)
        if isinstance(known, Failure):
            return known
        if path and isinstance(known, Composite):
            return await work()
        if path not in self.state.timers:
            self._note("timer.set", path, None)
        alarm = self.alarms[path] = asyncio.get_running_loop().create_future()
        task = asyncio.ensure_future(work())
        try:
            await asyncio.wait([task, alarm], return_when=asyncio.FIRST_COMPLETED)
            outcome = task.result() if task.done() else Failure(error)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if isinstance(outcome, Suspended):
            return Suspended((*outcome.waits, {"kind": "limit", "path": path}))
        if path:
            if isinstance(outcome, Failure):
                await self.fail(path, outcome.error)
            else:
                await self.finish(path, Composite(None), decision=True)
        return outcome

    def finished(self, path: str) -> Composite | Failure | None:
        """See `Runtime.finished`."""
        return self.state.finished.get(path)

    async def finish(self, path: str, composite: Composite, *, decision: bool = False) -> Composite:
        """See `Runtime.finish`."""
        data = loads(self.state.written(path, composite))
        await self._tell("node.completed", path, data, waits=self._patience > (0 if decision else 1))
        return self.state.finish(path, data)

    async def fail(self, path: str, error: WeftError) -> None:
        """See `Runtime.fail`."""
        await self._tell("node.failed", path, {"error": error.as_json()}, waits=self._patience > 0)
        error.final = True
        self.state.finished[path] = Failure(error)
        self.state.paths.add(path)

    def position(self, path: str) -> Kept | None:
        """See `Runtime.position`."""
        return self.state.positions.get(path)

    def keep(self, path: str, position: Any, done: Sequence[str], rows: Sequence[Any] = ()) -> int:
        """See `Runtime.keep`. What is kept is taken in at once, as it was then."""
        payload = self.state.kept(path, position, done, rows)
        data = loads(payload)
        self._note("node.position", path, data)
        self.state.keep(path, data)
        return len(payload)

    def recorded(self, path: str) -> Outcome | None:
        """See `Runtime.recorded`."""
        return self.state.outcomes.get(path)

    def asked(self, path: str) -> Mapping[str, Asked]:
        """See `Runtime.asked`."""
        return {at: asked for at, asked in self.state.asked.items() if at.startswith(f"{path}/")}

    def asks(self, path: str, asked: Asked) -> None:
        """See `Runtime.asks`."""
        self._note("step.asked", path, asked.as_json())

    def undo(self, path: str) -> Undo:
        """See `Runtime.undo`."""
        return self.state.undo.get(path, Undo())

    def undoable(self, path: str, child: str, *, late: bool = False) -> None:
        """See `Runtime.undoable`: in which order children succeeded is in the journal, unless it is found out afterwards."""
        if late:
            self.state.undoable(path, child)

    async def undoing(self, path: str, error: WeftError) -> None:
        """See `Runtime.undoing`."""
        if self.undo(path).error is None:
            await self._emit("node.undoing", path, {"error": error.as_json()})

    def unwound(self, error: WeftError, afresh: str | None = None) -> Unwinding:
        """See `Runtime.unwound`."""
        return Unwinding(self, error, afresh)

    def forward(self) -> Runtime:
        """See `Runtime.forward`."""
        return self

    def open_budget(self, path: str, budget: Budget) -> None:
        """See `Runtime.open_budget`: what it refused is in the journal."""

    def left(self) -> list[tuple[str, str, Any]]:
        """What the walk has said and the journal has not: kind, path and data of each."""
        return [(kind, path, one.data) for (kind, path), said in self.emitted.items() for one in said]

    def wanted(self, path: str) -> Leaf | None:
        """What was asked for at `path` or around it."""
        while path:
            if leaf := self.leaves.get(path):
                return leaf
            path = around(path)
        return None

    def pending(self) -> list[str]:
        """The paths of what was asked for and has not ended."""
        return [path for path, leaf in self.leaves.items() if leaf.ended is not None and not leaf.ended.done()]

    def resting(self) -> list[str]:
        """The paths of what was asked for and can only wait: for an answer, a time, a word about its end, or another run."""
        state = self.state
        outside = {*state.gates, *state.awaited, *state.timers, *state.doubts()}
        return [
            path
            for path in self.pending()
            if self.leaves[path].looks.get("type") == "child"
            or any(at == path or at.startswith(f"{path}/") for at in outside)
        ]

    def let_go(self, path: str) -> None:
        """What was asked for at `path` waits without its process, which goes on with what else there is to do."""
        leaf = self.leaves[path]
        if leaf.ended is not None and not leaf.ended.done():
            leaf.ended.set_result(Suspended(({"kind": "driver", "path": path},)))

    async def _timed(self, path: str) -> Outcome:
        if path not in self.state.timers and path not in self.state.outcomes:
            await self._emit("timer.set", path, None)
        return await self._leaf(path, {})

    async def _leaf(self, path: str, looks: Mapping[str, str]) -> Outcome:
        known = self.state.outcomes.get(path)
        if known is not None:
            return known
        if waits := [wait for wait in self._waits if (wait["path"] + "/").startswith(path + "/")]:
            self.leaves[path] = Leaf(looks, None)
            return Suspended(tuple(waits))
        ended: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self.leaves[path] = Leaf(looks, ended)
        return await ended

    def _note(self, kind: str, path: str, data: Any) -> Emission:
        emission = Emission(data)
        self.emitted[kind, path].append(emission)
        return emission

    async def _tell(self, kind: str, path: str, data: Any, *, waits: bool) -> None:
        if waits:
            await self._emit(kind, path, data)
        else:
            self._note(kind, path, data)

    async def _emit(self, kind: str, path: str, data: Any) -> None:
        """Say something, and go on once the journal says it too."""
        emission = self._note(kind, path, data)
        emission.known = asyncio.get_running_loop().create_future()
        await emission.known
