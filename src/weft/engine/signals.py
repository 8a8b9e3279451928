"""Waits of a run that is driven: for a time, for a signal, or for whichever comes first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from weft.core.clock import Clock
from weft.engine.halting import halting
from weft.engine.port import Outcome, Suspended
from weft.engine.recorder import Recorder
from weft.engine.waiting import Waiting
from weft.store.signals import SentSignal, take

Accepts = Callable[[Mapping[str, Any]], bool]


class Signals:
    """The timers and signals of one run."""

    def __init__(self, recorder: Recorder, waiting: Waiting, clock: Clock) -> None:
        self._recorder = recorder
        self._waiting = waiting
        self._clock = clock
        self._taken: set[int] = set()

    async def sleep(self, path: str, seconds: float) -> Outcome:
        """See `Runtime.sleep`."""
        known = self._recorder.state.outcomes.get(path)
        if known is not None:
            return known
        due = await self._due(path, seconds)
        while self._clock.micros() < due:
            if await self._waiting.wait(due=due, timer=True) == "over":
                return Suspended(({"kind": "timer", "path": path, "due": due, "wake": due},))
        return await self._end(path, None, ())

    async def listen(self, path: str, names: tuple[str, ...], seconds: float | None, accepts: Accepts) -> Outcome:
        """See `Runtime.listen`."""
        state = self._recorder.state
        known = state.outcomes.get(path)
        if known is not None:
            return known
        due = None if seconds is None else await self._due(path, seconds)
        if path not in state.awaited:
            self._recorder.note("signal.awaited", path, {"names": list(names)})
        seen = 0
        while True:
            # Asked before looking, so that a signal that comes at the last moment still counts.
            late = due is not None and self._clock.micros() >= due
            passed: list[SentSignal] = []
            with halting():
                pending = self._recorder.journal.signals.pending(self._recorder.run_id)
            for signal in pending:
                seen = max(seen, signal.id)
                if signal.name not in names or signal.id in self._taken:
                    continue
                passed.append(signal)
                if accepts({"name": signal.name, "data": signal.data}):
                    return await self._end(path, signal, passed)
            if late:
                return await self._end(path, None, passed, listened=True)
            if await self._waiting.wait(due=due, timer=True) == "over":
                wait = {"kind": "signal", "path": path, "names": list(names), "seen": seen, "due": due, "wake": due}
                return Suspended(({name: value for name, value in wait.items() if value is not None},))

    async def _due(self, path: str, seconds: float) -> int:
        known = self._recorder.state.timers.get(path)
        if known is not None:
            return known
        due = self._clock.micros() + int(seconds * 1_000_000)
        with self._waiting.working():
            await self._recorder.record("timer.set", path, {"due": due})
        return due

    async def _end(
        self, path: str, signal: SentSignal | None, seen: list[SentSignal] | tuple[()], *, listened: bool = False
    ) -> Outcome:
        """The wait is over: `signal` has ended it, or its time; whatever else it has `seen` it has passed over."""
        seen = [one for one in seen if one.id not in self._taken]
        self._taken |= {one.id for one in seen}
        facts: list[tuple[str, dict[str, Any]]] = [
            (
                "signal.received" if one is signal else "signal.passed",
                {"name": one.name, "key": one.key, "by": one.sender, "at": one.at, "data": one.data},
            )
            for one in seen
        ]
        value: Any = {"signal": None, "data": None} if listened else None
        if signal is not None:
            value = {"signal": signal.name, "data": signal.data}
        facts.append(("step.completed", {"value": value}))
        also = (take([one.id for one in seen]),) if seen else ()
        with self._waiting.working():
            await self._recorder.record_facts(path, facts, also=also)
        return self._recorder.state.outcomes[path]
