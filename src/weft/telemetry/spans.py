"""The span tree: a fold over the events of one run.

Nothing is recorded while a run works; spans are computed from its journal, live as events become durable or afterwards.
Each step is a span, and so is each composite node above one. Ids come from the run's id and the paths
(`weft.telemetry.identity`), so a run that is resumed elsewhere, or read again later, has the same spans.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from weft.core.event import Event
from weft.telemetry import names
from weft.telemetry.describe import Attribute, Attributes, describe, usage_attributes
from weft.telemetry.identity import parent_path, span_id, trace_id

Status = Literal["unset", "ok", "error"]
_MARKS_PER_SPAN = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Something that happened at one moment of a span; `at` is microseconds since the epoch."""

    name: str
    at: int
    attributes: Mapping[str, Attribute] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One span. Times are microseconds since the epoch; `end` is None while it is open.

    `type` is ``run``, ``node`` (a composite) or the type of the step. `input` and `output` are what went in and came out,
    as in the journal: nothing that leaves may contain them as they are, see `weft.telemetry.content`.
    """

    run_id: str
    trace_id: str
    span_id: str
    parent_id: str | None
    path: str
    type: str
    name: str
    start: int
    end: int | None
    status: Status = "unset"
    message: str = ""
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    marks: tuple[Mark, ...] = ()
    input: Any = None
    output: Any = None


@dataclass(slots=True)
class _Open:
    """A span in the making."""

    path: str
    type: str
    start: int
    last: int
    data: Mapping[str, Any] = field(default_factory=dict)
    marks: list[Mark] = field(default_factory=list)
    children: dict[str, None] = field(default_factory=dict)
    finished: set[str] = field(default_factory=set)


class SpanFold:
    """Folds the events of one run into spans, holding only what is open.

    `within` is the fold of the run above and the step there that started this one: its spans then belong to the same trace.
    """

    def __init__(self, run_id: str, within: tuple[SpanFold, str] | None = None) -> None:
        self._run_id = run_id
        self._trace_id = trace_id(run_id)
        self._above: str | None = None
        if within is not None:
            above, path = within
            self._trace_id = above._trace_id  # noqa: SLF001 -- another of this class
            self._above = span_id(above._run_id, path)  # noqa: SLF001 -- same
        self._open: dict[str, _Open] = {}
        self._root: _Open | None = None
        self._handlers: Mapping[str, Callable[[Event, Mapping[str, Any]], list[Span]]] = {
            "run.created": self._created,
            "run.started": self._noted,
            "run.waiting": self._noted,
            "run.reopened": self._noted,
            "run.stalled": self._noted,
            "run.completed": self._run_ended,
            "run.failed": self._run_ended,
            "run.cancelled": self._run_ended,
            "step.started": self._step_started,
            "step.input": self._step_input,
            "step.retrying": self._noted,
            "step.completed": self._step_ended,
            "step.failed": self._step_ended,
            "node.completed": self._node_ended,
            "node.failed": self._node_ended,
            "budget.warning": self._noted,
        }

    def feed(self, event: Event) -> list[Span]:
        """The spans that `event` ends, children before parents. Kinds that nobody here knows become marks."""
        data = event.data if isinstance(event.data, Mapping) else {}
        handler = self._handlers.get(event.kind)
        if handler is None:
            self._mark(event, {})
            return []
        return handler(event, data)

    def open_spans(self) -> list[Span]:
        """The spans that have begun and not ended, parents before children."""
        return [self._span(one, end=None, data={}, status="unset") for one in self._open.values()]

    def _created(self, event: Event, data: Mapping[str, Any]) -> list[Span]:
        root = self._node("", event.at)
        root.type, root.data, root.start = "run", data, min(root.start, event.at)
        return []

    def _noted(self, event: Event, data: Mapping[str, Any]) -> list[Span]:
        attributes: Attributes = {
            key: value for key, value in data.items() if isinstance(value, str | int | float) and key != "message"
        }
        error = data.get("error")
        if isinstance(error, Mapping):
            attributes[names.ERROR_TYPE] = str(error.get("code", "internal"))
        self._mark(event, attributes)
        return []

    def _run_ended(self, event: Event, data: Mapping[str, Any]) -> list[Span]:
        ended: list[Span] = []
        for path in tuple(self._open):
            if path and (one := self._open.get(path)) and parent_path(path) not in self._open:
                ended += self._close(one, event.at, {}, "unset")  # began after what it hangs from had ended
        root = self._node("", event.at)
        root.data = {**root.data, "status": event.kind.removeprefix("run.")}
        return ended + self._close(root, event.at, data, "error" if event.kind == "run.failed" else "ok")

    def _step_started(self, event: Event, data: Mapping[str, Any]) -> list[Span]:
        known = self._open.get(event.path)
        if known is not None and known.type != "node":
            self._mark(event, {"attempt": data.get("attempt", 1)})  # taken up again, after a crash or a retry
            return []
        if not self._is_finished(event.path):
            step = self._node(event.path, event.at)
            step.type = str(data.get("type", "step"))
            given = data.get("input") or {}
            if target := data.get("target"):
                given = {step.type: target, **given}
            step.data = {**data, "input": given or None}
        return []

    def _step_input(self, event: Event, data: Mapping[str, Any]) -> list[Span]:
        """What a step was really asked, known only once its templates are rendered."""
        step = self._open.get(event.path)
        if step is not None:
            step.data = {**step.data, "input": {**(step.data.get("input") or {}), **data}}
        return []

    def _step_ended(self, event: Event, data: Mapping[str, Any]) -> list[Span]:
        step = self._open.get(event.path)
        if step is None:
            if self._is_finished(event.path):
                return []
            step = self._node(event.path, event.at)
            step.type = "step"
        if step.type in {"node", "step"}:
            step.type = str(data.get("type") or data.get("call") or "step")
            if target := data.get("target"):
                step.data = {**step.data, "input": {step.type: target, **(data.get("input") or {})}}
        return self._close(step, event.at, data, "error" if event.kind == "step.failed" else "ok")

    def _node_ended(self, event: Event, data: Mapping[str, Any]) -> list[Span]:
        node = self._open.get(event.path)
        if node is None or node.type != "node":
            return []  # a composite without a single step, or a step that has its own end
        return self._close(node, event.at, data, "error" if data.get("error") else "ok")

    def _node(self, path: str, at: int) -> _Open:
        """The open span at `path`, made with those above it when there is none."""
        found = self._open.get(path)
        if found is not None:
            return found
        if path:
            above = parent_path(path)
            if not self._is_finished(above):
                self._node(above, at).children[path] = None
            found = _Open(path, "node", at, at)
        elif self._root is None:
            found = self._root = _Open("", "run", at, at)
        else:  # the run had ended and was reopened: it is the same run still
            found = self._root = _Open("", "run", self._root.start, at, self._root.data, self._root.marks)
        self._open[path] = found
        return found

    def _is_finished(self, path: str) -> bool:
        above = self._open.get(parent_path(path)) if path else None
        return above is not None and path in above.finished

    def _close(self, one: _Open, at: int, data: Mapping[str, Any], status: Status) -> list[Span]:
        ended: list[Span] = []
        for path in tuple(one.children):
            child = self._open[path]
            # A composite ends with its last child; a step without an end of its own was cut off here.
            child_end = child.last if child.type == "node" else at
            ended += self._close(child, child_end, {}, "unset")
        ended.append(self._span(one, end=at, data=data, status=status))
        del self._open[one.path]
        above = self._open.get(parent_path(one.path)) if one.path else None
        if above is not None:
            above.children.pop(one.path, None)
            above.finished.add(one.path)
            above.last = max(above.last, at)
        return ended

    def _mark(self, event: Event, attributes: Attributes) -> None:
        path = event.path
        while path and path not in self._open:
            path = parent_path(path)
        one = self._node(path, event.at)
        if len(one.marks) < _MARKS_PER_SPAN:
            one.marks.append(Mark(name=event.kind, at=event.at, attributes=attributes))

    def _span(self, one: _Open, *, end: int | None, data: Mapping[str, Any], status: Status) -> Span:
        given, value = one.data.get("input", one.data.get("inputs")), data.get("value", data.get("outputs"))
        error = data.get("error") if isinstance(data.get("error"), Mapping) else None
        attributes: Attributes = {names.RUN_ID: self._run_id}
        if one.type == "run":
            name, more = _run_words(one.data)
        else:
            name, more = describe(one.type, one.path, given, value)
            attributes |= {names.STEP_PATH: one.path, names.STEP_TYPE: one.type} | _step_words(one.data, data)
            if status == "unset" and end is not None and one.type != "node":
                attributes[names.STEP_UNFINISHED] = True
        attributes |= more | usage_attributes(one.type, data.get("usage"))
        if error is not None:
            attributes[names.ERROR_TYPE] = str(error.get("code", "internal"))
        return Span(
            run_id=self._run_id,
            trace_id=self._trace_id,
            span_id=span_id(self._run_id, one.path),
            parent_id=span_id(self._run_id, parent_path(one.path)) if one.path else self._above,
            path=one.path,
            type=one.type,
            name=name,
            start=one.start,
            end=None if end is None else max(end, one.start),
            status=status,
            message=str(error.get("message", "")) if error is not None else "",
            attributes=attributes,
            marks=tuple(one.marks),
            input=given,
            output=value,
        )


def fold(events: Iterable[Event]) -> list[Span]:
    """The spans of one run's events, by start, then by path: those that ended and those still open."""
    spans: list[Span] = []
    folding: SpanFold | None = None
    for event in events:
        folding = folding or SpanFold(event.run_id)
        spans += folding.feed(event)
    if folding is not None:
        spans += folding.open_spans()
    last = {one.span_id: one for one in spans}  # a run that was reopened has ended more than once
    return sorted(last.values(), key=lambda one: (one.start, one.path))


def _run_words(data: Mapping[str, Any]) -> tuple[str, Attributes]:
    workflow = str(data.get("workflow", "")) or "workflow"
    found: Attributes = {names.OPERATION: names.INVOKE_WORKFLOW, names.WORKFLOW: workflow}
    if plan := data.get("plan_hash"):
        found[names.PLAN_HASH] = str(plan)
    if status := data.get("status"):
        found[names.STATUS] = str(status)
    return f"{names.INVOKE_WORKFLOW} {workflow}", found


def _step_words(started: Mapping[str, Any], ended: Mapping[str, Any]) -> Attributes:
    found: Attributes = {}
    if effect := started.get("effect"):
        found[names.STEP_EFFECT] = str(effect)
    if attempts := ended.get("attempts"):
        found[names.STEP_ATTEMPTS] = int(attempts)
    return found
