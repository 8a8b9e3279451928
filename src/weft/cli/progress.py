"""What is seen of a run while it goes: a live tree on a terminal, plain lines elsewhere, nothing when nobody wants it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from weft.app.view import RunView, StepView
from weft.cli.render.consoles import console
from weft.cli.render.figures import again, clock, consumed, duration, now, short
from weft.cli.render.run import budget_text, counted
from weft.cli.render.tree import Look, artifact_path, calls, tree_lines
from weft.cli.terminal import clean, steers, tell
from weft.core.event import Event
from weft.core.usage import Usage

_TICK_S = 0.125
_IDLE_S = 3600.0
_SHARE = 10
_TAIL = 300
_WIDTH = 200
_SAID = {
    "step.started": "begin",
    "step.completed": "done",
    "step.failed": "failed",
    "step.retrying": "retry",
    "budget.warning": "warning",
    "gate.opened": "asks",
    "gate.warned": "warning",
}


class Display(Protocol):
    """What a drive tells of a run."""

    @contextmanager
    def showing(self, view: RunView) -> Iterator[None]:
        """Show `view`, which is fed before `event` is called, until this ends."""
        ...

    def event(self, event: Event) -> None:
        """Something happened."""
        ...

    def delta(self, data: Mapping[str, Any]) -> None:
        """A step's answer goes on: ``path``, ``attempt``, ``text``."""
        ...

    def tick(self) -> float:
        """Show what is new, and say in how many seconds to call again."""
        ...


def display(*, quiet: bool) -> Display:
    """The display that fits where standard error goes."""
    if quiet:
        return Nothing()
    return LiveTree(console(sys.stderr)) if steers(sys.stderr) else Lines()


class Nothing:
    """Shows nothing."""

    @contextmanager
    def showing(self, view: RunView) -> Iterator[None]:
        """See `Display.showing`."""
        del view
        yield

    def event(self, event: Event) -> None:
        """See `Display.event`."""

    def delta(self, data: Mapping[str, Any]) -> None:
        """See `Display.delta`."""

    def tick(self) -> float:
        """See `Display.tick`."""
        return _IDLE_S


class Lines:
    """One line when a step of the plan begins and one when it ends, for logs and pipes."""

    def __init__(self) -> None:
        self._calls: dict[str, int] = {}

    @contextmanager
    def showing(self, view: RunView) -> Iterator[None]:
        """See `Display.showing`."""
        self._calls = {step.path: step.started for step in calls(view.root)}
        yield

    def event(self, event: Event) -> None:
        """See `Display.event`."""
        said = _SAID.get(event.kind)
        if said is None or not isinstance(event.data, Mapping):
            return
        # What is inside a step is left out, but for what keeps everybody waiting.
        if event.kind.startswith("step.") and event.kind != "step.retrying":
            if self._is_inside(event.path):
                return
            self._calls.setdefault(event.path, event.at)
        tell(clean(f"{clock(event.at)} {said:<7} {event.path}  {short(self._more(event), _WIDTH)}").rstrip())

    def delta(self, data: Mapping[str, Any]) -> None:
        """See `Display.delta`: streamed text is for terminals."""

    def tick(self) -> float:
        """See `Display.tick`."""
        return _IDLE_S

    def _is_inside(self, path: str) -> bool:
        """Whether this is a step inside a step of the plan."""
        return any(path[:cut] in self._calls for cut, sign in enumerate(path) if sign == "/")

    def _more(self, event: Event) -> str:
        data = event.data
        if event.kind == "step.started":
            kind, target = data.get("type", ""), data.get("target", "")
            return f"{kind} {artifact_path(target) if kind == 'artifact' else target}"
        if event.kind == "step.completed":
            took = event.at - self._calls[event.path]
            path = artifact_path("", data.get("value")) if data.get("call") == "artifact" else ""
            return "  ".join(part for part in (path, duration(took) if took > 0 else "") if part)
        if event.kind == "budget.warning":
            return budget_text(data)
        if event.kind == "gate.opened":
            return str(data.get("prompt", ""))
        if event.kind == "gate.warned":
            return "nobody has answered yet"
        message = str((data.get("error") or {}).get("message", ""))
        return f"{again(data['next_at'] - event.at)}: {message}" if event.kind == "step.retrying" else message


class LiveTree:
    """The tree of steps, redrawn in place, and below it how the run is doing."""

    def __init__(self, screen: Console) -> None:
        self._screen = screen
        self._view = RunView()
        self._live: Live | None = None
        self._used = Usage()
        self._tails: dict[str, tuple[int, str]] = {}

    @contextmanager
    def showing(self, view: RunView) -> Iterator[None]:
        """See `Display.showing`. What is seen last stays on the screen."""
        self._view = view
        self._used = view.root.usage
        self._live = Live(console=self._screen, auto_refresh=False, vertical_overflow="crop")
        try:
            with self._live:
                yield
                self._draw()
        except BrokenPipeError:
            pass
        finally:
            self._live = None

    def event(self, event: Event) -> None:
        """See `Display.event`."""
        if event.kind in {"step.completed", "step.failed", "step.retrying"}:
            self._tails.pop(event.path, None)
        if event.kind == "step.completed" and isinstance(event.data, Mapping):
            self._used += Usage.from_json(event.data.get("usage") or {})

    def delta(self, data: Mapping[str, Any]) -> None:
        """See `Display.delta`."""
        path, attempt = str(data.get("path", "")), int(data.get("attempt", 1))
        known, text = self._tails.get(path, (attempt, ""))
        text = text if known == attempt else ""
        self._tails[path] = (attempt, (text + str(data.get("text", "")))[-_TAIL:])

    def tick(self) -> float:
        """See `Display.tick`. Drawing gets at most a small share of the time, however large the tree."""
        begun = time.monotonic()
        self._draw()
        return max(_TICK_S, (time.monotonic() - begun) * _SHARE)

    def _draw(self) -> None:
        if self._live is None:
            return
        self._live.update(self._picture(), refresh=True)

    def _picture(self) -> Group:
        width, height = self._screen.size
        tails = {path: _last_words(text, width - 20) for path, (_, text) in self._tails.items()}
        look = Look(now=now(), tails=tails, ascii_only=self._screen.options.ascii_only)
        lines = _fitting(tree_lines(self._view.root, look), max(height - 3, 1))
        for line in lines:
            line.no_wrap, line.overflow = True, "ellipsis"
        return Group(*lines, self._status())

    def _status(self) -> Text:
        root = self._view.root
        parts = [
            duration((root.ended or now()) - root.started) if root.started else "",
            counted(root),
            consumed(self._used),
        ]
        text = Text(f"{root.status}  ", style="bold", no_wrap=True, overflow="ellipsis")
        return text.append("  ".join(part for part in parts if part), style="dim")


def _fitting(lines: Iterable[tuple[StepView | None, Text]], limit: int) -> list[Text]:
    """As many of the lines as fit: what is done gives way first, then what comes last."""
    kept = list(lines)
    excess = len(kept) - limit
    if excess > 0:
        done = [place for place, (step, _) in enumerate(kept) if step is not None and step.status == "completed"]
        hidden = set(done[: excess + 1])
        kept = [line for place, line in enumerate(kept) if place not in hidden]
        kept = [(None, Text(f"… {len(hidden):,} done", style="dim")), *kept][:limit]
    return [text for _, text in kept]


def _last_words(text: str, width: int) -> str:
    line = " ".join(clean(text).split())
    return line if len(line) <= max(width, 10) else f"…{line[-max(width, 10) :]}"
