"""The state of a run as the state of a task, and what a task that waits says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from a2a.types import a2a_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from weft.core.errors import WeftError
from weft.server.a2a import extension
from weft.server.a2a.lives import task_id
from weft.server.a2a.messages import agent_message, data_part, text_part
from weft.server.wording import said_over
from weft.store.gates import Gate
from weft.store.runs import Run

State = a2a_pb2.TaskState
TERMINAL = frozenset(
    {State.TASK_STATE_COMPLETED, State.TASK_STATE_FAILED, State.TASK_STATE_CANCELED, State.TASK_STATE_REJECTED}
)
INTERRUPTED = frozenset({State.TASK_STATE_INPUT_REQUIRED, State.TASK_STATE_AUTH_REQUIRED})
ENDED: Mapping[str, State] = {
    "completed": State.TASK_STATE_COMPLETED,
    "failed": State.TASK_STATE_FAILED,
    "cancelled": State.TASK_STATE_CANCELED,
}
OPEN: Mapping[str, State] = {"queued": State.TASK_STATE_SUBMITTED}
STATUSES: Mapping[int, tuple[str, ...]] = {
    State.TASK_STATE_SUBMITTED: ("queued",),
    State.TASK_STATE_WORKING: ("running", "waiting", "stalled"),
    State.TASK_STATE_INPUT_REQUIRED: ("running", "waiting", "stalled"),
    State.TASK_STATE_AUTH_REQUIRED: ("running", "waiting", "stalled"),
    State.TASK_STATE_COMPLETED: ("completed",),
    State.TASK_STATE_FAILED: ("failed",),
    State.TASK_STATE_CANCELED: ("cancelled",),
}
"""In which statuses the runs are whose tasks are in a state."""


def timestamp(micros: int) -> Timestamp:
    """Microseconds since the epoch, to the millisecond, as the protocol has it."""
    return Timestamp(seconds=micros // 1_000_000, nanos=micros % 1_000_000 // 1_000 * 1_000_000)


def status(run: Run, gates: Iterable[Gate], error: WeftError | None = None) -> a2a_pb2.TaskStatus:
    """The status of a run whose open gates, those of its child runs included, are `gates`."""
    if run.ended:
        return ended(task_id(run), run.session, run.status, error, at=run.updated_at)
    asking = next(iter(gates), None)
    if asking is not None:
        return asks(task_id(run), run.session, asking, at=run.updated_at)
    if run.status in {"waiting", "stalled"}:
        return waits(task_id(run), run.session, run.waits if run.status == "waiting" else None, at=run.updated_at)
    state = OPEN.get(run.status, State.TASK_STATE_WORKING)
    return a2a_pb2.TaskStatus(state=state, timestamp=timestamp(run.updated_at))


def ended(task: str, session: str, how: str, error: WeftError | None, *, at: int) -> a2a_pb2.TaskStatus:
    """The status of a run that has ended."""
    found = a2a_pb2.TaskStatus(state=ENDED[how], timestamp=timestamp(at))
    if error is not None:
        text = error.message + (f" ({said_over('a2a', error.fix)})" if error.fix else "")
        parts = [text_part(text), data_part({"code": error.code})]
        found.message.CopyFrom(agent_message(f"{task}:end", parts, task=task, context=session))
    return found


def asks(task: str, session: str, gate: Gate, *, at: int) -> a2a_pb2.TaskStatus:
    """The status of a run that waits at `gate`: for something that somebody knows, or for a decision."""
    decision = extension.is_decision(gate.request)
    text = "\n\n".join(part for part in (gate.request.get("prompt"), gate.request.get("show")) if part)
    parts = [text_part(str(text or "An answer is needed.")), data_part(extension.shown(gate))]
    message = agent_message(f"{task}:{gate.id}", parts, task=task, context=session, extension=extension.URI)
    state = State.TASK_STATE_AUTH_REQUIRED if decision else State.TASK_STATE_INPUT_REQUIRED
    return a2a_pb2.TaskStatus(state=state, message=message, timestamp=timestamp(at))


def waits(task: str, session: str, what: Iterable[Mapping[str, Any]] | None, *, at: int) -> a2a_pb2.TaskStatus:
    """The status of a run that waits for something that no client can give, or (without `what`) stands still."""
    kinds = None if what is None else sorted({str(one.get("kind", "something")) for one in what})
    text = (
        "The run cannot go on by itself; an operator has to look."
        if kinds is None
        else f"Waiting for: {', '.join(kinds)}"
    )
    message = agent_message(f"{task}:waits:{at}", [text_part(text)], task=task, context=session)
    return a2a_pb2.TaskStatus(state=State.TASK_STATE_WORKING, message=message, timestamp=timestamp(at))
