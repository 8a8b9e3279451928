"""What the events of a run say that its row has to say: the columns as the appends that carried the events have set them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from weft.core.errors import MismatchError
from weft.core.event import Event
from weft.core.usage import Usage
from weft.engine.ending import shortened
from weft.engine.fold import apply
from weft.engine.state import RunState
from weft.store.history import ERASED, SEALED
from weft.store.statuses import TERMINAL

OWNER = ("tenant", "principal", "session")
_STATUS = {
    "run.created": "queued",
    "run.forked": "queued",
    "run.reopened": "queued",
    "run.started": "running",
    "run.waiting": "waiting",
    "run.completed": "completed",
    "run.failed": "failed",
    "run.cancelled": "cancelled",
    "run.stalled": "stalled",
}
_ENDS = frozenset({"run.waiting", "run.completed", "run.failed", "run.cancelled", "run.stalled"})
_KNOWN = frozenset({*_STATUS, "run.cancelling"})
_GONE = {
    "run.created": ("workflow", "plan_hash", "inputs", "options", "parent", *OWNER),
    "run.forked": ("inputs", "options", "base_run", "base_seq", *OWNER),
    "run.started": ("epoch",),
    "run.reopened": ("epoch",),
    "run.waiting": ("waits", "due"),
    "run.completed": ("outputs",),
    "run.failed": ("error",),
    "run.stalled": ("error",),
}
"""Columns that follow from the payload of an event, which may be erased."""
_MOVING = ("status", "waits", "outputs", "error", "usage", "due", "generation", "ended_at", "epoch")


class Said(NamedTuple):
    """A value of a column, any of `values` being right, and the event that says so."""

    values: tuple[Any, ...]
    seq: int
    kind: str


class Told:
    """Takes in the events of a run, oldest first; its own are those after number `base`, the others it shares with what it was forked from.

    `columns` is what they say, `unproven` what they say nothing of that could be read. `epoch` is the least that the row may have, `due`
    the latest time at which a waiting run is to be looked at again.
    """

    def __init__(self, base: int) -> None:
        self.columns: dict[str, Said] = {}
        self.unproven: set[str] = set()
        self.has_children = False
        self._base = base
        self._state: RunState | None = RunState()
        self._spent: Usage | None = Usage()
        self._seq, self._kind = 0, ""
        self._acts: Mapping[str, Callable[[Mapping[str, Any], bool], None]] = {
            "run.created": self._created,
            "run.forked": self._forked,
            "run.started": self._started,
            "run.waiting": self._waiting,
            "run.completed": self._completed,
            "run.failed": self._failed,
            "run.stalled": self._failed,
            "run.reopened": self._reopened,
        }

    def take(self, event: Event) -> None:
        """Take one more event in."""
        own = event.seq > self._base
        self._seq, self._kind = event.seq, event.kind
        readable = event.data not in (ERASED, SEALED)
        self._fold(event, readable=readable)
        data = event.data if readable and isinstance(event.data, Mapping) else {}
        if own:
            self._say("updated_at", event.at)
            self.has_children = self.has_children or "run" in data
        if event.path == "" and event.kind.startswith("run."):
            self._of_run(event, data, own=own)
        elif own and self._spent is not None and data.get("usage"):
            self._pay(data["usage"])

    def _of_run(self, event: Event, data: Mapping[str, Any], *, own: bool) -> None:
        self.unproven |= {name for name in _GONE.get(event.kind, ()) if not data}
        if act := self._acts.get(event.kind):
            act(data, own)
        if not own:
            return
        if event.kind not in _KNOWN:
            # A newer version has written it, and only that one knows what it does.
            self.unproven |= set(_MOVING)
        if event.kind in {"run.created", "run.forked"}:
            self._begin(event.at)
        if status := _STATUS.get(event.kind):
            self._say("status", status)
            self._say("ended_at", event.at if status in TERMINAL else None)
        if event.kind in _ENDS:
            self._end(event.kind)
        if event.kind in {"run.started", "run.reopened"} and self._state is not None:
            # Whoever takes a run up counts from what the journal says.
            self._spent = self._state.total()

    def _begin(self, at: int) -> None:
        for name in ("waits", "outputs", "error"):
            self._say(name, None)
        self._say("created_at", at)
        self._say("generation", 0)
        self._say("epoch", 0)
        self._spent = None if self._state is None else Usage()
        self._say("usage", Usage())

    def _end(self, kind: str) -> None:
        if kind != "run.waiting":
            self._say("waits", None)
        if kind == "run.stalled" or self._state is None or self._spent is None:
            # What a run has consumed of which the journal refused to hear is counted where it stalls.
            self.unproven.add("usage")
        elif kind != "run.cancelled":
            self._say("usage", self._spent, self._state.total())
        elif "usage" in self.columns:
            # Whoever cancels a run that nobody drives leaves the sum as it is.
            self._say("usage", *self.columns["usage"].values, self._spent, self._state.total())

    def _pay(self, usage: Mapping[str, Any]) -> None:
        try:
            self._spent = (self._spent or Usage()) + Usage.from_json(usage)
        except (TypeError, ValueError, ArithmeticError):
            self._spent = None
        if self._spent is None or self._state is None:
            self.unproven.add("usage")
        else:
            self._say("usage", self._spent, self._state.total())

    def _fold(self, event: Event, *, readable: bool) -> None:
        if self._state is None:
            return
        try:
            if readable:
                apply(self._state, event)
                return
        except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, MismatchError):
            pass
        # The sums and the references of what comes after it are not known any more.
        self._state = self._spent = None
        self.unproven |= {"usage", "outputs"}

    def _say(self, column: str, *values: Any) -> None:
        self.columns[column] = Said(values, self._seq, self._kind)
        if column not in {"usage", "outputs"} or self._state is not None:
            self.unproven.discard(column)

    def _created(self, data: Mapping[str, Any], own: bool) -> None:
        for name in ("workflow", "plan_hash"):
            self._say_if(name, data, name)
        above = data.get("parent") or {}
        if own and data:
            self._say("parent", above.get("run"))
            self._say("base_run", None)
            self._say("base_seq", None)
        self._say_if("options", data, "options")
        scope = data.get("scope")
        if "inputs" in data:
            self._say("inputs", data["inputs"])
        elif isinstance(scope, Mapping):
            given = scope.get("inputs")
            self._say("inputs", *((given, scope) if isinstance(given, Mapping) else (scope,)))
        else:
            self.unproven.add("inputs")
        self._owned(data)

    def _forked(self, data: Mapping[str, Any], own: bool) -> None:
        if not data:
            return
        new = data.get("scope") or {}
        if new and "inputs" in self.columns:
            known = self.columns["inputs"].values
            self._say("inputs", *({name: new.get(name, old) for name, old in one.items()} for one in known))
        if data.get("options") and "options" in self.columns:
            self._say("options", {**self.columns["options"].values[0], **data["options"]})
        if own:
            self._say("parent", None)
            base = data.get("base") or {}
            self._say_if("base_run", base, "run")
            self._say_if("base_seq", base, "seq")
        if "owner" in data:
            self._owned(data)

    def _owned(self, data: Mapping[str, Any]) -> None:
        owner = data.get("owner") or {}
        for name in OWNER:
            self._say_if(name, owner, name)

    def _say_if(self, column: str, data: Mapping[str, Any], key: str) -> None:
        if key in data:
            self._say(column, data[key])
        else:
            self.unproven.add(column)

    def _started(self, data: Mapping[str, Any], own: bool) -> None:
        if own:
            self._say_if("epoch", data, "epoch")

    def _waiting(self, data: Mapping[str, Any], own: bool) -> None:
        waits = data.get("waits")
        if own and isinstance(waits, list):
            self._say("waits", waits)
            wakes = [wait["wake"] for wait in waits if isinstance(wait, Mapping) and wait.get("wake") is not None]
            self._say("due", min(wakes, default=None))

    def _completed(self, data: Mapping[str, Any], own: bool) -> None:
        if own and data and self._state is not None:
            outputs = self._state.outputs
            response = outputs.get("response") if isinstance(outputs, Mapping) else None
            self._say("outputs", {"response": shortened(response)})

    def _failed(self, data: Mapping[str, Any], own: bool) -> None:
        if own:
            self._say_if("error", data, "error")

    def _reopened(self, data: Mapping[str, Any], own: bool) -> None:
        if own:
            self._say("error", None)
            self._say("generation", self.columns["generation"].values[0] + 1)
            self._say_if("epoch", data, "epoch")
