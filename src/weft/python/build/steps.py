"""Steps, of every kind that the language has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from weft.python.build.options import (
    AskOptions,
    EachOptions,
    GateOptions,
    RunOptions,
    StepOptions,
    UseOptions,
    WaitOptions,
)
from weft.python.build.parts import Part, part

Do = Part | Sequence[Part]
"""A step, or several one after the other."""


def ask(agent: str, input: str | None = None, **options: Unpack[AskOptions]) -> Part:  # noqa: A002 -- the language's word
    """Ask an agent; `input` is a template, and what came before when there is none."""
    return part({"agent": agent, "input": input, **options})


def use(tool: str, args: Mapping[str, Any] | None = None, **options: Unpack[UseOptions]) -> Part:
    """Use a tool; texts in `args` are templates."""
    return part({"tool": tool, "args": args, **options})


def gate(prompt: str, **options: Unpack[GateOptions]) -> Part:
    """Ask a person."""
    return part({"type": "hitl", "prompt": prompt, **options})


def wait(id: str | None = None, **rule: Unpack[WaitOptions]) -> Part:  # noqa: A002 -- the language's word
    """Wait for a time or a signal."""
    return part({"wait": dict(rule), "id": id})


def assign(values: Mapping[str, Any], id: str | None = None) -> Part:  # noqa: A002 -- the language's word
    """Compute values and name them (the language's `set`): a text is an expression, anything else stands for itself."""
    return part({"set": dict(values), "id": id})


def when(condition: str, then: Do) -> Part:
    """An arm of `choose`."""
    return part({"when": condition, "then": then})


def choose(*arms: Part, otherwise: Do | None = None, **options: Unpack[StepOptions]) -> Part:
    """The first arm whose condition holds, or else `otherwise`."""
    rest = [] if otherwise is None else [part({"else": otherwise})]
    return part({"choose": [*arms, *rest], **options})


def each(
    items: str | Sequence[Any],
    do: Do,
    *,
    item: str | None = None,
    id: str | None = None,  # noqa: A002 -- the language's word
    timeout_s: float | None = None,
    **rule: Unpack[EachOptions],
) -> Part:
    """The same steps for each item (the language's `map`); `item` names it."""
    return part({"map": part({"items": items, "as": item, "do": do, **rule}), "id": id, "timeout_s": timeout_s})


def first_of(*ways: Do, **options: Unpack[StepOptions]) -> Part:
    """One way after the other, until one succeeds."""
    return part({"first_of": list(ways), **options})


def run(workflow: str, inputs: Mapping[str, Any] | None = None, **options: Unpack[RunOptions]) -> Part:
    """Another workflow file, as a run of its own; texts in `inputs` are templates."""
    return part({"workflow": workflow, "inputs": inputs, **options})


def nested(pattern: Part, **options: Unpack[StepOptions]) -> Part:
    """A whole pattern in the place of a step."""
    return part({"pattern": pattern, **options})


def task(id: str, step: Part, *, deps: Sequence[str] | None = None, description: str | None = None) -> Part:  # noqa: A002 -- the language's word
    """A step as a task, done as soon as every task in `deps` is."""
    return part({"id": id, **step, "deps": deps, "description": description})
