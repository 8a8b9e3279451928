"""Two runs side by side: what is the same, what differs, and what only one of them has, path by path."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from weft.core.canonical import dumps, sha256
from weft.core.event import Event
from weft.core.usage import Usage

Change = Literal["same", "changed", "only-first", "only-second"]
_SHORT = 200
_ENDS = {
    "step.completed": "completed",
    "step.failed": "failed",
    "node.completed": "completed",
    "node.failed": "failed",
}


@dataclass(slots=True)
class Side:
    """What one run says of a path. `value` is shortened; `hash` is that of the whole of it."""

    status: str = "open"
    target: str = ""
    value: str = ""
    hash: str = ""
    usage: Usage = field(default_factory=Usage)
    started: int | None = None
    ended: int | None = None

    @property
    def duration(self) -> int | None:
        """Microseconds from its beginning to its end, when the journal has both."""
        return None if self.started is None or self.ended is None else self.ended - self.started

    def as_json(self) -> dict[str, Any]:
        """The side as plain data."""
        data: dict[str, Any] = {"status": self.status, "target": self.target, "value": self.value, "hash": self.hash}
        data |= {"usage": self.usage.as_json(), "duration_us": self.duration}
        return {name: value for name, value in data.items() if value not in ("", None, {})}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One path in both runs; the empty path is the runs themselves."""

    path: str
    change: Change
    first: Side | None = None
    second: Side | None = None

    def as_json(self) -> dict[str, Any]:
        """The line as plain data."""
        sides = {name: side.as_json() for name in ("first", "second") if (side := getattr(self, name)) is not None}
        return {"path": self.path, "change": self.change, **sides}


def diff(first: Iterable[Event], second: Iterable[Event]) -> list[Line]:
    """Both runs path by path, in the order of the first, then what only the second has. Times make no difference."""
    one, other = _sides(first), _sides(second)
    return [_line(path, one.get(path), other.get(path)) for path in one | other]


def _line(path: str, one: Side | None, other: Side | None) -> Line:
    change: Change = "same"
    if one is None or other is None:
        change = "only-first" if other is None else "only-second"
    elif (one.status, one.target, one.hash, one.usage) != (other.status, other.target, other.hash, other.usage):
        change = "changed"
    return Line(path=path, change=change, first=one, second=other)


def _sides(events: Iterable[Event]) -> dict[str, Side]:
    sides: dict[str, Side] = {"": Side()}
    for event in events:
        side = sides.get(event.path)
        if side is None:
            side = sides[event.path] = Side()
        if event.path == "":
            _run(side, event)
        else:
            _step(side, event)
        if event.kind == "run.forked":
            for edit in event.data["edits"]:
                _edited(sides.setdefault(edit["path"], Side()), edit)
    return sides


def _run(side: Side, event: Event) -> None:
    if event.kind == "run.created":
        side.started, side.target = event.at, event.data.get("workflow", "")
    elif event.kind in {"run.started", "run.forked"}:
        side.status, side.ended, side.value, side.hash = "running", None, "", ""
    elif event.kind in {"run.completed", "run.failed", "run.cancelled", "run.waiting", "run.stalled"}:
        side.status, side.ended = event.kind.removeprefix("run."), event.at
        _say(side, event.data.get("outputs") or event.data.get("error"))


def _step(side: Side, event: Event) -> None:
    if side.started is None:
        side.started = event.at
    if event.kind == "step.started":
        side.target = event.data.get("target", "")
    elif event.kind in _ENDS:
        side.status, side.ended = _ENDS[event.kind], event.at
        _say(side, event.data.get("error") or event.data.get("value"))
        side.target = side.target or event.data.get("target") or ""
        side.usage = Usage.from_json(event.data.get("usage") or {})


def _edited(side: Side, edit: dict[str, Any]) -> None:
    side.status = "edited"
    _say(side, {".".join(edit["at"]) or "value": edit["value"]})


def _say(side: Side, value: Any) -> None:
    payload = dumps(value)
    text = value.get("response") if isinstance(value, dict) and isinstance(value.get("response"), str) else None
    shown = text if text is not None else payload.decode()
    side.value = shown if len(shown) <= _SHORT else f"{shown[:_SHORT]}…"
    side.hash = sha256(payload)[:16]
