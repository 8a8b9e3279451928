"""The state of a run: a fold over its events, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from weft.core.canonical import dumps
from weft.core.errors import MismatchError, Place, TemplateError, from_json
from weft.core.event import Event
from weft.core.usage import Usage
from weft.engine.port import Composite, Failure, Success
from weft.engine.references import References
from weft.engine.retention import Kept, PathTree, named, paths_in


@dataclass(slots=True)
class OpenStep:
    """A step that has started and has no outcome. `attempt` counts from 1; `next_at` is when its next attempt is due."""

    type: str
    target: str
    effect: str
    since: int
    attempt: int = 1
    next_at: int | None = None
    error: Mapping[str, Any] | None = None


@dataclass(slots=True)
class OpenGate:
    """A question that has been put and not been answered, as the journal has it; `told` says what has been told of its time."""

    id: str
    request: Mapping[str, Any]
    told: set[str] = field(default_factory=set)


@dataclass(slots=True)
class RunState:
    """What the events of a run say.

    `outcomes` holds steps by path, `finished` composites; `open` what has begun. `settled` holds what people said of doubtful
    steps; `failed` what of the steps that must be asked about has failed; `timers` when waits are due and when time limits
    began, in microseconds since the epoch. `gates` holds open questions, `awaited` the names of the signals that are waited for;
    `life` counts from 1 and grows when the run is reopened or forked. `positions` says where loops and machines stand; what they
    left behind and nobody can ask for is no longer in memory. `inherited` is what a fork's past consumed, which is not charged to
    the fork; `depth` how many runs are above a child run.
    """

    status: str = "queued"
    scope: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    outcomes: dict[str, Success | Failure] = field(default_factory=dict)
    finished: dict[str, Composite | Failure] = field(default_factory=dict)
    open: dict[str, OpenStep] = field(default_factory=dict)
    settled: dict[str, bool] = field(default_factory=dict)
    failed: dict[str, OpenStep] = field(default_factory=dict)
    timers: dict[str, int] = field(default_factory=dict)
    gates: dict[str, OpenGate] = field(default_factory=dict)
    awaited: dict[str, tuple[str, ...]] = field(default_factory=dict)
    life: int = 1
    calls: dict[str, str] = field(default_factory=dict)
    usage: dict[str, Usage] = field(default_factory=dict)
    warned: set[tuple[str, str]] = field(default_factory=set)
    references: References = field(default_factory=References)
    positions: dict[str, Kept] = field(default_factory=dict)
    paths: PathTree = field(default_factory=PathTree)
    started_at: int | None = None
    waits: tuple[dict[str, Any], ...] = ()
    outputs: Any = None
    error: Mapping[str, Any] | None = None
    inherited: Usage = field(default_factory=Usage)
    depth: int = 0

    def total(self) -> Usage:
        """What the whole run has consumed, its inherited past apart."""
        return sum(self.usage.values(), Usage())

    def doubts(self) -> list[str]:
        """The steps of which only a person can say whether they happened, if nobody performs them now."""
        begun = {path for path, step in self.open.items() if step.effect == "once" and step.next_at is None}
        told = {wait["path"] for wait in self.waits if wait.get("kind") == "doubt"}
        return sorted(begun | told)

    def succeed(self, path: str, data: Mapping[str, Any]) -> Success:
        """Take in a `step.completed`."""
        outcome = Success(data["value"])
        self.outcomes[path] = outcome
        self.paths.add(path)
        self.open.pop(path, None)
        self.close_waits(path)
        self.references.remember(path, outcome.value)
        self._account(path, data)
        return outcome

    def fail(self, path: str, data: Mapping[str, Any]) -> Failure:
        """Take in a `step.failed`."""
        error = from_json(data["error"])
        error.final = True
        outcome = Failure(error)
        self.outcomes[path] = outcome
        self.paths.add(path)
        begun = self.open.pop(path, None)
        self.close_waits(path)
        if begun is not None and begun.effect == "reconcile":
            self.failed[path] = begun
        # A call that was refused for being one too many has not begun.
        if not (error.code == "budget" and error.ids.get("limit") == "max_steps" and error.place.path == path):
            self._account(path, data)
        return outcome

    def finish(self, path: str, data: Mapping[str, Any]) -> Composite:
        """Take in a `node.completed`."""
        restore = self.references.restore
        finished = Composite(
            restore(data["value"]), restore(data.get("exported") or {}), data.get("conversations") or {}
        )
        self.finished[path] = finished
        self.paths.add(path)
        self.positions.pop(path, None)
        self.close_waits(path)
        return finished

    def written(self, path: str, composite: Composite) -> bytes:
        """The payload of the `node.completed` that `finish` takes in, with what the journal has already named in it.

        Raises:
            TemplateError: it is not JSON.
        """
        name = self.references.name
        try:
            data: dict[str, Any] = {"value": name(composite.value)}
            if composite.exported:
                data["exported"] = {key: name(value) for key, value in composite.exported.items()}
            if composite.conversations:
                data["conversations"] = composite.conversations
            return dumps(data)
        except (TypeError, ValueError, RecursionError) as error:
            raise TemplateError(f"its value is not JSON: {error}", place=Place(path=path)) from error

    def kept(self, path: str, position: Any, done: Iterable[str], rows: Iterable[Any] = ()) -> bytes:
        """The payload of the `node.position` that `keep` takes in.

        Raises:
            TemplateError: it is not JSON.
        """
        name = self.references.name
        try:
            data: dict[str, Any] = {"position": name(position), "done": list(done)}
            if rows := list(rows):
                data["rows"] = name(rows)
            return dumps(data)
        except (TypeError, ValueError, RecursionError) as error:
            raise TemplateError(f"what is kept of it is not JSON: {error}", place=Place(path=path)) from error

    def gates_below(self, path: str) -> list[str]:
        """The ids of the open gates inside `path`."""
        return [gate.id for at, gate in self.gates.items() if at.startswith((f"{path}/", f"{path}["))]

    def close_waits(self, path: str) -> None:
        """Whatever waits at `path` or inside it is waited for no more."""
        inside = (f"{path}/", f"{path}[")
        for waits in (self.gates, self.awaited) if self.gates or self.awaited else ():
            for at in [at for at in waits if at == path or at.startswith(inside)]:
                del waits[at]

    def keep(self, path: str, data: Mapping[str, Any]) -> None:
        """Take in a `node.position`, and forget what is over and not named in it."""
        kept = self.positions.setdefault(path, Kept())
        rows = data.get("rows") or []
        kept.position = self.references.restore(data["position"])
        kept.rows.extend(self.references.restore(rows))
        kept.pinned |= paths_in(rows, path)
        names = paths_in(data["position"], path)
        over = {each for part in data["done"] for each in self.paths.take(part)}
        for each in over | kept.loose:
            self.paths.take(each)
        stays = {each for each in over | kept.loose if named(each, names)}
        for each in over | kept.loose:
            if each in stays or named(each, kept.pinned):
                self.paths.add(each)
            else:
                self._forget(each, f"{path}/$past")
        kept.loose = stays - kept.pinned

    def _forget(self, path: str, into: str) -> None:
        for known in (self.outcomes, self.finished, self.open, self.settled, self.failed, self.timers):
            known.pop(path, None)
        self.references.forget(path)
        if used := self.usage.pop(path, None):
            self.usage[into] = self.usage.get(into, Usage()) + used

    def _account(self, path: str, data: Mapping[str, Any]) -> None:
        if call := data.get("call"):
            self.calls[path] = call
        if usage := data.get("usage"):
            self.usage[path] = Usage.from_json(usage)


def fold(events: Iterable[Event]) -> RunState:
    """The state after `events`. Kinds that this version does not know are passed over.

    Raises:
        MismatchError: an event of a kind that this version knows is not what it should be.
    """
    state = RunState()
    for event in events:
        try:
            apply(state, event)
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
    state.depth = (event.data.get("parent") or {}).get("depth", 0)


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


def _node_failed(state: RunState, event: Event) -> None:
    error = from_json(event.data["error"])
    error.final = True
    state.finished[event.path] = Failure(error)
    state.close_waits(event.path)
    state.paths.add(event.path)


def _node_position(state: RunState, event: Event) -> None:
    state.keep(event.path, event.data)


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


def _cancelled(state: RunState, _: Event) -> None:
    state.status = "cancelled"


def _stalled(state: RunState, event: Event) -> None:
    state.status, state.error = "stalled", event.data["error"]


def _reopened(state: RunState, _: Event) -> None:
    state.status, state.error = "queued", None
    state.open |= state.failed
    state.failed = {}
    # Time limits begin anew, or a run that exceeded one could never go on; so do questions and waits.
    state.timers, state.gates, state.awaited = {}, {}, {}
    state.life += 1
    _forget_failures(state)
    state.open = {path: step for path, step in state.open.items() if step.effect in {"once", "reconcile"}}


def _forget_failures(state: RunState) -> None:
    state.outcomes = {path: outcome for path, outcome in state.outcomes.items() if isinstance(outcome, Success)}
    state.finished = {path: done for path, done in state.finished.items() if isinstance(done, Composite)}


def _forked(state: RunState, event: Event) -> None:
    if state.status in {"failed", "cancelled"}:
        _forget_failures(state)
    state.status, state.error, state.outputs, state.waits = "queued", None, None, ()
    # What was under way belongs to the other run: here it starts anew, under keys of its own, and so do waits and limits.
    state.open, state.settled, state.failed, state.timers, state.gates, state.awaited = {}, {}, {}, {}, {}, {}
    state.life += 1
    state.inherited += state.total()
    state.usage, state.calls, state.warned = {}, {}, set()
    state.scope = state.scope | event.data["scope"]
    for edit in event.data["edits"]:
        known = state.outcomes[edit["path"]]
        value = edited(known.value if isinstance(known, Success) else None, edit["at"], edit["value"])
        state.outcomes[edit["path"]] = Success(value)
        state.references.forget(edit["path"])
        state.references.remember(edit["path"], value)


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
    "run.cancelled": _cancelled,
    "run.stalled": _stalled,
    "run.reopened": _reopened,
    "run.forked": _forked,
    "step.started": _step_started,
    "step.retrying": _step_retrying,
    "step.completed": lambda state, event: state.succeed(event.path, event.data),
    "step.failed": lambda state, event: state.fail(event.path, event.data),
    "step.settled": _settled,
    "node.completed": lambda state, event: state.finish(event.path, event.data),
    "node.failed": _node_failed,
    "node.position": _node_position,
    "timer.set": _timer_set,
    "gate.opened": _gate_opened,
    "gate.warned": _gate_told,
    "gate.escalated": _gate_told,
    "signal.awaited": _awaited,
    "budget.warning": _budget_warning,
}
