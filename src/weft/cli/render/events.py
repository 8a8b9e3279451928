"""Events, one a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weft.cli.render.figures import clock, consumed, short
from weft.cli.terminal import clean, paint
from weft.core.clock import iso
from weft.core.event import Event
from weft.core.usage import Usage

_WIDTH = 200
_COLOURS = {
    "run.completed": "green",
    "step.completed": "green",
    "run.failed": "red",
    "run.stalled": "red",
    "step.failed": "red",
    "node.failed": "red",
    "step.retrying": "yellow",
    "run.waiting": "yellow",
    "budget.warning": "yellow",
}


def event_json(event: Event) -> dict[str, Any]:
    """The event as ``--json`` prints it; `at` is ISO 8601 in UTC."""
    return event.as_json() | {"at": iso(event.at)}


def event_line(event: Event) -> str:
    """The event for people: number, time, kind, path, and the gist of its data."""
    kind = paint(f"{event.kind:<15}", _COLOURS.get(event.kind, "bold"))
    path = f" {clean(event.path)}" if event.path else ""
    gist = short(clean(_gist(event)), _WIDTH)
    return f"{event.seq:>5} {clock(event.at)} {kind}{path}{'  ' if gist else ''}{paint(gist, 'dim') if gist else ''}"


def _gist(event: Event) -> str:
    data = event.data if isinstance(event.data, Mapping) else {}
    if error := data.get("error"):
        return f"{error.get('code', '')}: {error.get('message', '')}"
    if event.kind == "step.started":
        return f"{data.get('type', '')} {data.get('target', '')}".strip()
    if event.kind == "step.completed":
        used = consumed(Usage.from_json(data.get("usage") or {}))
        return f"{used}{'  ' if used else ''}{_answer(data.get('value'))}"
    if event.kind == "run.waiting":
        waits = data.get("waits") or ()
        return ", ".join(f"{wait.get('kind', '')} {wait.get('path', '')}".strip() for wait in waits)
    if event.kind == "run.created":
        return str(data.get("workflow", ""))
    return " ".join(f"{name}={value}" for name, value in data.items() if isinstance(value, str | int | float | bool))


def _answer(value: Any) -> str:
    """What a step ended with, in short: an agent's response, what a model said or asked for, a tool's result."""
    if not isinstance(value, Mapping):
        return "" if value is None else str(value)
    if isinstance(parts := value.get("parts"), list):
        return " ".join(_part(part) for part in parts if isinstance(part, Mapping))
    for name in ("response", "result", "path"):
        if name in value:
            return str(value[name])
    return str(value)


def _part(part: Mapping[str, Any]) -> str:
    return f"{part['tool_name']}({part.get('args', '')})" if "tool_name" in part else str(part.get("content", ""))
