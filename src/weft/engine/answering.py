"""The one door for answers from outside: decisions at gates, and signals. Who drives the run does not matter here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from weft.core.canonical import dumps, loads
from weft.core.clock import Clock, iso
from weft.core.errors import ConflictError, InputError, NotFoundError
from weft.core.ids import uuid7
from weft.engine.limits import check_value
from weft.engine.questions import Answer, decision, expired
from weft.store.gates import Gate, decide
from weft.store.journal import Journal
from weft.store.signals import send

_SAME = ("how", "choice", "response", "values", "by")
_MAX_NAME = 200
_MAX_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Decided:
    """What holds at a gate after an answer; `repeated` says that the very same answer had been given before."""

    gate: Gate
    decision: Mapping[str, Any]
    repeated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSignal:
    """A signal to be sent. With a `key`, sending it again is harmless."""

    name: str
    data: Any = None
    key: str = field(default_factory=uuid7)
    by: str = ""


class Answering:
    """Takes answers for the runs of one journal."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock

    async def decide(self, run_id: str, gate: str | None, answer: Answer) -> Decided:
        """See `Engine.decide`."""
        found = self.find(run_id, gate)
        at = self._clock.micros()
        if found.decision is not None:
            return _known(found, found.decision, answer)
        made = decision(found.request, answer, at=at)
        made = loads(dumps(made))
        work = decide(found.id, made, at=at, expired=expired)
        verdict = await self._journal.writer.submit(work)
        if not verdict.won:
            return _known(found, verdict.decision, answer)
        self._journal.inbox.ring()
        return Decided(found, verdict.decision)

    async def signal(self, run_id: str, signal: NewSignal) -> bool:
        """See `Engine.signal`."""
        if not 0 < len(signal.name) <= _MAX_NAME or not 0 < len(signal.key) <= _MAX_NAME:
            raise InputError(
                f"the name and the key of a signal have 1 to {_MAX_NAME} characters", fix="give shorter ones"
            )
        try:
            payload = dumps(signal.data)
            check_value(payload, loads(payload))
            if len(payload) > _MAX_BYTES:
                raise ValueError(f"it is longer than {_MAX_BYTES} bytes")
        except (TypeError, ValueError, RecursionError) as error:
            raise InputError(f"the data of the signal cannot be sent: {error}", fix="send less, as JSON") from error
        new = await self._journal.writer.submit(
            send(
                run_id,
                name=signal.name,
                data=payload.decode(),
                key=signal.key,
                sender=signal.by,
                at=self._clock.micros(),
            )
        )
        self._journal.inbox.ring()
        return bool(new)

    def answered(self, run_id: str, waits: Sequence[Mapping[str, Any]]) -> bool:
        """Whether something that a run waits for has come since its drive looked last."""
        children = [self._journal.runs.get(wait["run"]) for wait in waits if wait.get("kind") == "child"]
        now = self._clock.micros()
        if any(run.ended or (not run.driven and run.due is not None and run.due <= now) for run in children):
            return True
        gates = [wait["gate"] for wait in waits if wait.get("kind") == "gate"]
        if gates and self._journal.gates.decided(gates):
            return True
        listening = [wait for wait in waits if wait.get("kind") == "signal"]
        pending = self._journal.signals.pending(run_id) if listening else []
        return any(
            signal.name in wait["names"] and signal.id > wait["seen"] for wait in listening for signal in pending
        )

    def find(self, run_id: str, text: str | None) -> Gate:
        """The gate of the run that `text` means: its id, the beginning of it, or its path; without one the only open one.

        Raises:
            NotFoundError: there is none.
            InputError: several are meant.
        """
        return meant(self._journal.gates.of(run_id), run_id, text)


def meant(gates: Sequence[Gate], run_id: str, text: str | None) -> Gate:
    """Which of the gates of a run `text` means: its id, the beginning of it, or its path; without one the only open one.

    Raises:
        NotFoundError: there is none.
        InputError: several are meant.
    """
    if text is not None:
        fitting = [gate for gate in gates if gate.path == text] or [
            gate for gate in gates if gate.id.startswith(text) or gate.path.endswith(f"/{text}")
        ]
    else:
        fitting = [gate for gate in gates if gate.status == "open"] or list(gates[-1:])
    # Of the same question in several lives of a run, the one that is open, else the latest, is meant.
    at_path = {gate.path: gate for gate in sorted(fitting, key=lambda gate: (gate.status == "open", gate.opened_at))}
    if not at_path:
        what = f"no gate {text!r}" if text is not None else "no gate"
        raise NotFoundError(f"this run has {what}", fix=f"`weft why {run_id}` says what it waits for", run=run_id)
    if len(at_path) > 1:
        raise InputError(f"several gates are meant: {', '.join(sorted(at_path))}", fix="name one of them", run=run_id)
    return next(iter(at_path.values()))


def _known(gate: Gate, made: Mapping[str, Any], answer: Answer) -> Decided:
    """What is to be said to an answer that comes after the decision.

    Raises:
        ConflictError: it was decided otherwise, or by somebody else.
    """
    try:
        again = decision(gate.request, answer, at=int(made["at"]))
    except (InputError, ConflictError):
        again = {}
    if all(name in again and again[name] == made[name] for name in _SAME):
        return Decided(gate, made, repeated=True)
    who = made["by"] or "its deadline"
    said = made["response"] if made["response"] is not None else "no answer"
    raise ConflictError(
        f"it was decided already: {str(said)[:200]!r} by {who} at {iso(made['at'])}",
        fix=f"`weft show {gate.run_id}` shows what came of it",
        run=gate.run_id,
        gate=gate.id,
        decision=dict(made),
    )
