"""The names that steps give to values while a run goes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from weft.spec.model.base import Section, walk
from weft.spec.model.behavior import BehaviorTreeConfig
from weft.spec.model.flow import Arm, ChooseStep, FirstOfStep, MapRule, MapStep, SetStep, WaitRule, WaitStep, steps_of
from weft.spec.model.machine import StateMachineConfig

ANSWER = "hitl_response"
"""The latest answer of a person."""


def names_set(steps: Iterable[Section]) -> tuple[str, ...]:
    """What `steps`, and the steps inside them, leave in the scope around them; each name once, by name."""
    return tuple(sorted({name for step in steps for name in _names(step)}))


def _names(step: Section) -> Iterator[str]:
    if isinstance(step, SetStep):
        yield from step.set
    elif isinstance(step, WaitStep) and step.wait.into:
        yield step.wait.into
    elif isinstance(step, MapStep) and step.map.into:
        yield step.map.into
    elif isinstance(step, ChooseStep):
        for arm in step.choose:
            yield from names_set(steps_of(arm.then if isinstance(arm, Arm) else arm.steps))
    elif isinstance(step, FirstOfStep):
        for way in step.first_of:
            yield from names_set(steps_of(way))


def names_within(section: Section) -> tuple[str, ...]:
    """Every name that anything inside `section` gives to a value that stays, each once, by name."""
    return tuple(sorted({name for _pointer, part in walk(section) for name in _given(part)}))


def items_within(section: Section) -> tuple[str, ...]:
    """The names of the items of every map inside `section`, each once, by name."""
    return tuple(sorted({part.item for _pointer, part in walk(section) if isinstance(part, MapRule)}))


def _given(part: Section) -> Iterator[str]:
    if isinstance(part, SetStep):
        yield from part.set
    elif isinstance(part, (WaitRule, MapRule)):
        if part.into:
            yield part.into
    elif isinstance(part, (StateMachineConfig, BehaviorTreeConfig)):
        yield from part.context
