"""The embedded runtime: the interpreter's port over the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from weft.core.canonical import dumps, loads
from weft.core.errors import InternalError, WeftError
from weft.engine.children import Children
from weft.engine.context import Step, Surroundings
from weft.engine.gates import Gates
from weft.engine.patience import around_limit, only_people, waited
from weft.engine.port import (
    Asked,
    Composite,
    Failure,
    GateRequest,
    Outcome,
    Performer,
    Runtime,
    Settings,
    StepContext,
    Suspended,
    Undo,
)
from weft.engine.recorder import Recorder
from weft.engine.retention import Kept
from weft.engine.signals import Signals
from weft.engine.steps import Performing
from weft.engine.unwinding import Unwinding
from weft.engine.waiting import Waiting
from weft.plan.nodes import Budget, Call, Child, Plan

_LOOK_AGAIN_S = 0.25
"""Between two looks at a time limit that stands still."""


class EmbeddedRuntime:
    """Implements `weft.engine.port.Runtime` for one run in this process."""

    def __init__(
        self,
        recorder: Recorder,
        plan: Plan,
        performers: Mapping[str, Performer],
        surroundings: Surroundings,
        waiting: Waiting,
        children: Children,
    ) -> None:
        self.unwinding: WeftError | None = None
        self._recorder = recorder
        self._performers = performers
        self._clock = surroundings.clock
        self._waiting = waiting
        self._children = children
        self._gates = Gates(recorder, waiting, surroundings.clock, surroundings.mask)
        self._signals = Signals(recorder, waiting, surroundings.clock)
        self._performing = Performing(recorder, plan, surroundings, waiting, self._gates, children.leaving)
        children.go_on = self._performing.go_on

    def stop(self) -> None:
        """From now on nothing is performed or recorded on this runtime."""
        self._performing.stop()

    async def perform(
        self, path: str, call: Call, scope: Mapping[str, Any], settings: Settings, history: tuple[str, ...]
    ) -> Outcome:
        """See `Runtime.perform`."""
        known = self._recorder.state.outcomes.get(path)
        if known is not None:
            return known
        performer = self._performers.get(call.performer)
        if performer is None:
            return Failure(InternalError(f"nobody here performs {call.performer!r} calls", path=path))

        before: Callable[..., Awaitable[None]] | None = getattr(performer, "before", None)

        def body(context: StepContext) -> Awaitable[Any]:
            return performer.perform(call, scope, context)

        def check(context: StepContext) -> Awaitable[Any]:
            return performer.check(call, scope, context)

        return await self._performing.perform(
            Step(
                path=path,
                body=body,
                type=call.performer,
                target=call.target,
                effect=call.effect,
                retry=call.retry or settings.retry,
                timeout_s=call.timeout_s,
                call=not getattr(performer, "computes", False),
                derived=getattr(performer, "derived", False),
                check=check,
                before=partial(before, call, scope) if before is not None else None,
                settings=settings,
                history=history,
            )
        )

    async def sleep(self, path: str, seconds: float) -> Outcome:
        """See `Runtime.sleep`."""
        self._performing.go_on()
        return await self._signals.sleep(path, seconds)

    async def ask(self, path: str, request: Callable[[], GateRequest]) -> Outcome:
        """See `Runtime.ask`."""
        self._performing.go_on()
        return await self._gates.ask(path, request)

    async def listen(
        self, path: str, names: tuple[str, ...], seconds: float | None, accepts: Callable[[Mapping[str, Any]], bool]
    ) -> Outcome:
        """See `Runtime.listen`."""
        self._performing.go_on()
        return await self._signals.listen(path, names, seconds, accepts)

    async def child(
        self, path: str, node: Child, planned: Any, inputs: Mapping[str, Any], settings: Settings
    ) -> Outcome:
        """See `Runtime.child`."""
        self._performing.go_on()
        return await self._children.run(path, node, planned, inputs, settings)

    async def within(
        self, path: str, seconds: float, work: Callable[[], Awaitable[Outcome]], error: WeftError
    ) -> Outcome:
        """See `Runtime.within`."""
        self._performing.go_on()
        state = self._recorder.state
        known = state.finished.get(path)
        if isinstance(known, Failure):
            return known
        if path and isinstance(known, Composite):
            # It was done in time, as history says; walking it again brings back what it put into the scope.
            return await work()
        since = state.timers.get(path)
        if since is None:
            # The limit's beginning is history: a resumed run has only what is left of it.
            since = self._clock.micros()
            self._recorder.note("timer.set", path, {"due": since})
        limit = partial(self._left, path, since, seconds)
        outcome = await self._race(work, limit) if limit() > 0 else None
        if outcome is None:
            # Those that nobody waits for yet, because the time was over before this drive began.
            await self._children.stop_inside(around_limit(path), "the time of what it is part of is over")
            outcome = Failure(error)
        elif isinstance(outcome, Suspended):
            wait: dict[str, Any] = {"kind": "limit", "path": path}
            if not only_people(outcome.waits, around_limit(path)):
                due = self._clock.micros() + int(limit(exactly=True) * 1_000_000)
                wait |= {"due": due, "wake": due}
            return Suspended((*outcome.waits, wait))
        if path:
            # The winner of a race is history before the program sees it. At the root the run's own end says it.
            if isinstance(outcome, Failure):
                await self.fail(path, outcome.error)
            else:
                await self.finish(path, Composite(None), decision=True)
        return outcome

    def _left(self, path: str, since: int, seconds: float, *, exactly: bool = False) -> float:
        """Seconds that are left of a time limit; at least so many, unless it is asked `exactly`."""
        now = self._clock.micros()
        left = since / 1_000_000 + seconds - now / 1_000_000
        if left > 0 and not exactly:
            # What people take makes it only longer: time enough to look when it would be over.
            return left
        return left + waited(self._recorder.history(), around_limit(path), since, now) / 1_000_000

    async def _race(self, work: Callable[[], Awaitable[Outcome]], left: Callable[[], float]) -> Outcome | None:
        """The outcome of `work`, or None when nothing was `left` of its time first."""
        task = asyncio.ensure_future(work())
        alarm = asyncio.ensure_future(self._alarm(left))
        try:
            await asyncio.wait([task, alarm], return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else None
        finally:
            alarm.cancel()
            task.cancel()
            await asyncio.gather(task, alarm, return_exceptions=True)

    async def _alarm(self, left: Callable[[], float]) -> None:
        seconds = left()
        while seconds > 0:
            await self._clock.sleep(seconds)
            seconds = left()
            if seconds > 0:
                # It stood still meanwhile, and may still do: with little left, not looked at all the time.
                seconds = max(seconds, _LOOK_AGAIN_S)

    def finished(self, path: str) -> Composite | Failure | None:
        """See `Runtime.finished`."""
        return self._recorder.state.finished.get(path)

    async def finish(self, path: str, composite: Composite, *, decision: bool = False) -> Composite:
        """See `Runtime.finish`."""
        self._performing.go_on()
        state = self._recorder.state
        payload = state.written(path, composite)
        data = loads(payload)
        await self._recorder.record_node("node.completed", path, payload, data, durable=decision)
        done = state.finished[path]
        assert isinstance(done, Composite), "what has just ended well is not there any more"
        return done

    async def fail(self, path: str, error: WeftError) -> None:
        """See `Runtime.fail`."""
        self._performing.go_on()
        data = {"error": error.as_json()}
        await self._recorder.record_node("node.failed", path, dumps(data), data, durable=True)
        error.final = True

    def position(self, path: str) -> Kept | None:
        """See `Runtime.position`."""
        return self._recorder.state.positions.get(path)

    def keep(self, path: str, position: Any, done: Sequence[str], rows: Sequence[Any] = ()) -> int:
        """See `Runtime.keep`."""
        self._performing.go_on()
        payload = self._recorder.state.kept(path, position, done, rows)
        self._recorder.note("node.position", path, loads(payload))
        return len(payload)

    def recorded(self, path: str) -> Outcome | None:
        """See `Runtime.recorded`."""
        return self._recorder.state.outcomes.get(path)

    def asked(self, path: str) -> Mapping[str, Asked]:
        """See `Runtime.asked`."""
        return {at: asked for at, asked in self._recorder.state.asked.items() if at.startswith(f"{path}/")}

    def asks(self, path: str, asked: Asked) -> None:
        """See `Runtime.asks`."""
        self._performing.go_on()
        self._recorder.note("step.asked", path, asked.as_json())

    def undo(self, path: str) -> Undo:
        """See `Runtime.undo`."""
        return self._recorder.state.undo.get(path, Undo())

    def undoable(self, path: str, child: str, *, late: bool = False) -> None:
        """See `Runtime.undoable`."""
        del late
        self._recorder.note("node.undoable", path, {"child": child})

    async def undoing(self, path: str, error: WeftError) -> None:
        """See `Runtime.undoing`."""
        if self.undo(path).error is None:
            await self._recorder.record("node.undoing", path, {"error": error.as_json()})

    def unwound(self, error: WeftError, afresh: str | None = None) -> Unwinding:
        """See `Runtime.unwound`."""
        return Unwinding(self, error, afresh)

    def forward(self) -> Runtime:
        """See `Runtime.forward`."""
        return self

    def open_budget(self, path: str, budget: Budget) -> None:
        """See `Runtime.open_budget`."""
        self._recorder.open_budget(path, budget)
