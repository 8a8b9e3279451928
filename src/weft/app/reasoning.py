"""How agents came to their answers: thought, action and observation of each iteration, read from the journal of a run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from weft.core.event import Event
from weft.core.masking import MASK
from weft.telemetry.content import Content
from weft.telemetry.redact import Redactor

_MODEL = re.compile(r"(.*)/agent/model\[(\d+)\]")
_TOOL = re.compile(r"(.*)/agent/model\[(\d+)\]/tool\[(\d+)\]")
_SHORTENED = "context.compacted"
_ANSWER = "final_result"
"""The name under which models give an answer that has a schema: an answer, no action."""


@dataclass(slots=True, kw_only=True)
class Action:
    """A tool that an agent called, and what it learned. `attempt` counts the calls of the tool since it last succeeded."""

    tool: str
    arguments: Any = None
    status: str = "running"
    observation: Any = None
    cause: str = ""
    attempt: int = 1

    def as_json(self) -> dict[str, Any]:
        """The action as plain data."""
        data: dict[str, Any] = {"tool": self.tool, "arguments": self.arguments, "status": self.status}
        data |= {"observation": self.observation, "attempt": self.attempt}
        return data | ({"cause": self.cause} if self.cause else {})


@dataclass(slots=True, kw_only=True)
class Iteration:
    """One request to a model within a step: what it thought, said and did. `shortened` says that the conversation was cut before."""

    path: str
    agent: str
    number: int
    thought: str = ""
    said: str = ""
    actions: dict[int, Action] = field(default_factory=dict)
    shortened: bool = False

    def as_json(self) -> dict[str, Any]:
        """The iteration as plain data."""
        data: dict[str, Any] = {"path": self.path, "agent": self.agent, "iteration": self.number}
        data |= {"thought": self.thought, "said": self.said}
        data["actions"] = [self.actions[place].as_json() for place in sorted(self.actions)]
        return data | ({"shortened": True} if self.shortened else {})


def reasoning(events: Iterable[Event], content: Content, redactor: Redactor) -> list[Iteration]:
    """The iterations of every agent of a run, in order. Of what tools got and gave, `content` says what is shown."""
    found: dict[tuple[str, int], Iteration] = {}
    agents: dict[str, str] = {}
    shortened: set[str] = set()
    for event in events:
        if event.kind == "step.started" and event.data.get("type") == "agent":
            agents[event.path] = event.data.get("target", "")
        elif event.kind == _SHORTENED:
            shortened.add(event.path)
        elif event.kind not in {"step.started", "step.completed", "step.failed"}:
            continue
        elif match := _TOOL.fullmatch(event.path):
            iteration = found.get((match[1], int(match[2])))
            if iteration is not None:
                _observe(iteration, int(match[3]), event, content, redactor)
        elif (match := _MODEL.fullmatch(event.path)) and event.kind == "step.completed":
            path, number = match[1], int(match[2])
            iteration = Iteration(path=path, agent=agents.get(path, ""), number=number)
            iteration.shortened = path in shortened
            shortened.discard(path)
            _think(iteration, event.data.get("value") or {}, content, redactor)
            found[path, number] = iteration
    iterations = list(found.values())
    _count(iterations)
    return iterations


def _think(iteration: Iteration, response: Mapping[str, Any], content: Content, redactor: Redactor) -> None:
    place = 0
    for part in response.get("parts") or ():
        text = redactor.text(str(part.get("content") or ""))
        if part.get("part_kind") == "thinking":
            iteration.thought = "\n".join(one for one in (iteration.thought, text) if one)
        elif part.get("part_kind") == "text":
            iteration.said = "\n".join(one for one in (iteration.said, text) if one)
        elif part.get("tool_name") == _ANSWER:
            iteration.said = redactor.text(json.dumps(_arguments(part.get("args")), ensure_ascii=False))
        elif part.get("part_kind") == "tool-call":
            arguments = redactor.json(_arguments(part.get("args"))) if content.tool_inputs else MASK
            iteration.actions[place] = Action(tool=str(part.get("tool_name")), arguments=arguments)
            place += 1


def _observe(iteration: Iteration, place: int, event: Event, content: Content, redactor: Redactor) -> None:
    action = iteration.actions.get(place)
    if action is None or event.kind == "step.started":
        return
    action.status = event.kind.removeprefix("step.")
    if event.kind == "step.failed":
        error = event.data["error"]
        action.cause = str((error.get("ids") or {}).get("cause") or error.get("code", ""))
        action.observation = redactor.text(str(error.get("message", "")))
        return
    value = event.data.get("value")
    result = value.get("result", value) if isinstance(value, Mapping) else value
    action.observation = redactor.json(result) if content.tool_outputs else MASK


def _count(iterations: Iterable[Iteration]) -> None:
    """Number the attempts: calls of one tool in one step, until one succeeds."""
    failed: dict[tuple[str, str], int] = {}
    for iteration in iterations:
        for place in sorted(iteration.actions):
            action = iteration.actions[place]
            key = (iteration.path, action.tool)
            action.attempt = failed.get(key, 0) + 1
            failed[key] = action.attempt if action.status == "failed" else 0


def _arguments(given: Any) -> Any:
    """Arguments as they were meant: providers give them as text."""
    if isinstance(given, str):
        try:
            return json.loads(given)
        except ValueError:
            return given
    return given
