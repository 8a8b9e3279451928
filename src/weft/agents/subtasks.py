"""Subtasks that an agent has split a request into: each once, the urgent ones first, and what becomes of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from weft.core.errors import WeftError
from weft.engine.port import StepContext

_WORDS: Mapping[str, float] = {
    **dict.fromkeys(("critical", "urgent", "highest"), 0.0),
    "high": 1.0,
    **dict.fromkeys(("medium", "normal", "middle"), 2.0),
    **dict.fromkeys(("low", "lowest"), 3.0),
}
_NO_PRIORITY = float("inf")


def in_order(found: Sequence[Mapping[str, Any]], *, done: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The subtasks of `found` that are neither there twice nor `done`, those with the smallest `priority` first.

    Two tasks are the same when they have the same words: capitals, punctuation and spaces make no difference.
    """
    seen = {_words(task) for task in done}
    kept: list[dict[str, Any]] = []
    for subtask in found:
        words = _words(subtask["task"])
        if words and words not in seen:
            seen.add(words)
            kept.append(dict(subtask))
    return sorted(kept, key=lambda subtask: _urgency(subtask.get("priority")))


def announce(context: StepContext, found: Sequence[Mapping[str, Any]], first: int) -> None:
    """Note, for those who watch the run, that a worker for each subtask is ``idle``; `first` is the number of the first one."""
    for place, subtask in enumerate(found):
        context.note("worker.state", {"worker": first + place, "task": subtask["task"], "state": "idle"})


@contextmanager
def watched(context: StepContext, worker: Mapping[str, Any] | None) -> Iterator[None]:
    """Note what a worker does, for those who watch the run: it is ``working``, then its subtask ``complete`` or ``failed``."""
    if worker is None:
        yield
        return
    context.note("worker.state", {**worker, "state": "working"})
    try:
        yield
    except WeftError:
        context.note("worker.state", {**worker, "state": "failed"})
        raise
    context.note("worker.state", {**worker, "state": "complete"})


def _words(task: str) -> str:
    return " ".join(re.findall(r"\w+", task.casefold()))


def _urgency(priority: Any) -> float:
    if isinstance(priority, bool) or priority is None:
        return _NO_PRIORITY
    if isinstance(priority, (int, float)):
        return float(priority)
    text = str(priority).strip().lower().lstrip("p")
    try:
        return float(text)
    except ValueError:
        return _WORDS.get(str(priority).strip().lower(), _NO_PRIORITY)
