"""A run's steps as a tree, one line each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.text import Text

from weft.app.view import StepView
from weft.cli.render.figures import again, consumed, duration, now, short, when
from weft.cli.terminal import clean
from weft.engine.questions import assignees

_MARKS = {
    "completed": ("✓", "+", "green"),
    "failed": ("✗", "x", "red"),
    "running": ("●", "*", "blue"),
    "retrying": ("↻", "~", "yellow"),
    "waiting": ("◆", "?", "yellow"),
    "open": ("○", "o", "dim"),
}
_MANY = 12
_SAMPLE = 8
_TAIL = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a tree shows. While a run goes on, `now` is journal time and what is done is folded; later, `now` is None.

    `tails` holds the last words of steps whose answers are streamed.
    """

    now: int | None = None
    tails: Mapping[str, str] = field(default_factory=dict)
    ascii_only: bool = False


def tree_lines(root: StepView, look: Look) -> Iterator[tuple[StepView | None, Text]]:
    """The lines of everything inside `root`, each with its step; None where a line stands for several."""
    yield from _lines(root.inside(), look, "")


def state(step: StepView, *, ended: bool) -> str:
    """How a step is: its status, or that of what is inside when it is only a group; ``open`` when nobody performs it."""
    if step.status == "running" and not step.type and step.children:
        inside = {state(child, ended=ended) for child in step.children.values()}
        for status in ("running", "retrying", "waiting", "open", "failed"):
            if status in inside:
                return status
        return "completed"
    if ended and step.status in {"running", "retrying"}:
        return "open"
    return step.status


def calls(root: StepView) -> Iterator[StepView]:
    """The steps of the plan itself, without what is inside them."""
    for step in root.children.values():
        if step.type:
            yield step
        else:
            yield from calls(step)


def step_line(step: StepView, look: Look) -> Text:
    """One step: mark, name, target, duration, consumption, and what went wrong."""
    status = state(step, ended=look.now is None)
    fancy, plain, colour = _MARKS.get(status, ("?", "?", "dim"))
    text = Text()
    text.append(plain if look.ascii_only else fancy, style=colour)
    text.append(f" {clean(step.name)}", style="bold" if step.type in {"agent", "tool", "artifact"} else "")
    target = _target(step)
    if target and target != step.name:
        text.append(f"  {short(clean(target), 60)}", style="cyan")
    if (took := _took(step, look)) is not None:
        text.append(f"  {duration(took)}", style="dim")
    if used := consumed(step.usage if look.now is None or len(step.children) <= _MANY else step.own):
        text.append(f"  {used}", style="dim")
    if step.attempts > 1:
        text.append(f"  attempt {step.attempts}", style="yellow")
    if status == "retrying" and look.now is not None and step.next_at is not None:
        text.append(f"  {again(step.next_at - look.now)}", style="yellow")
    text.append(_waits_for(step), style="yellow")
    if step.error and (step.type or not step.children):
        text.append(f"  {short(clean(str(step.error.get('message', ''))), _TAIL)}", style="red")
    return text


def _lines(steps: Sequence[StepView], look: Look, guide: str) -> Iterator[tuple[StepView | None, Text]]:
    shown, rest = _sampled(steps, look)
    bar, tee, end = ("|  ", "|- ", "`- ") if look.ascii_only else ("│  ", "├─ ", "└─ ")
    for place, step in enumerate(shown):
        last = place == len(shown) - 1 and not rest
        below = guide + ("   " if last else bar)
        yield step, Text.assemble((guide + (end if last else tee), "dim"), step_line(step, look))
        if tail := look.tails.get(step.path):
            yield step, Text.assemble((below, "dim"), (tail, "dim italic"))
        if look.now is None or state(step, ended=False) != "completed":
            yield from _lines(_inside(step), look, below)
    if rest:
        counted = ", ".join(f"{count:,} {status}" for status, count in sorted(rest.items()))
        yield None, Text(f"{guide}{end}… {sum(rest.values()):,} more: {counted}", style="dim")


def _inside(step: StepView) -> list[StepView]:
    """The steps to show inside a step: those of a lone group in it at once, and nothing of how a file is written."""
    if step.type == "artifact":
        return []
    inside = step.inside()
    if step.type and len(inside) == 1 and not inside[0].type and inside[0].children:
        return inside[0].inside()
    return inside


def _sampled(steps: Sequence[StepView], look: Look) -> tuple[Sequence[StepView], Counter[str]]:
    """Of very many siblings in a run that goes on: some that are not done, and how many others there are."""
    if look.now is None or len(steps) <= _MANY:
        return steps, Counter()
    states = [state(step, ended=False) for step in steps]
    busy = [place for place, status in enumerate(states) if status != "completed"][:_SAMPLE]
    kept = set(busy)
    rest = Counter(status for place, status in enumerate(states) if place not in kept)
    return [steps[place] for place in busy], rest


def artifact_path(target: str, value: Any = None) -> str:
    """The path of an artifact: the one in its `value` once it is written, else its `target`; nothing while that is a template."""
    if isinstance(value, Mapping) and value.get("path"):
        return str(value["path"])
    return "" if "{{" in target or "{%" in target else target


def _target(step: StepView) -> str:
    """What the step works on."""
    return artifact_path(step.target, step.value) if step.type == "artifact" else step.target


def _waits_for(step: StepView) -> str:
    """Who is asked at an open gate, and until when; what was said at one that is decided."""
    if step.type != "gate" or not isinstance(step.input, Mapping):
        return ""
    if step.status == "waiting":
        asked = ", ".join(assignees(step.input, now())) or "anybody"
        until = f" until {when(step.input['due'])}" if step.input.get("due") else ""
        return clean(f"  asks {asked}{until}")
    value = step.value if isinstance(step.value, Mapping) else {}
    return (
        clean(f"  {short(str(value.get('response', '')), 60)} by {value.get('by') or 'its deadline'}") if value else ""
    )


def _took(step: StepView, look: Look) -> int | None:
    if not step.started or (step.ended is None and look.now is None):
        return None
    end = step.ended if step.ended is not None else look.now
    took = (end or 0) - step.started
    # A step that starts nothing durable is journaled only by its end: no duration is known.
    return took if took > 0 else None
