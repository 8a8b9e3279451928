"""Performing one step: journal, effect class, retries, time limit, budget. Every effect of a run goes through here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import Any, TypeVar

from weft.core.canonical import dumps, loads
from weft.core.clock import since_boot
from weft.core.errors import (
    InternalError,
    MismatchError,
    Place,
    ProviderError,
    RateLimitError,
    StepTimeoutError,
    WeftError,
)
from weft.core.unexpected import described
from weft.engine.context import LiveContext, Step, Surroundings
from weft.engine.defects import log_defect
from weft.engine.fence import regain
from weft.engine.fold import OpenStep
from weft.engine.gates import Gates
from weft.engine.limits import check_value
from weft.engine.port import (
    Done,
    Outcome,
    RunHalted,
    StepContext,
    StepSuspended,
    Suspended,
)
from weft.engine.recorder import Recorder
from weft.engine.retry import Again, verdict
from weft.engine.waiting import Activity, Waiting
from weft.plan.nodes import Plan

T = TypeVar("T")
_MUST_NOT_DOUBLE = frozenset({"reconcile", "once"})


async def _limited(step: Step, seconds: float, body: Callable[[StepContext], Awaitable[T]], context: LiveContext) -> T:
    try:
        async with asyncio.timeout(seconds) as limit:
            context.limit = limit
            return await body(context)
    except TimeoutError as error:
        text = f"it took longer than {seconds:g} s" if limit.expired() else str(error) or "something timed out"
        raise StepTimeoutError(text, fix="raise its timeout_s", place=Place(path=step.path)) from error


class Performing:
    """Performs the steps of one run. What is written of a step to be looked at (inputs, notes, errors) goes through `mask`."""

    def __init__(
        self,
        recorder: Recorder,
        plan: Plan,
        surroundings: Surroundings,
        waiting: Waiting,
        gates: Gates,
        leaving: Callable[[], bool],
    ) -> None:
        self.recorder = recorder
        self.gates = gates
        self._drivers = recorder.journal.drivers
        self._gaps = 0
        self._mask = surroundings.mask
        self._plan = plan
        self._clock = surroundings.clock
        self._slots = surroundings.slots
        self._stopped = False
        self._leaving = leaving
        self._waiting = waiting

    @cached_property
    def _tenant(self) -> str:
        """Whose run this is; asked only when slots are scarce."""
        return self.recorder.journal.runs.get(self.recorder.run_id).tenant

    def mask(self, path: str, value: Any) -> Any:
        """`value`, which is to be written of the step at `path`, without secrets."""
        return self._mask(self.recorder.run_id, path, value)

    @property
    def leaving(self) -> bool:
        """Whether the process lets go of the run at this moment."""
        return self._leaving()

    def stop(self) -> None:
        """From now on nothing begins and nothing is recorded, whatever the performers do about it."""
        self._stopped = True

    def go_on(self) -> None:
        """Let whoever is about to begin or record something do so.

        Raises:
            asyncio.CancelledError: nothing is to happen any more.
        """
        if self._stopped:
            raise asyncio.CancelledError

    async def perform(self, step: Step, inside: Activity | None = None) -> Outcome:
        """The outcome of a step, `inside` another one or not: from the journal, or by performing it until it ends for good."""
        self.go_on()
        state = self.recorder.state
        known = state.outcomes.get(step.path)
        if known is not None:
            return known
        context = LiveContext(self, step, self.recorder.run_id, step.path, self._plan, self._clock, step.history)
        try:
            begun = state.open.get(step.path)
            if begun is not None:
                self._fits(step, begun)
                context.attempt = begun.attempt
                said = state.settled.get(step.path)
                if said is True:
                    return await self._succeed(step, Done(None), context)
                if step.effect == "once" and said is None and begun.next_at is None:
                    return Suspended(({"kind": "doubt", "path": step.path, "since": begun.since},))
            with self._waiting.working(inside) as context.activity:
                if step.before is not None and begun is None:
                    try:
                        await step.before(context)
                    except WeftError as error:
                        return await self._fail(step, error, context)
                return await self._attempts(step, context, begun)
        except StepSuspended as signal:
            # Of several questions at once only one was heard here; what the journal has open says all of them.
            asked = self.gates.waits_inside(step.path)
            named = {wait["path"] for wait in asked}
            return Suspended((*(wait for wait in signal.waits if wait["path"] not in named), *asked))

    async def _attempts(self, step: Step, context: LiveContext, begun: OpenStep | None) -> Outcome:
        parks = 0
        doubtful = begun is not None
        if begun is not None and begun.next_at is not None:
            await self._sleep_until(begun.next_at)
        while True:
            try:
                if doubtful and step.effect == "reconcile" and step.check is not None:
                    found = await self._once(step, step.check, context)
                    if found is not None:
                        return await self._succeed(step, found, context)
                self.recorder.admit(step.path, step.settings, call=step.call, spends=step.spends)
                if step.effect != "pure":
                    await self._announce(step, context)
                done = await self._once(step, step.body, context)
                return await self._succeed(step, done, context)
            except WeftError as caught:
                error = caught
            # Who turns us away for being too fast has done nothing; any other error that may pass leaves that open.
            limited = isinstance(error, RateLimitError)
            doubtful = doubtful or not limited
            if step.effect == "once" and error.retryable and not error.final and not limited:
                return Suspended(
                    ({"kind": "doubt", "path": step.path, "error": self.mask(step.path, error.as_json())},)
                )
            again = verdict(error, step.retry, attempt=context.attempt, parks=parks, key=context.key)
            if again is None:
                return await self._fail(step, error, context)
            parks = parks + 1 if again.parked else 0
            await self._back_off(step, context, error, again)

    async def _announce(self, step: Step, context: LiveContext) -> None:
        """Say that the step begins; durably, before an effect that must not be repeated blindly. A pure one only ends.

        Whatever has an effect begins only after the answers of models that may have led to it are durable.
        """
        self.go_on()
        data: dict[str, Any] = {"type": step.type, "effect": step.effect, "attempt": context.attempt}
        if step.target:
            data["target"] = step.target
        if step.input is not None:
            data["input"] = self.mask(step.path, step.input)
        if step.effect == "idempotent":
            self.recorder.note("step.started", step.path, data)
            if not step.derived:
                await self.recorder.settled()
        else:
            await self.recorder.record("step.started", step.path, data)

    async def _once(self, step: Step, body: Callable[[StepContext], Awaitable[T]], context: LiveContext) -> T:
        """One attempt at the effect, or at finding out about it. A call holds one of the process's slots while it works, not while it waits to try again."""
        try:
            if not step.call:
                return await self._answered(step, body, context)
            assert context.activity is not None, "a call is performed as an activity"
            if not self._slots.take():
                with self._waiting.queued(context.activity):
                    await self._slots.acquire(self._tenant)
            try:
                return await self._answered(step, body, context)
            finally:
                self._slots.release()
        except (WeftError, RunHalted, StepSuspended):
            raise
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling() or self._stopped:
                raise
            # Nobody has cancelled or stopped us: something inside was cancelled and let it out, which must not look like Ctrl-C.
            raise self._defect(step, error, "something inside it was cancelled") from error
        except TimeoutError as error:
            raise StepTimeoutError(str(error) or "something timed out", place=Place(path=step.path)) from error
        except Exception as error:  # a performer may raise anything: a defect ends its step, with its name
            raise self._defect(step, error, described(error)) from error

    def _defect(self, step: Step, error: BaseException, what: str) -> InternalError:
        log_defect(error, run_id=self.recorder.run_id, path=step.path, mask=self._mask)
        fix = "this is a defect of Weft or of an extension: please report it"
        return InternalError(what, fix=fix, place=Place(path=step.path))

    async def _answered(self, step: Step, body: Callable[[StepContext], Awaitable[T]], context: LiveContext) -> T:
        acts = step.effect in _MUST_NOT_DOUBLE and body is step.body
        try:
            # Durable is that it begins, and then this process may have been frozen, or have waited long for a slot.
            while acts and (since_boot() > self._drivers.held_until or self._gaps != self._drivers.gaps):
                self._gaps = await regain(self.recorder.journal, self.recorder.run_id, self.recorder.epoch)
            self.go_on()
            if step.timeout_s is None:
                return await body(context)
            return await _limited(step, step.timeout_s, body, context)
        finally:
            # Also who answers although it was cancelled changes nothing any more.
            self.go_on()

    async def _succeed(self, step: Step, done: Done, context: LiveContext) -> Outcome:
        self.go_on()
        data: dict[str, Any] = {"value": done.value}
        if context.attempt > 1:
            data["attempts"] = context.attempt
        self._unannounced(step, data)
        if done.usage is not None:
            data["usage"] = done.usage.as_json()
        try:
            payload = dumps(data)
            data = loads(payload)
            check_value(payload, data["value"])
        except (TypeError, ValueError, RecursionError) as error:
            return await self._fail(
                step, ProviderError(f"its result is not JSON: {error}", place=Place(path=step.path)), context
            )
        if step.derived:
            self.recorder.note_outcome("step.completed", step.path, payload, data)
        elif step.spends:
            # Nothing comes of an answer before something begins or ends on the strength of it, and that is written after it.
            self.recorder.note_spending("step.completed", step.path, payload, data, done.usage)
        else:
            await self.recorder.record_outcome("step.completed", step.path, payload, data, done.usage)
        return self.recorder.state.outcomes[step.path]

    async def _fail(self, step: Step, error: WeftError, context: LiveContext) -> Outcome:
        self.go_on()
        if not error.place.path:
            error.place = Place(file=error.place.file, pointer=error.place.pointer, path=step.path)
        data: dict[str, Any] = {"error": self.mask(step.path, error.as_json()), "attempts": context.attempt}
        self._unannounced(step, data)
        payload = dumps(data)
        data = loads(payload)
        await self.recorder.record_outcome("step.failed", step.path, payload, data, None)
        return self.recorder.state.outcomes[step.path]

    async def _back_off(self, step: Step, context: LiveContext, error: WeftError, again: Again) -> None:
        self.go_on()
        if not again.parked:
            context.attempt += 1
        due = self._clock.micros() + int(again.delay * 1_000_000)
        data = {
            "attempt": context.attempt,
            "next_at": due,
            "parked": again.parked,
            "error": self.mask(step.path, error.as_json()),
            "type": step.type,
        }
        await self.recorder.record("step.retrying", step.path, data)
        await self._clock.sleep(again.delay)

    def _unannounced(self, step: Step, data: dict[str, Any]) -> None:
        """What the end of a step says about it: that it is a call, and for a pure step, which had no beginning, what it was."""
        if step.call:
            data["call"] = step.type
        elif step.effect == "pure":
            data |= {"type": step.type, "target": step.target, "input": self.mask(step.path, step.input)}

    async def _sleep_until(self, due: int) -> None:
        left = (due - self._clock.micros()) / 1_000_000
        if left > 0:
            await self._clock.sleep(left)

    def _fits(self, step: Step, begun: OpenStep) -> None:
        if begun.type != step.type or (begun.target and step.target and begun.target != step.target):
            raise RunHalted(
                MismatchError(
                    f"the journal has a {begun.type} {begun.target!r} at {step.path}, the plan a {step.type} {step.target!r}",
                    fix="`weft verify` checks the journal; the run was recorded with another plan",
                    place=Place(path=step.path),
                )
            )
