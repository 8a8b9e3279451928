"""What an open run is waiting for. There is always an answer: a run that nothing can ever wake must not exist."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from weft.engine.fold import RunState
from weft.store.runs import Run

_PROMPT = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class WakeSource:
    """One thing that can move a run on. `due` is in microseconds since the epoch; `fix` what a person can do."""

    kind: str
    text: str
    path: str = ""
    due: int | None = None
    fix: str = ""

    def as_json(self) -> dict[str, Any]:
        """The source as plain data."""
        return {name: value for name in self.__slots__ if (value := getattr(self, name)) not in (None, "")}


def wake_sources(run: Run, state: RunState) -> list[WakeSource]:
    """Everything that can wake `run`; empty only when it has ended."""
    if run.ended:
        return []
    if run.status == "stalled":
        text = (run.error or {}).get("message", "its journal and its plan do not agree")
        return [WakeSource(kind="stalled", text=f"it is stalled: {text}", fix=(run.error or {}).get("fix", ""))]
    if run.driven:
        return _inside(run.id, state) or [
            WakeSource(kind="driver", text="a live process is driving it, between two steps")
        ]
    doubts = [path for path in state.doubts() if path not in state.settled]
    waits = [wait for wait in state.waits if wait.get("kind") != "doubt"]
    if doubts or any(wait.get("kind") != "driver" for wait in waits):
        return [
            WakeSource(
                kind="doubt",
                path=path,
                text="it may have happened or not when its process died or its answer was lost, and may not happen twice",
                fix=f"find out, then `weft resume {run.id} --did {path}=yes` (or =no)",
            )
            for path in doubts
        ] + _outside(run, state)
    if state.cancelling is not None:
        blocks = ", ".join(mark for mark in state.undo if mark not in state.finished) or "nothing"
        text = f"it is being cancelled, no process is driving it, and there is still to undo: {blocks}"
        return [WakeSource(kind="driver", text=text, fix=f"`weft resume {run.id}` makes it go on undoing")]
    nobody = WakeSource(kind="driver", text="no process is driving it", fix=f"`weft resume {run.id}` makes it go on")
    return [nobody, *_gates(run.id, state)]


def _outside(run: Run, state: RunState) -> list[WakeSource]:
    """What a run waits for that was let go of because everything in it waits."""
    wakes = [wait["wake"] for wait in state.waits if wait.get("wake") is not None]
    if run.due is not None and run.due < min(wakes, default=run.due + 1):
        text = "what it waited for has come, and no process is driving it"
        return [WakeSource(kind="driver", text=text, due=run.due, fix=f"`weft resume {run.id}` makes it go on")]
    sources = _gates(run.id, state) + _signals(run.id, state)
    for wait in state.waits:
        if wait.get("kind") == "limit" and wait.get("due") is None:
            continue  # it stands still, and wakes nobody
        if wait.get("kind") in {"timer", "limit"}:
            text = "a timer" if wait["kind"] == "timer" else "the time limit of what is inside"
            fix = f"`weft resume {run.id}` makes it go on then"
            sources.append(WakeSource(kind="timer", path=wait["path"], text=text, due=wait.get("due"), fix=fix))
        elif wait.get("kind") not in {"gate", "signal", "doubt", "driver"}:
            text = str(wait.get("text") or f"a {wait.get('kind')}")
            sources.append(
                WakeSource(kind=str(wait["kind"]), path=str(wait.get("path", "")), text=text, due=wait.get("due"))
            )
    return sources


def _gates(run_id: str, state: RunState) -> list[WakeSource]:
    sources = []
    for path, gate in sorted(state.gates.items()):
        asked = ", ".join(gate.request.get("assignees") or ()) or "anybody"
        text = f"a gate asks {asked}: {_short(str(gate.request.get('prompt', '')))}"
        fix = f"`weft approve {run_id} {path}`, or `weft reject {run_id} {path}`"
        sources.append(WakeSource(kind="gate", path=path, text=text, due=gate.request.get("due"), fix=fix))
    return sources


def _signals(run_id: str, state: RunState) -> list[WakeSource]:
    sources = []
    for path, names in sorted(state.awaited.items()):
        text = f"it waits for the signal {' or '.join(names)}"
        fix = f"`weft signal {run_id} {names[0]}` sends it"
        sources.append(WakeSource(kind="signal", path=path, text=text, due=state.timers.get(path), fix=fix))
    return sources


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _PROMPT else f"{line[:_PROMPT]}…"


def _inside(run_id: str, state: RunState) -> list[WakeSource]:
    sources = _gates(run_id, state) + _signals(run_id, state)
    for path, step in sorted(state.open.items()):
        name = f"{step.type} {step.target}".strip()
        if step.next_at is not None and step.error is not None:
            text = f"{name}: {step.error.get('message', 'it failed')}; attempt {step.attempt} is due"
            sources.append(WakeSource(kind="retry", path=path, text=text, due=step.next_at))
        else:
            sources.append(
                WakeSource(kind="step", path=path, text=f"{name} is being performed (attempt {step.attempt})")
            )
    for path, due in sorted(state.timers.items()):
        if path not in state.outcomes and path not in state.finished and path not in state.awaited and path:
            sources.append(WakeSource(kind="timer", path=path, text="a timer", due=due))
    return sources
