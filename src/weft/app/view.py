"""A run as people look at it: a tree of steps with how they went, how long they took and what they cost."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from weft.core.event import Event
from weft.core.usage import Usage
from weft.engine.fold import edited

_NUMBERED = re.compile(r"(.*)\[(\d+)\]")


@dataclass(slots=True)
class StepView:
    """One step. Times are microseconds since the epoch; `usage` is its own and that of the steps inside it."""

    path: str
    type: str = ""
    target: str = ""
    status: str = "running"
    started: int = 0
    ended: int | None = None
    attempts: int = 1
    own: Usage = field(default_factory=Usage)
    input: Any = None
    value: Any = None
    error: dict[str, Any] | None = None
    next_at: int | None = None
    run: str = ""
    children: dict[str, StepView] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def usage(self) -> Usage:
        """What it and everything inside it consumed."""
        return sum((child.usage for child in self.children.values()), self.own)

    def inside(self) -> list[StepView]:
        """What is right inside it, as it came; but ``tool[0]`` stands before ``tool[1]``, whichever was quicker."""
        steps = list(self.children.values())
        numbered = defaultdict[str, list[tuple[int, int]]](list)
        for place, step in enumerate(steps):
            if match := _NUMBERED.fullmatch(step.name):
                numbered[match[1]].append((int(match[2]), place))
        ordered = steps.copy()
        for found in numbered.values():
            for place, (_, came) in zip(sorted(place for _, place in found), sorted(found), strict=True):
                ordered[place] = steps[came]
        return ordered

    def walk(self) -> Iterator[StepView]:
        """It and everything inside it, outermost first."""
        yield self
        for child in self.inside():
            yield from child.walk()

    def as_json(self) -> dict[str, Any]:
        """The step and what is inside it as plain data, empty fields left out."""
        data: dict[str, Any] = {"path": self.path, "type": self.type, "target": self.target, "status": self.status}
        data |= {"run": self.run, "started": self.started, "ended": self.ended, "attempts": self.attempts}
        data |= {"input": self.input, "value": self.value, "error": self.error, "usage": self.usage.as_json()}
        kept = {name: value for name, value in data.items() if value not in (None, "", {}, 0)}
        return kept | ({"steps": [child.as_json() for child in self.inside()]} if self.children else {})


class RunView:
    """The tree of a run's steps; feed it events in order. Parts of paths that are no steps of their own appear as groups.

    `carried_out` are the milestones that runs of plans made here have reached, by run; whoever knows those runs fills it.
    """

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.root = StepView(path="", type="run")
        self.workflow = ""
        self.inputs: dict[str, Any] = {}
        self.waits: list[dict[str, Any]] = []
        self.warnings: list[dict[str, Any]] = []
        self.milestones: list[dict[str, Any]] = []
        self.carried_out: dict[str, list[dict[str, Any]]] = {}
        self.inherited = Usage()
        self.seq = 0
        for event in events:
            self.feed(event)

    def feed(self, event: Event) -> None:
        """Take in one more event."""
        self.seq = max(self.seq, event.seq)
        if event.kind.startswith("run."):
            self._run(event)
        elif event.kind == "budget.warning":
            self.warnings.append(event.data)
        elif event.kind == "milestone.reached":
            self.milestones.append(event.data)
        elif event.path:
            self._step(event)

    def handoffs(self) -> list[list[dict[str, Any]]]:
        """The chains of delegation in the run: who passed the conversation to whom, and why."""
        chains: dict[str, list[dict[str, Any]]] = {}
        for step in self.root.walk():
            if step.target == "handoff.pass" and isinstance(step.value, dict):
                pattern = step.path.rpartition("/turn[")[0]
                chains[pattern] = step.value["chain"]
        return [chain for chain in chains.values() if chain]

    def made_plans(self) -> list[dict[str, Any]]:
        """The plans that were made in the run, as the planner has left them."""
        steps = (step for step in self.root.walk() if step.type == "planner" and step.target == "make")
        return [{"path": step.path, **step.value} for step in steps if isinstance(step.value, dict)]

    def plan_runs(self) -> list[str]:
        """The runs that may carry out plans that were made here: those of its child steps, when there are such plans."""
        return [step.run for step in self.root.walk() if step.run] if self.made_plans() else []

    def step(self, path: str) -> StepView:
        """The step at `path`, made when it is not there yet, with everything above it."""
        node, walked = self.root, ""
        for part in path.strip("/").split("/"):
            walked = f"{walked}/{part}"
            node = node.children.setdefault(walked, StepView(path=walked))
        return node

    def _run(self, event: Event) -> None:
        root, data = self.root, event.data
        if event.kind == "run.created":
            root.started, self.workflow, self.inputs = event.at, data.get("workflow", ""), data.get("scope") or {}
            root.status = "queued"
        elif event.kind == "run.forked":
            self._forked(data)
        elif event.kind == "run.started":
            root.status, root.ended, root.error = "running", None, None
        elif event.kind in {"run.completed", "run.failed", "run.cancelled", "run.stalled", "run.waiting"}:
            root.status, root.ended = event.kind.removeprefix("run."), event.at
            root.error = data.get("error")
            root.value = data.get("outputs")
            self.waits = list(data.get("waits") or ())

    def _forked(self, data: dict[str, Any]) -> None:
        """From here on it is another run: what the past cost is not its own, and what was under way there is not here."""
        root = self.root
        self.inherited = root.usage
        root.status, root.ended, root.error, root.value, self.waits = "queued", None, None, None, []
        for step in root.walk():
            if step.status in {"running", "retrying"} and step.type and step is not root:
                step.status = "open"
        for edit in data["edits"]:
            step = self.step(edit["path"])
            step.status, step.error = "completed", None
            step.value = edited(step.value, edit["at"], edit["value"])

    def _step(self, event: Event) -> None:
        step, data = self.step(event.path), event.data
        if not step.started:
            step.started = event.at
        if event.kind == "step.asked":
            step.type, step.target = data["type"], data.get("target", "")
        elif event.kind == "step.started":
            step.type, step.target = data.get("type", ""), data.get("target", "")
            step.attempts, step.run = data.get("attempt", 1), data.get("run", "")
            step.status, step.input = "running", data.get("input", step.input)
        elif event.kind == "step.input":
            step.input = data
        elif event.kind == "step.retrying":
            step.status, step.attempts, step.next_at = "retrying", data["attempt"], data["next_at"]
            step.error = data["error"]
        elif event.kind in {"step.completed", "step.failed"}:
            self._end(step, event)
        elif event.kind == "gate.opened":
            step.type, step.target, step.status, step.input = "gate", data.get("prompt", ""), "waiting", data
        elif event.kind == "signal.awaited":
            step.type, step.target, step.status = "signal", " or ".join(data["names"]), "waiting"
        elif event.kind in {"node.completed", "node.failed"}:
            step.status, step.ended = event.kind.removeprefix("node."), event.at

    def _end(self, step: StepView, event: Event) -> None:
        data = event.data
        step.status, step.ended = event.kind.removeprefix("step."), event.at
        step.error, step.value = data.get("error"), data.get("value", step.value)
        self._describe(step, data)
        step.own = Usage.from_json(data["usage"]) if "usage" in data else step.own

    def _describe(self, step: StepView, data: dict[str, Any]) -> None:
        """What the end of a step says about it, when it had no beginning of its own."""
        step.type = step.type or data.get("type") or data.get("call", "")
        step.target = step.target or data.get("target", "")
        step.input = step.input if step.input is not None else data.get("input")
