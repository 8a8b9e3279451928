"""Replay: walk a run's plan again over its journal, perform nothing, and prove that the same events come out.

Taken as they are recorded: how calls ended and what happened inside them, what people answered, and what the clock said.
Derived again and compared: which steps the plan comes to, what they are, how every composite ended and with what value, which
waits and time limits began, and how each drive of the run ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from weft.core.errors import InternalError
from weft.core.event import Event
from weft.engine.drives import BREAKS, ENDS, let_go, same_end, waits_of_drive
from weft.engine.ending import CANCELLED, last_event
from weft.engine.fold import RunState, apply, fold
from weft.engine.heldback import HeldBack
from weft.engine.interpreter import Interpreter
from weft.engine.owed import Owed, around
from weft.engine.port import Failure, Outcome, RunHalted, Runtime
from weft.engine.programs.port import Programs
from weft.engine.programs.walker import program_walker
from weft.engine.replayed import Parted, Replayed, said
from weft.engine.rewalk import Emission, QuietLoop, Rewalk, quietly
from weft.engine.walk.undoing import undoes
from weft.plan.nodes import Plan

_ORDERS = 10
"""So many orders of what was ready at once are tried with each patience before a difference is believed."""
_DERIVED = frozenset({"step.asked", "node.completed", "node.failed", "node.position", "node.undoing", "timer.set"})
_AT_ONCE = frozenset({"node.completed", "node.failed", "node.position"})
_RUNG = frozenset({"node.failed", "node.undoing"})
"""What can be the first that is written after the time of a block is over: of the run's own time, that something is undone."""
_BETWEEN = ("step.settled", "gate.", "signal.")
"""What may be written of a run that nobody drives."""


def replay(run_id: str, plan: Plan, events: Sequence[Event], programs: Programs | None = None) -> Replayed:
    """Walk `plan` over `events`. Runs on an event loop of its own: call it in a thread that runs none.

    `programs` are the functions that the plan names; they are run again, and everything that they ask for is answered from the events.

    Raises:
        MismatchError: an event is not as this version writes it.
    """
    # Ends that reached the journal close together may have been acted on together or one by one, and in any order: which it was
    # the journal does not say, so it is enough that one of them leads to the same events.
    # Of those that part, the one that came furthest says best where the journal cannot be followed.
    furthest: Replayed | None = None
    parted = -1
    for pace in _paces():
        found = quietly(lambda loop: _Replay(loop, plan, events, pace, programs).run(run_id), pace.seed)  # noqa: B023 -- called at once
        if found.difference is None:
            return found
        if found.difference.seq > parted:
            furthest, parted = found, found.difference.seq
    assert furthest is not None, "there is more than one pace"
    return furthest


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pace:
    """How a pass goes over the events.

    A recorded end is handed to the walk only when a later event needs it, those nearest to that event first: what the journal
    had already, the process may not have acted on yet. `eager`, it is handed over and acted on at once. `singly`, a step that has
    begun is looked for after each end that is handed over: it may have begun between two that reached the journal together. With
    `hold`, so it is with every end that a node of the plan comes to, also where no recorded end is handed over: one that was known
    when the drive began, or that needs no step. What runs beside it may have come to its own end before anybody acted on that one.
    For `patience` see `Rewalk`; what is ready at once runs in an order that follows from `seed`.
    """

    eager: bool = False
    singly: bool = False
    hold: bool = False
    patience: int = 2
    seed: int | None = None


def _paces() -> Iterator[_Pace]:
    for seed in (None, *range(_ORDERS)):
        for patience in (2, 1, 0):
            yield _Pace(patience=patience, seed=seed)
            yield _Pace(patience=patience, seed=seed, singly=True)
            yield _Pace(patience=patience, seed=seed, singly=True, hold=True)
            if seed is None:
                yield _Pace(patience=patience, eager=True)


