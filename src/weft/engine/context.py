"""A step, and what its performer may know and do while it is performed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from weft.core.clock import Clock
from weft.core.errors import InternalError, Place
from weft.core.event import Event
from weft.core.ids import path_key
from weft.engine.gates import Gates
from weft.engine.port import (
    NO_RETRY,
    Done,
    GateRequest,
    Outcome,
    Settings,
    StepContext,
    StepSuspended,
    Success,
    Suspended,
)
from weft.engine.recorder import Recorder
from weft.engine.slots import Slots
from weft.engine.waiting import Activity
from weft.plan.nodes import Effect, Plan, Retry

_SETTINGS = Settings()
Body = Callable[[StepContext], Awaitable[Done]]
Check = Callable[[StepContext], Awaitable[Done | None]]
Before = Callable[[StepContext], Awaitable[None]]
"""What must have been asked before a step may begin."""
Mask = Callable[[str, str, Any], Any]
"""Takes out of JSON what must not be written; it is told of which run and which path the value is."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What steps of all runs share: time, the slots of this process, and what takes secrets out of what is written."""

    clock: Clock
    slots: Slots
    mask: Mask


class Step(NamedTuple):
    """What is to be performed at one path. `call` marks the calls of the plan, apart from the steps inside them."""

    path: str
    body: Body
    type: str
    target: str = ""
    effect: Effect = "idempotent"
    input: Mapping[str, Any] | None = None
    retry: Retry = NO_RETRY
    timeout_s: float | None = None
    spends: bool = False
    call: bool = False
    derived: bool = False
    check: Check | None = None
    before: Before | None = None
    settings: Settings = _SETTINGS
    history: tuple[str, ...] = ()


class Steps(Protocol):
    """What performs the steps of a run, as seen from inside one of them."""

    recorder: Recorder
    gates: Gates

    @property
    def leaving(self) -> bool:
        """Whether the process lets go of the run at this moment."""
        ...

    def mask(self, path: str, value: Any) -> Any:
        """`value`, which is to be written of the step at `path`, without what must not be."""
        ...

    def go_on(self) -> None:
        """Let whoever is about to begin or record something do so, unless nothing is to happen any more."""
        ...

    async def perform(self, step: Step, inside: Activity | None = None) -> Outcome:
        """The outcome of a step, `inside` another one or not."""
        ...


@dataclass(slots=True)
class LiveContext:
    """The `StepContext` of a step that is being performed."""

    performing: Steps
    step_: Step
    run_id: str
    path: str
    plan: Plan
    clock: Clock
    history: tuple[str, ...]
    attempt: int = 1
    activity: Activity | None = None
    limit: asyncio.Timeout | None = None
    _names: set[str] | None = None
    _asking: int = 0
    _left: float = 0.0

    @property
    def key(self) -> str:
        """See `StepContext.key`."""
        return path_key(self.run_id, self.performing.recorder.state.key_path(self.path))

    @property
    def options(self) -> Mapping[str, Any]:
        """See `StepContext.options`."""
        return self.performing.recorder.state.options

    @property
    def leaving(self) -> bool:
        """See `StepContext.leaving`."""
        return self.performing.leaving

    def recorded(self, path: str) -> Any:
        """See `StepContext.recorded`."""
        outcome = self.performing.recorder.state.outcomes.get(path)
        return outcome.value if isinstance(outcome, Success) else None

    def events(self) -> list[Event]:
        """See `StepContext.events`."""
        return self.performing.recorder.history()

    def emit(self, delta: Mapping[str, Any]) -> None:
        """See `StepContext.emit`."""
        self.performing.recorder.emit(self.path, self.attempt, delta)

    def note(self, kind: str, data: Mapping[str, Any]) -> None:
        """See `StepContext.note`."""
        self.performing.go_on()
        self.performing.recorder.note(kind, self.path, self.performing.mask(self.path, dict(data)))

    async def ask(self, name: str, request: GateRequest) -> Any:
        """See `StepContext.ask`."""
        self.performing.go_on()
        path = f"{self.path}/{name}"
        self._hold_limit(1)
        try:
            outcome = await self.performing.gates.ask(path, lambda: request, self.activity)
        finally:
            self._hold_limit(-1)
        return _value(outcome)

    def _hold_limit(self, change: int) -> None:
        """A person's time is not the step's: while anything is asked, its time limit stands still."""
        now = asyncio.get_running_loop().time()
        was, self._asking = self._asking, self._asking + change
        if self.limit is None or self.limit.expired():
            return
        when = self.limit.when()
        if not was and when is not None:
            self._left = max(when - now, 0.0)
            self.limit.reschedule(None)
        elif was and not self._asking:
            self.limit.reschedule(now + self._left)

    async def step(  # noqa: PLR0913 -- the port's signature
        self,
        name: str,
        body: Body,
        *,
        type: str,  # noqa: A002 -- the port's signature
        effect: Effect = "idempotent",
        input: Mapping[str, Any] | None = None,  # noqa: A002 -- the port's signature
        retry: Retry | None = None,
        timeout_s: float | None = None,
        spends: bool = False,
        target: str = "",
        check: Check | None = None,
    ) -> Any:
        """See `StepContext.step`."""
        if self._names is None:
            self._names = set()
        if name in self._names:
            raise InternalError(
                f"two steps inside {self.path!r} are called {name!r} at once", place=Place(path=self.path)
            )
        inner = Step(
            path=f"{self.path}/{name}",
            body=body,
            type=type,
            target=target,
            effect=effect,
            input=input,
            retry=retry or self.step_.retry,
            timeout_s=timeout_s,
            spends=spends,
            check=check,
            settings=self.step_.settings,
        )
        self._names.add(name)
        try:
            outcome = await self.performing.perform(inner, self.activity)
        finally:
            self._names.discard(name)
        return _value(outcome)


def _value(outcome: Outcome) -> Any:
    """What is inside a step goes on with: the value, or the error or the signal that ends it."""
    if isinstance(outcome, Success):
        return outcome.value
    if isinstance(outcome, Suspended):
        raise StepSuspended(outcome.waits)
    raise outcome.error
