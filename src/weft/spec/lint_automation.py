"""Schedules and triggers in a file that could never be made active, or never start anything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from weft.core.errors import InputError, Problem
from weft.spec.model.automation import FileArrival, RunEnding, WrittenAutomation, WrittenSchedule
from weft.spec.model.base import Pointer
from weft.spec.model.workflow import Workflow
from weft.spec.suggest import did_you_mean
from weft.spec.tree import Source

Problems = Iterator[Problem]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_BOUNDS: dict[str, tuple[float, float, str]] = {
    "every": (1, 3_660 * 86_400, "at least one second and at most ten years"),
    "catch_up": (0, 3_660 * 86_400, "at most ten years"),
    "jitter": (0, 86_400, "at most one day"),
    "settle": (0, 3_600, "at most one hour"),
}
_FILLED = frozenset({"run", "status", "response"})


def automation_problems(workflow: Workflow, source: Source) -> Problems:
    """Findings about the schedules and triggers of `workflow`."""
    written = workflow.automations()
    yield from _names(workflow, written, source)
    for pointer, one in written:
        yield from _lengths(one, pointer, source)
        if isinstance(one, WrittenSchedule):
            yield from _times(one, pointer, source)
        yield from _inputs(workflow, one, pointer, source)


def _names(workflow: Workflow, written: list[tuple[Pointer, WrittenAutomation]], source: Source) -> Problems:
    seen: set[str] = set()
    for pointer, one in written:
        if one.name is None and len(written) > 1:
            message = "one of several schedules and triggers needs a name of its own"
            yield source.problem("missing-key", pointer, message, "add `name`")
        elif one.name is None and not _NAME.fullmatch(workflow.name):
            message = f"{workflow.name[:40]!r}, the name of the workflow, cannot be that of a schedule or trigger"
            yield source.problem(
                "missing-key", pointer, message, "add a `name` of letters, digits, dots, dashes and underscores"
            )
        elif one.name in seen:
            message = f"{one.name!r} is here twice"
            yield source.problem("duplicate-id", (*pointer, "name"), message, "give each its own name")
        seen.add(one.name or "")


def _lengths(one: WrittenAutomation, pointer: Pointer, source: Source) -> Problems:
    for key, (least, most, words) in _BOUNDS.items():
        given: Any = getattr(one, key, None)
        if given is None or key not in one.model_fields_set:
            continue
        try:
            length = _recurrence().seconds(given) if isinstance(given, str) else given
        except InputError as error:
            yield source.problem("wrong-value", (*pointer, key), error.message, error.fix)
            continue
        if not least <= length <= most:
            message = f"`{key}` cannot be {given}"
            yield source.problem("wrong-value", (*pointer, key), message, f"choose {words}")


def _times(one: WrittenSchedule, pointer: Pointer, source: Source) -> Problems:
    if one.cron is None and one.every is None:
        yield source.problem("missing-key", pointer, "this schedule is never due", "write `cron` or `every`")
    elif one.cron is not None and one.every is not None:
        message = "`cron` and `every` stand side by side"
        yield source.problem("wrong-value", (*pointer, "every"), message, "keep one of them")
    recurrence, key = _recurrence(), "timezone"
    try:
        recurrence.zone(one.timezone)
        key = "cron"
        if one.cron is not None:
            next(recurrence.ticks(one.cron, one.timezone, 0))
    except InputError as error:
        yield source.problem("wrong-value", (*pointer, key), error.message, error.fix)


def _inputs(workflow: Workflow, one: WrittenAutomation, pointer: Pointer, source: Source) -> Problems:
    known = workflow.inputs.names()
    names: list[tuple[Pointer, str]] = [(("inputs", name), name) for name in one.inputs]
    if isinstance(one, FileArrival):
        names.append((("input",), one.input))
    for spot, name in names:
        if name not in known:
            message = f"the workflow does not declare the input {name!r}"
            fix = f"declare it under `inputs`; {did_you_mean(name, known, noun='declared')}"
            yield source.problem("undeclared-input", (*pointer, *spot), message, fix, severity="warning")
    filled = _FILLED if isinstance(one, RunEnding) else {one.input} if isinstance(one, FileArrival) else set()
    for name in sorted(filled & one.inputs.keys()):
        message = f"{name!r} is what the trigger itself fills"
        yield source.problem("wrong-value", (*pointer, "inputs", name), message, "remove it")


def _recurrence() -> Any:
    from weft.spec import recurrence  # noqa: PLC0415 -- time zones and cron, only for files that say when they run

    return recurrence