class _Replay:
    """One pass over the events."""

    def __init__(
        self, loop: QuietLoop, plan: Plan, events: Sequence[Event], pace: _Pace, programs: Programs | None
    ) -> None:
        self._loop = loop
        self._plan = plan
        self._events = events
        self._pace = pace
        self._programs = programs
        self._state = RunState()
        self._walk: Rewalk | None = None
        self._task: asyncio.Task[tuple[Outcome, dict[str, Any]]] | None = None
        self._waits: tuple[Mapping[str, Any], ...] = ()
        self._derived = 0
        self._due = Owed()

    async def run(self, run_id: str) -> Replayed:
        difference = None
        try:
            for place, event in enumerate(self._events):
                await self._take(place, event)
        except Parted as parted:
            difference = parted.difference
        except (KeyError, TypeError, ValueError, AttributeError):
            # Which event it is, the fold says better.
            fold(self._events)
            raise
        finally:
            await self._abandon(len(self._events))
        return Replayed(run_id=run_id, events=len(self._events), derived=self._derived, difference=difference)

    async def _take(self, place: int, event: Event) -> None:
        kind = event.kind
        if kind in _DERIVED:
            await self._expect(event)
        elif kind in ENDS and not let_go(event):
            await self._conclude(place, event)
        elif kind == "run.cancelling":
            await self._turn_back(place, event)
        elif kind in BREAKS or kind in ENDS:
            if kind == "run.cancelled":
                await self._walked_back(event)
            await self._abandon(place)
            apply(self._state, event)
            if kind == "run.started":
                self._begin(place)
                await self._loop.quiet()
        elif kind.startswith("run.") or kind in {"budget.warning", "node.undoable"}:
            apply(self._state, event)
        else:
            await self._fact(event)

    def _begin(self, place: int) -> None:
        self._waits = waits_of_drive(self._events, place)
        self._walk = walk = Rewalk(self._state, self._waits, patience=self._pace.patience)
        on: Runtime = walk if self._state.cancelling is None else walk.unwound(CANCELLED)
        others = program_walker(self._programs, self._state.options, lambda _, value: value)
        interpreter = HeldBack(on, self._hold, others) if self._pace.hold else Interpreter(on, others)
        run: Callable[..., Coroutine[Any, Any, tuple[Outcome, dict[str, Any]]]] = interpreter.run
        self._task = asyncio.ensure_future(run(self._plan, self._state.scope))

    async def _turn_back(self, place: int, event: Event) -> None:
        """The run is cancelled: whoever drives it walks it back from here."""
        driven = self._walk is not None
        await self._abandon(place)
        apply(self._state, event)
        if driven and undoes(self._plan.root):
            self._begin(place)
            await self._loop.quiet()

    async def _walked_back(self, event: Event) -> None:
        """The walk back must have come to its end, too."""
        if self._task is None or self._walk is None or self._state.cancelling is None:
            return
        await self._deliver_all()
        if not self._task.done():
            pending = ", ".join(self._walk.pending()[:3]) or "something"
            raise Parted(event, f"that there is still to undo {pending}")
        for kind, path, data in self._walk.left():
            if data is not None and not self._cut_off(path):
                raise Parted(event, said(kind, path, data))
        self._derived += 1

    async def _fact(self, event: Event) -> None:
        """An event that is taken as recorded, if the plan has come to where it is."""
        if self._walk is None:
            if not event.kind.startswith(_BETWEEN):
                raise Parted(event, "that nobody drives the run there")
            apply(self._state, event)
            return
        asked = partial(self._asked, event.path)
        if not await self._until(asked, event.path, singly=self._pace.singly) and not await self._past_waits(asked):
            raise Parted(event, "that the plan does not come to this step")
        apply(self._state, event)
        own = self._walk.leaves.get(event.path)
        if own is None:
            return
        if event.kind == "step.started":
            wrong = {name: value for name, value in own.looks.items() if event.data.get(name, value) != value}
            if wrong:
                raise Parted(event, said("step.started", event.path, dict(own.looks)))
        elif event.kind in {"step.completed", "step.failed"} and own.ended is not None and not own.ended.done():
            await self._owe(event, partial(_settle, own.ended, self._state.outcomes[event.path]))

    async def _expect(self, event: Event) -> None:
        """An event that must come out of the walk."""
        for step in event.data.get("after") or () if event.kind == "step.asked" else ():
            # In which order a program was handed the ends of its steps is history.
            while await self._deliver(step, alone=True):
                pass
        emission = await self._emission(event)
        if emission is None:
            left = self._walk.left() if self._walk else []
            there = [said(kind, path, data) for kind, path, data in left if path == event.path]
            raise Parted(event, there[0] if there else "nothing there")
        if emission.data is not None and emission.data != event.data:
            raise Parted(event, said(event.kind, event.path, emission.data))
        self._derived += 1
        if event.kind in {"step.asked", "timer.set", "node.undoing"}:
            apply(self._state, event)
        if emission.known is not None:
            await self._owe(event, partial(_settle, emission.known, None))

    async def _emission(self, event: Event) -> Emission | None:
        """What the walk says of this event, which it is given the time to say."""
        if (walk := self._walk) is None:
            return None
        key = (event.kind, event.path)
        emitted = await self._until(lambda: bool(walk.emitted.get(key)), event.path)
        if not emitted and event.kind in _RUNG and self._ring(event.path if event.kind == "node.failed" else ""):
            await self._loop.quiet()
            await self._until(lambda: bool(walk.emitted.get(key)), event.path)
        return walk.emitted[key].popleft() if walk.emitted.get(key) else None

    def _asked(self, path: str) -> bool:
        return self._walk is not None and self._walk.wanted(path) is not None

    async def _until(self, holds: Callable[[], bool], path: str, *, singly: bool = False) -> bool:
        """Let the walk go on until `holds` does, with recorded ends from ever wider around `path`; whether it does."""
        while not holds():
            while singly and (hand_over := self._due.take_one(path)) is not None:
                hand_over()
                await self._loop.quiet()
                if holds():
                    return True
            if await self._deliver(path):
                continue
            if not path:
                return False
            path = around(path)
        return True

    async def _past_waits(self, holds: Callable[[], bool]) -> bool:
        """Let the walk leave what can only wait, until `holds` does; which of them a process had left when it died is in no event."""
        if (walk := self._walk) is None or self._waits:
            return False
        for path in walk.resting():
            walk.let_go(path)
            await self._loop.quiet()
            if await self._until(holds, ""):
                return True
        return False

    async def _hold(self, path: str, *, failed: bool) -> None:
        """A node has come to its end, which is handed to whoever walks it like one that is recorded."""
        end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._due.add(path, partial(_settle, end, None), failed=failed)
        await end

    async def _owe(self, event: Event, hand_over: Callable[[], None]) -> None:
        self._due.add(event.path, hand_over, failed=event.kind in {"step.failed", "node.failed"})
        if self._pace.eager:
            await self._deliver("")

    async def _deliver(self, path: str, *, alone: bool = False) -> bool:
        """Hand over what is owed at `path` and, unless it is to be `alone`, inside it, and let the walk go on; whether there was any."""
        if not (ready := self._due.take(path, alone=alone)):
            return False
        for hand_over in ready:
            hand_over()
        await self._loop.quiet()
        return True

    async def _deliver_all(self) -> None:
        """Let the walk go on as far as what is recorded leads."""
        while await self._deliver(""):
            pass

    def _ring(self, path: str) -> bool:
        """The time of the block at `path` is over; False when no limit runs there."""
        alarm = self._walk.alarms.get(path) if self._walk else None
        if alarm is None or alarm.done():
            return False
        alarm.set_result(None)
        return True

    async def _conclude(self, place: int, event: Event) -> None:
        """The last event of a drive: the walk must have come to the same end."""
        if self._task is None or self._walk is None:
            raise Parted(event, "that nobody drives the run there")
        await self._deliver_all()
        if not self._task.done() and event.kind == "run.failed" and self._ring(""):
            await self._loop.quiet()
            await self._deliver_all()
        if not self._task.done():
            pending = ", ".join(self._walk.pending()[:3]) or "something"
            raise Parted(event, f"that the plan still waits for {pending}")
        kind, data = self._end(self._task)
        if kind != event.kind or not same_end(kind, data, event.data):
            raise Parted(event, said(kind, "", data))
        for other, path, own in self._walk.left():
            if kind != "run.failed" and own is not None and not self._cut_off(path):
                raise Parted(event, said(other, path, own))
        self._derived += 1
        await self._abandon(place)
        apply(self._state, event)

    def _cut_off(self, path: str) -> bool:
        """Whether something around `path` ended without waiting for it."""
        return any(
            path.startswith((f"{outer}/", f"{outer}[")) for outer in self._state.finished if len(outer) < len(path)
        )

    def _end(self, task: asyncio.Task[tuple[Outcome, dict[str, Any]]]) -> tuple[str, dict[str, Any]]:
        error = task.exception()
        if isinstance(error, RunHalted):
            raise error.error
        if error is None:
            outcome, scope = task.result()
        else:
            what = f"{type(error).__name__}: {error}"
            outcome, scope = Failure(InternalError(what, fix="this is a defect: please report it")), {}
        return last_event(outcome, scope, self._state.references)

    async def _abandon(self, place: int) -> None:
        """Stop the walk before event number `place`, as the process that did it once stopped."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            if self._due or (self._walk and any(kind in _AT_ONCE for kind, _, _ in self._walk.left())):
                # The walk takes in at once what it only notes, and what was not durable was lost with its process; and what was
                # durable may not have been acted on.
                self._state = fold(self._events[:place])
        self._task = self._walk = None
        self._due.clear()


def _settle(future: asyncio.Future[Any], value: Any) -> None:
    if not future.done():
        future.set_result(value)
