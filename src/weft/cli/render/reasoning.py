"""The reasoning of agents as a page: each iteration with its thought, its actions, and what it observed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.text import Text

from weft.app.reasoning import Action, Iteration
from weft.cli.render.figures import short
from weft.cli.terminal import clean

_WIDTH = 2_000


def reasoning_page(console: Console, iterations: Iterable[Iteration]) -> None:
    """Print the iterations, those of one step together."""
    path = None
    for iteration in iterations:
        if iteration.path != path:
            path = iteration.path
            console.print(Text(f"{clean(path)}  {clean(iteration.agent)}", style="bold"), soft_wrap=True)
        if iteration.shortened:
            console.print(Text("  the conversation was shortened here", style="dim"), soft_wrap=True)
        console.print(Text(f"  iteration {iteration.number + 1}", style="cyan"), soft_wrap=True)
        _line(console, "thought", iteration.thought)
        _line(console, "says" if iteration.actions else "answers", iteration.said)
        for place in sorted(iteration.actions):
            _action(console, iteration.actions[place])


def _action(console: Console, action: Action) -> None:
    _line(console, "action", f"{action.tool} {_text(action.arguments)}")
    tries = f"attempt {action.attempt}, " if action.attempt > 1 or action.status == "failed" else ""
    if action.status == "failed":
        _line(console, "observation", f"{tries}{action.cause}: {action.observation}", style="red")
    elif action.status == "completed":
        _line(console, "observation", f"{tries}{_text(action.observation)}")


def _line(console: Console, label: str, text: str, style: str = "") -> None:
    if text:
        line = Text(f"    {label}: ", style="dim") + Text(short(clean(text), _WIDTH), style=style)
        console.print(line, soft_wrap=True)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
