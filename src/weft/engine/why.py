"""What an open run is waiting for. There is always an answer: a run that nothing can ever wake must not exist."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from weft.engine.fold import RunState
from weft.store.runs import Run


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
    doubts = [path for path in state.doubts() if path not in state.settled]
    if doubts and not run.driven:
        return [
            WakeSource(
                kind="doubt",
                path=path,
                text="it may have happened or not when its process died or its answer was lost, and may not happen twice",
                fix=f"find out, then `weft resume {run.id} --did {path}=yes` (or =no)",
            )
            for path in doubts
        ]
    if not run.driven and state.cancelling is not None:
        blocks = ", ".join(mark for mark in state.undo if mark not in state.finished) or "nothing"
        text = f"it is being cancelled, no process is driving it, and there is still to undo: {blocks}"
        return [WakeSource(kind="driver", text=text, fix=f"`weft resume {run.id}` makes it go on undoing")]
    if not run.driven:
        return [
            WakeSource(kind="driver", text="no process is driving it", fix=f"`weft resume {run.id}` makes it go on")
        ]
    return _inside(state) or [WakeSource(kind="driver", text="a live process is driving it, between two steps")]


def _inside(state: RunState) -> list[WakeSource]:
    sources = []
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
        if path not in state.outcomes and path not in state.finished and path:
            sources.append(WakeSource(kind="timer", path=path, text="a timer", due=due))
    return sources
