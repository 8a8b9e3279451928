"""A run painted over the picture of its plan: what was done, what failed, what waits, what was not taken."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from weft.app.view import RunView, StepView
from weft.cli.render.figures import consumed, duration
from weft.cli.render.svg import drawing
from weft.core.event import Event
from weft.core.usage import Usage
from weft.plan.chart import Box, Look, drawn, to_dot, to_mermaid
from weft.plan.diagram import as_tree, boxes
from weft.plan.nodes import Plan
from weft.plan.paths import INDEX

Form = Literal["mermaid", "dot", "svg", "tree"]
_LOOKS: Mapping[str, Look] = {
    "completed": "done",
    "failed": "failed",
    "running": "running",
    "retrying": "running",
    "waiting": "waiting",
    "open": "stopped",
}
_WORST: Sequence[Look] = ("running", "waiting", "stopped", "failed", "done")
"""What several steps are together: the first of these that one of them is."""
_ENDED = frozenset({"completed", "failed", "cancelled"})
_SHORTEST_US = 500
"""What was quicker took no time that is worth a word."""
_NAMED = 3
"""So many child runs are named on a box."""


def picture(plan: Plan, events: Iterable[Event], form: Form) -> str:
    """The plan of a run, painted with what these events of it say."""
    events = list(events)
    box = boxes(plan)
    _Brush(events).paint(box)
    if form == "tree":
        return as_tree(box, plan.workflow)
    chart = drawn(box)
    if form == "mermaid":
        return to_mermaid(chart)
    graph = to_dot(chart, plan.workflow)
    return drawing(graph) if form == "svg" else graph


class _Brush:
    """Paints boxes with a run."""

    def __init__(self, events: Sequence[Event]) -> None:
        self._view = RunView(events)
        self._ended = self._view.root.status in _ENDED
        self._steps = [step for step in self._view.root.walk() if step.path]
        self._seen = {event.path: _states(event.data) for event in events if event.kind == "node.completed"}

    def paint(self, root: Box) -> None:
        """Paint everything; what the root says of itself is what the run does."""
        self._paint(root, self._steps, over=self._ended)
        root.look = _LOOKS.get(self._view.root.status, "failed" if self._ended else "")
        root.notes = _facts([self._view.root], self._view.root.usage)

    def _paint(self, box: Box, steps: list[StepView], *, over: bool) -> None:
        """Paint `box`, whose steps are among `steps`. `over`: what is not there by now will not come any more."""
        times = _times(box, steps)
        found = [step for inside in times.values() for step in inside]
        looks = [self._look(path, inside) for path, inside in times.items()]
        box.look = next((look for look in _WORST if look in looks), "skipped" if over and not box.quiet else "")
        if found:
            box.notes = self._notes(box, times, looks)
        over = over or box.look in {"done", "failed", "skipped"}
        places = Counter(child.place for child in box.children)
        for child in box.children:
            self._paint(child, found, over=over)
            if places[child.place] > 1 and child.look != "skipped":
                _either(child)
        if len(box.children) == 1 and box.children[0].notes == box.notes:
            box.notes = ""
        for undo in box.undo:
            self._paint(undo, self._steps, over=self._ended)
        self._infer(box)
        if box.start:
            self._infer_states(box)

    def _look(self, path: str, inside: list[StepView]) -> Look:
        """How one time of a box went: what the journal says of it as a whole, or else of what is inside."""
        own = next((step for step in inside if step.path == path and _told(step)), None)
        told = [own] if own else [step for step in inside if _told(step)]
        looks = [self._status(step) for step in told]
        return next((look for look in _WORST if look in looks), "running" if not self._ended else "stopped")

    def _status(self, step: StepView) -> Look:
        if self._ended and step.status in {"running", "retrying", "waiting"}:
            return "stopped"
        return _LOOKS.get(step.status, "")

    def _notes(self, box: Box, times: Mapping[str, list[StepView]], looks: Sequence[Look]) -> str:
        found = [step for inside in times.values() for step in inside]
        parts = [_counted(box, times)]
        failed = looks.count("failed")
        parts.append(f"{failed:,} failed" if failed and len(looks) > 1 else "")
        attempts = max((step.attempts for step in found if step.path in times), default=1)
        parts.append(f"{attempts} attempts" if attempts > 1 else "")
        took = sum(_span(inside) for inside in times.values())
        parts.append(duration(took) if took else "")
        parts.append(consumed(sum((step.own for step in found), Usage())))
        if not box.children:
            runs = [step.run for step in found if step.run]
            more = f" and {len(runs) - _NAMED:,} more" if len(runs) > _NAMED else ""
            parts.append(f"run {', '.join(runs[:_NAMED])}{more}" if runs else "")
        return ", ".join(part for part in parts if part)

    def _infer(self, box: Box) -> None:
        """What writes nothing of its own, in an order: it was done if what comes behind it was, or the whole."""
        if box.parallel or box.start:
            return
        passed = box.look == "done"
        for child in reversed(box.children):
            if child.quiet and not child.look:
                child.look = "done" if passed else "skipped" if box.look == "skipped" else ""
            passed = passed or child.look not in {"", "skipped"}

    def _infer_states(self, box: Box) -> None:
        """States in which nothing is done: those that the machine itself says it has seen."""
        pattern = re.compile(box.place)
        seen = {name for path, names in self._seen.items() if pattern.fullmatch(path) for name in names}
        for state in box.children:
            if state.quiet and not state.look and box.look == "done":
                state.look = "done" if state.name in seen else "skipped"


def _either(box: Box) -> None:
    """Two arms of a choice may hold the same step: which of them was taken the journal does not say, so no more is claimed."""
    notes = box.notes or "".join(child.notes for child in box.children[:1])
    for inside in box.walk():
        inside.look, inside.notes = "", ""
    box.notes = f"here or in another of this name: {notes}" if notes else ""


def _times(box: Box, steps: Iterable[StepView]) -> dict[str, list[StepView]]:
    """The steps of a box, by which of its times they belong to: in loops, maps and machines there are several."""
    own = f"({box.place}){f'(?:{INDEX})*' if box.counts in ('round', 'item') else ''}(?=/|$)"
    times: dict[str, list[StepView]] = {}
    match = re.compile(own).match
    for step in steps:
        if hit := match(step.path):
            times.setdefault(hit[1], []).append(step)
    return times


def _counted(box: Box, times: Mapping[str, list[StepView]]) -> str:
    """How often: rounds of loops, items of maps, visits of states, times of everything inside those."""
    if box.counts in {"round", "item"}:
        found = re.compile(f"({box.place}{INDEX})").match
        count = len({hit[1] for inside in times.values() for step in inside if (hit := found(step.path))})
        return f"{count:,} {box.counts}{'' if count == 1 else 's'}"
    count = len(times)
    if box.counts:
        return f"{count:,} visit{'' if count == 1 else 's'}"
    return f"{count:,} times" if count > 1 else ""


def _told(step: StepView) -> bool:
    """Whether the journal says how the step is; other ones are only parts of paths."""
    return bool(step.type) or step.ended is not None


def _span(steps: Iterable[StepView]) -> int:
    """From the first beginning to the last end among these."""
    timed = [(step.started, step.ended) for step in steps if step.started and step.ended]
    took = max((end for _, end in timed), default=0) - min((begin for begin, _ in timed), default=0)
    return took if took >= _SHORTEST_US else 0


def _facts(steps: Iterable[StepView], usage: Usage) -> str:
    took = _span(steps)
    return ", ".join(part for part in (duration(took) if took else "", consumed(usage)) if part)


def _states(data: Mapping[str, Any]) -> set[str]:
    """The names in what a composite ended with, among which are the states of a machine."""
    parts = [data.get("value"), *(data.get("exported") or {}).values()]
    return {name for part in parts if isinstance(part, dict) for name in part}
