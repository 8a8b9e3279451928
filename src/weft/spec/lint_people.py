"""Questions to people that nobody could answer, or whose answer could never count."""

from __future__ import annotations

from collections.abc import Iterator

from weft.core.errors import Problem
from weft.core.patterns import Patience, PatternError, compiled
from weft.spec.forms import form_schema
from weft.spec.lint_schemas import wrong_schema
from weft.spec.model.base import Pointer, walk
from weft.spec.model.steps import HitlStep
from weft.spec.model.workflow import Workflow
from weft.spec.suggest import did_you_mean
from weft.spec.tree import Source


def people_problems(workflow: Workflow, source: Source) -> Iterator[Problem]:
    """Findings about every step and review that asks a person."""
    for pointer, section in walk(workflow.pattern, ("pattern",)):
        if isinstance(section, HitlStep):
            yield from _answers(section, pointer, source)
            yield from _times(section, pointer, source)


def _answers(step: HitlStep, pointer: Pointer, source: Source) -> Iterator[Problem]:
    if step.choices and step.default is not None and step.default not in step.choices:
        fix = did_you_mean(step.default, step.choices, noun="choices")
        yield source.problem("wrong-value", (*pointer, "default"), f"{step.default!r} is none of the choices", fix)
    if step.form is not None:
        try:
            why = wrong_schema(form_schema(step.form))
        except (TypeError, ValueError):
            why = "each field is a type or a map"
        if why:
            fix = "write each field as `name: type`, or as a map in JSON Schema (draft 2020-12)"
            yield source.problem("schema", (*pointer, "form"), f"this is no form: {why}", fix)
    if step.validation is None:
        return
    spot = (*pointer, "validation", "pattern")
    try:
        compiled(step.validation.pattern)
        fits = step.default is None or Patience().fullmatch(step.validation.pattern, step.default[:2_000]) is not None
    except PatternError as error:
        yield source.problem("wrong-value", spot, str(error), "correct the pattern")
        return
    if not fits:
        message = f"{step.default!r} has not the form that the pattern asks for"
        yield source.problem("wrong-value", (*pointer, "default"), message, "change one", severity="warning")


def _times(step: HitlStep, pointer: Pointer, source: Source) -> Iterator[Problem]:
    deadline = step.deadline_s or step.timeout_seconds or None
    if step.deadline_s is not None and step.timeout_seconds is not None:
        message = "`deadline_s` and `timeout_seconds` say the same"
        yield source.problem("wrong-value", (*pointer, "deadline_s"), message, "keep one of them")
    times = {("warn_s",): step.warn_s, ("escalate", "after_s"): step.escalate.after_s if step.escalate else None}
    for key, seconds in times.items():
        if seconds is not None and deadline is not None and seconds >= deadline:
            message = f"after {seconds:g} s the deadline of {deadline:g} s is over"
            yield source.problem("wrong-value", (*pointer, *key), message, "make it earlier than the deadline")
    if step.warn_s is not None and deadline is None:
        fix = "add `deadline_s`"
        yield source.problem("wrong-value", (*pointer, "warn_s"), "there is no deadline to warn of", fix)
