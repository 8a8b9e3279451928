"""The state of a run: a fold over its events, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from weft.core.errors import MismatchError, Place, from_json
from weft.core.event import Event
from weft.engine.port import Asked, Composite, Failure, Success
from weft.engine.state import OpenGate, OpenStep, RunState

__all__ = ["OpenGate", "OpenStep", "RunState", "apply", "edited", "fold"]


def fold(events: Iterable[Event]) -> RunState:
    """The state after `events`. Kinds that this version does not know are passed over.

    Raises:
        MismatchError: an event of a kind that this version knows is not what it should be.
    """
    state = RunState()
    for event in events:
        try:
            apply(state, event)
            state.read = event.seq
        except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            raise MismatchError(
                f"event {event.seq} ({event.kind}) of run {event.run_id} is not as this version writes it",
                fix=f"`weft verify {event.run_id}` checks the journal; use the Weft that wrote it",
                place=Place(path=event.path),
                run=event.run_id,
                seq=event.seq,
            ) from error
    return state


def apply(state: RunState, event: Event) -> None:
    """Take one more event into the state."""
    if handler := _HANDLERS.get(event.kind):
        handler(state, event)


def _created(state: RunState, event: Event) -> None:
    state.scope = event.data["scope"]
    state.options = event.data.get("options") or {}
    above = event.data.get("parent") or {}
    state.parent, state.depth = above.get("run"), above.get("depth", 0)


def _started(state: RunState, event: Event) -> None:
    state.status = "running"
    state.waits = ()
    if state.started_at is None:
        state.started_at = event.at


def _step_started(state: RunState, event: Event) -> None:
    data = event.data
    # What somebody said of an earlier attempt says nothing of this one.
    state.settled.pop(event.path, None)
    state.open[event.path] = OpenStep(
        data["type"], data.get("target", ""), data["effect"], event.at, data.get("attempt", 1)
    )


def _step_retrying(state: RunState, event: Event) -> None:
    step = state.open.get(event.path)
    data = event.data
    if step is None:
        step = state.open[event.path] = OpenStep(data.get("type", ""), "", "pure", event.at)
    step.attempt, step.next_at, step.error = data["attempt"], data["next_at"], data["error"]


def _settled(state: RunState, event: Event) -> None:
    state.settled[event.path] = bool(event.data["did"])


def _step_asked(state: RunState, event: Event) -> None:
    state.asked.pop(event.path, None)
    state.asked[event.path] = Asked.from_json(event.data)


def _node_failed(state: RunState, event: Event) -> None:
    error = from_json(event.data["error"])
    error.final = True
    state.finished[event.path] = Failure(error)
    state.close_waits(event.path)
    state.paths.add(event.path)


def _node_position(state: RunState, event: Event) -> None:
    state.keep(event.path, event.data)


def _node_undoable(state: RunState, event: Event) -> None:
    state.undoable(event.path, event.data["child"])


def _node_undoing(state: RunState, event: Event) -> None:
    state.undo[event.path] = replace(state.undo[event.path], error=from_json(event.data["error"]))


def _timer_set(state: RunState, event: Event) -> None:
    state.timers[event.path] = event.data["due"]


def _gate_opened(state: RunState, event: Event) -> None:
    state.gates[event.path] = OpenGate(event.data["gate"], event.data)


def _gate_told(state: RunState, event: Event) -> None:
    if gate := state.gates.get(event.path):
        gate.told.add(event.kind)


def _awaited(state: RunState, event: Event) -> None:
    state.awaited[event.path] = tuple(event.data["names"])


def _budget_warning(state: RunState, event: Event) -> None:
    state.warned.add((event.path, event.data["limit"]))


def _waiting(state: RunState, event: Event) -> None:
    state.status = "waiting"
    state.waits = tuple(event.data["waits"])


def _completed(state: RunState, event: Event) -> None:
    state.status = "completed"
    state.outputs = state.references.restore(event.data["outputs"])


def _failed(state: RunState, event: Event) -> None:
    state.status, state.error = "failed", event.data["error"]


def _cancelling(state: RunState, event: Event) -> None:
    state.cancelling = event.data["reason"]


def _cancelled(state: RunState, _: Event) -> None:
    state.status = "cancelled"


def _stalled(state: RunState, event: Event) -> None:
    state.status, state.error = "stalled", event.data["error"]


def _reopened(state: RunState, _: Event) -> None:
    state.status, state.error, state.cancelling = "queued", None, None
    for mark in [mark for mark, undo in state.undo.items() if undo.error is not None]:
        state.begin_again(mark)
    state.open |= state.failed
    state.failed = {}
    # Time limits begin anew, or a run that exceeded one could never go on; so do questions and waits.
    state.timers, state.gates, state.awaited = {}, {}, {}
    state.life += 1
    _forget_failures(state)
    state.loosen(lambda step: step not in state.outcomes, inputs=False)
    state.open = {path: step for path, step in state.open.items() if step.effect in {"once", "reconcile"}}


def _forget_failures(state: RunState) -> None:
    state.outcomes = {path: outcome for path, outcome in state.outcomes.items() if isinstance(outcome, Success)}
    state.finished = {path: done for path, done in state.finished.items() if isinstance(done, Composite)}


def _forked(state: RunState, event: Event) -> None:
    # Nobody waits for the fork of a child.
    state.parent = None
    if state.status in {"failed", "cancelled"}:
        _forget_failures(state)
    state.status, state.error, state.outputs, state.waits = "queued", None, None, ()
    # What was under way belongs to the other run: here it starts anew, under keys of its own, and so do waits and limits.
    state.open, state.settled, state.failed, state.timers, state.gates, state.awaited = {}, {}, {}, {}, {}, {}
    state.life += 1
    state.inherited += state.total()
    state.usage, state.calls, state.warned = {}, {}, set()
    state.scope = state.scope | event.data["scope"]
    state.options = {**state.options, **(event.data.get("options") or {})}
    for edit in event.data["edits"]:
        known = state.outcomes[edit["path"]]
        value = edited(known.value if isinstance(known, Success) else None, edit["at"], edit["value"])
        state.outcomes[edit["path"]] = Success(value)
        state.references.forget(edit["path"])
        state.references.remember(edit["path"], value)
    changed = {edit["path"] for edit in event.data["edits"]}
    state.loosen(lambda step: step in changed or step not in state.outcomes, inputs=bool(changed))
    if event.data["scope"]:
        # Other inputs: nothing that the program did with the old ones holds it to anything but the kind of each step.
        state.asked = {
            path: Asked({name: look for name, look in asked.looks.items() if name != "input"}, loose=True)
            for path, asked in state.asked.items()
            if path in state.outcomes
        }


def edited(value: Any, at: list[str], new: Any) -> Any:
    """`value` with `new` as its member at the keys `at`; it is itself not changed.

    Raises:
        TypeError: there are keys left and what they lead into is no mapping.
    """
    if not at:
        return new
    if value is None:
        value = {}
    if not isinstance(value, dict):
        raise TypeError(f"it is no mapping, and has no {at[0]!r}")
    return {**value, at[0]: edited(value.get(at[0]), at[1:], new)}


_HANDLERS = {
    "run.created": _created,
    "run.started": _started,
    "run.waiting": _waiting,
    "run.completed": _completed,
    "run.failed": _failed,
    "run.cancelling": _cancelling,
    "run.cancelled": _cancelled,
    "run.stalled": _stalled,
    "run.reopened": _reopened,
    "run.forked": _forked,
    "step.asked": _step_asked,
    "step.started": _step_started,
    "step.retrying": _step_retrying,
    "step.completed": lambda state, event: state.succeed(event.path, event.data),
    "step.failed": lambda state, event: state.fail(event.path, event.data),
    "step.settled": _settled,
    "node.completed": lambda state, event: state.finish(event.path, event.data),
    "node.failed": _node_failed,
    "node.position": _node_position,
    "node.undoable": _node_undoable,
    "node.undoing": _node_undoing,
    "timer.set": _timer_set,
    "gate.opened": _gate_opened,
    "gate.warned": _gate_told,
    "gate.escalated": _gate_told,
    "signal.awaited": _awaited,
    "budget.warning": _budget_warning,
}
