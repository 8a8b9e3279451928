"""One run as a page: what it was given, its tree, how it ended."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.text import Text

from weft.app.view import RunView, StepView
from weft.cli.render.figures import consumed, duration, short, when
from weft.cli.render.runs import status_text
from weft.cli.render.tree import Look, calls, tree_lines
from weft.cli.terminal import clean
from weft.store.runs import Run

_INPUT = 120
_HASH = 12


def run_page(console: Console, run: Run, view: RunView, outputs: Any, *, prompts: bool, idle: bool) -> None:
    """Print everything that people want to know of `run`. With `prompts`, what steps were given is shown in full.

    `idle` says that it could be made to go on now, for `run` may be as it once was.
    """
    _head(console, run, view)
    look = Look(ascii_only=console.options.ascii_only)
    overflow = {"overflow": "ellipsis", "no_wrap": True, "crop": True}
    for step, line in tree_lines(view.root, look):
        console.print(line, **overflow)  # type: ignore[arg-type]  # one set of options for every line
        if prompts and step is not None and step.input is not None:
            console.print(Text(_pretty(step.input), style="dim"), soft_wrap=True)
    for text in _told(view):
        console.print(Text(text), soft_wrap=True)
    for step in view.root.walk():
        if step.run:
            console.print(Text(f"{clean(step.path)}: weft show {step.run}", style="dim"), soft_wrap=True)
    for warning in view.warnings:
        console.print(Text(f"warning: {budget_text(warning)}", style="yellow"), soft_wrap=True)
    if run.error:
        _error(console, run.error)
    if outputs is not None:
        console.print(Text("\nOutputs", style="bold"))
        response = outputs.get("response", outputs) if isinstance(outputs, dict) else outputs
        console.print(Text(_pretty(response)), soft_wrap=True)
    if idle:
        console.print(
            Text(f"\nweft why {run.id}      what it waits for\nweft resume {run.id}   make it go on", style="dim")
        )


def counted(root: StepView) -> str:
    """How many steps of the plan are done, and how many are not."""
    count = Counter(step.status for step in calls(root))
    failed = count.pop("failed", 0)
    done, going = count.pop("completed", 0), count.total()
    parts = [f"{done:,} done"] if done else []
    parts += [f"{going:,} going on"] if going else []
    parts += [f"{failed:,} failed"] if failed else []
    return ", ".join(parts)


def _head(console: Console, run: Run, view: RunView) -> None:
    head = Text(f"{clean(run.workflow)}  ", style="bold")
    console.print(head + status_text(run), soft_wrap=True)
    end = view.root.ended or run.updated_at
    facts = [f"run {run.id}", f"started {when(run.created_at)}", f"took {duration(end - run.created_at)}"]
    if used := consumed(run.usage):
        facts.append(used)
    if run.base_run is not None:
        inherited = consumed(view.inherited)
        facts.append(f"fork of {run.base_run} at {run.base_seq}" + (f", inherited {inherited}" if inherited else ""))
    if run.parent is not None:
        facts.append(f"child of {run.parent}")
    for fact in facts:
        console.print(Text(f"  {fact}", style="dim"), soft_wrap=True)
    for name, value in run.inputs.items():
        shown = short(clean(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)), _INPUT)
        console.print(Text(f"  {clean(name)} = {shown}", style="dim"), soft_wrap=True)
    console.print()


def _error(console: Console, error: dict[str, Any]) -> None:
    console.print(
        Text(f"\n{error.get('code', 'error')}: {clean(str(error.get('message', '')))}", style="red"), soft_wrap=True
    )
    place = error.get("place") or {}
    if path := place.get("path"):
        console.print(Text(f"  at {clean(path)}"), soft_wrap=True)
    if fix := error.get("fix"):
        console.print(Text(f"  fix: {clean(fix)}"), soft_wrap=True)


def handoff_text(chain: list[dict[str, Any]]) -> str:
    """A chain of delegation in one line."""
    steps = [str(chain[0]["from"])]
    for each in chain:
        why = f" ({short(str(each['reason']), _INPUT)})" if each.get("reason") else ""
        steps.append(f"{each['to']}{why}")
    return clean(f"handed over: {' -> '.join(steps)}")


def _told(view: RunView) -> list[str]:
    """What the tree does not say: who passed a conversation on, the plans that were made, and how far the run is with its own."""
    lines = [handoff_text(chain) for chain in view.handoffs()]
    lines += [line for made in view.made_plans() for line in plan_lines(made)]
    lines += [milestone_text(view.milestones)] if view.milestones else []
    return lines + [f"{milestone_text(reached)} (run {run})" for run, reached in view.carried_out.items() if reached]


def plan_lines(made: Mapping[str, Any]) -> list[str]:
    """A plan that was made in a run: who made it, its hash, what it was thought to take, and its steps."""
    figures = made["estimate"]
    tokens = figures["tokens"]
    cost = figures["cost_usd"]
    money = f"${Decimal(cost['low']):.4f} to ${Decimal(cost['high']):.4f}" if cost else "cost not known"
    lines = [f"plan {made['hash'][:_HASH]} by {made['by']}: {tokens['low']:,} to {tokens['high']:,} tokens, {money}"]
    for step in made["steps"]:
        after = f"  (after {', '.join(step['after'])})" if step.get("after") else ""
        title = step["id"] if step["id"] == step["agent"] else f"{step['id']} ({step['agent']})"
        lines.append(f"  {title}: {step['task']}{after}")
    return [clean(line) for line in lines]


def milestone_text(reached: list[dict[str, Any]]) -> str:
    """How far a plan is carried out."""
    last = max(reached, key=lambda one: int(one["number"]))
    return clean(f"milestone {last['number']} of {last['of']} reached: {last['name']}")


def budget_text(warning: Mapping[str, Any]) -> str:
    """How far a budget is used."""
    return f"the budget {warning.get('limit')} is {warning.get('of')}, and {warning.get('used')} of it are used"


def _pretty(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    return clean(text)
