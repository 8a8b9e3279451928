"""Gates of a run that is driven: questions are put, waited for while anything else works, and concluded once they are decided."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from weft.core.canonical import dumps, loads
from weft.core.clock import Clock
from weft.core.errors import InputError, Place, WeftError
from weft.engine.fold import OpenGate
from weft.engine.halting import halting
from weft.engine.limits import check_value
from weft.engine.port import GateRequest, Outcome, Suspended
from weft.engine.questions import as_opened, assignees, conclusion, expired, gate_id
from weft.engine.recorder import Recorder
from weft.engine.waiting import Activity, Waiting
from weft.store.gates import decide, open_gate

_PROMPT = 300


class Gates:
    """The gates of one run."""

    def __init__(
        self, recorder: Recorder, waiting: Waiting, clock: Clock, mask: Callable[[str, str, Any], Any]
    ) -> None:
        self._recorder = recorder
        self._waiting = waiting
        self._clock = clock
        self._mask = mask

    async def ask(self, path: str, request: Callable[[], GateRequest], activity: Activity | None = None) -> Outcome:
        """See `Runtime.ask`; in the step `activity` if there is one."""
        state = self._recorder.state
        known = state.outcomes.get(path)
        if known is not None:
            return known
        gate = state.gates.get(path)
        if gate is None or gate.id != gate_id(self._recorder.run_id, path, state.life):
            # One that a fork has inherited is another run's question: the fork asks anew.
            gate = await self._open(path, request())
        while True:
            heard = self._waiting.rings
            made = await self._decided(gate)
            if made is not None:
                return await self._conclude(path, gate, made)
            await self._tell(path, gate)
            if await self._waiting.wait(due=self._next(gate), activity=activity, heard=heard) == "over":
                return Suspended((self._wait(path, gate),))

    def waits_inside(self, path: str) -> list[Mapping[str, Any]]:
        """What the open gates inside a step wait for."""
        inside = sorted(self._recorder.state.gates.items())
        return [self._wait(at, gate) for at, gate in inside if at.startswith(f"{path}/")]

    async def _open(self, path: str, request: GateRequest) -> OpenGate:
        at = self._clock.micros()
        id_ = gate_id(self._recorder.run_id, path, self._recorder.state.life)
        try:
            data = {"gate": id_, **as_opened(request, at=at, mask=partial(self._mask, self._recorder.run_id, path))}
            payload = dumps(data)
            check_value(payload, data)
        except (TypeError, ValueError, RecursionError) as error:
            raise InputError(f"what the gate asks is not JSON: {error}", place=Place(path=path)) from error
        data = loads(payload)
        row = open_gate(id_, self._recorder.run_id, path, data, at=at, due=data.get("due"))
        with self._waiting.working():
            await self._recorder.record_facts(path, [("gate.opened", data)], also=(row,))
        return self._recorder.state.gates[path]

    async def _decided(self, gate: OpenGate) -> Mapping[str, Any] | None:
        """What was decided; a deadline that has passed decides now, unless somebody was quicker."""
        with halting():
            made: Mapping[str, Any] | None = self._recorder.journal.gates.decision(gate.id)
            due, at = gate.request.get("due"), self._clock.micros()
            if made is None and due is not None and at >= due:
                with self._waiting.working():
                    work = decide(gate.id, expired(gate.request), at=at, expired=expired)
                    made = (await self._recorder.journal.writer.submit(work)).decision
            return made

    async def _conclude(self, path: str, gate: OpenGate, made: Mapping[str, Any]) -> Outcome:
        end = conclusion(gate.request, made, path)
        if isinstance(end, WeftError):
            last = ("step.failed", {"error": self._mask(self._recorder.run_id, path, end.as_json()), "type": "gate"})
        else:
            last = ("step.completed", {"value": end, "type": "gate"})
        with self._waiting.working():
            await self._recorder.record_facts(path, [("gate.decided", {"gate": gate.id, **made}), last])
        return self._recorder.state.outcomes[path]

    async def _tell(self, path: str, gate: OpenGate) -> None:
        """Say once that the deadline comes near, and once that others are asked too."""
        now, request = self._clock.micros(), gate.request
        facts = []
        if (warn_at := request.get("warn_at")) is not None and now >= warn_at and "gate.warned" not in gate.told:
            told = {"gate": gate.id, "due": request.get("due"), "assignees": assignees(request, now)}
            facts.append(("gate.warned", told))
        escalate_at = request.get("escalate_at")
        if escalate_at is not None and now >= escalate_at and "gate.escalated" not in gate.told:
            told = {"gate": gate.id, "due": request.get("due"), "assignees": assignees(request, now)}
            facts.append(("gate.escalated", told))
        if facts:
            with self._waiting.working():
                await self._recorder.record_facts(path, facts)

    def _next(self, gate: OpenGate) -> int | None:
        """When something is to be done about the gate, if nobody answers."""
        request, told = gate.request, gate.told
        times = [
            request.get("due"),
            None if "gate.warned" in told else request.get("warn_at"),
            None if "gate.escalated" in told else request.get("escalate_at"),
        ]
        return min((time for time in times if time is not None), default=None)

    def _wait(self, path: str, gate: OpenGate) -> dict[str, Any]:
        """What the run's row and `run.waiting` say of an open gate."""
        request = gate.request
        prompt = str(request.get("prompt", ""))
        wait = {
            "kind": "gate",
            "path": path,
            "gate": gate.id,
            "prompt": prompt if len(prompt) <= _PROMPT else f"{prompt[:_PROMPT]}…",
            "assignees": assignees(request, self._clock.micros()),
            "due": request.get("due"),
            "wake": self._next(gate),
        }
        return {name: value for name, value in wait.items() if value not in (None, [])}
