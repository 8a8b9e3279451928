"""The templates and expressions of each kind of section, all written as templates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from weft.spec.expressions import as_template
from weft.spec.model.base import Pointer, Section, walk
from weft.spec.model.behavior import BehaviorTreeConfig, ConditionNode, RepeatNode
from weft.spec.model.flow import Arm, MapRule, SetStep, SignalRule, WaitRule, WorkflowStep
from weft.spec.model.machine import Always, StateMachineConfig, Timer, Transition
from weft.spec.model.steps import AgentStep, HitlStep, ToolStep
from weft.spec.references import NOTHING, Reads, reads

Texts = Iterator[tuple[Pointer, str]]


def texts(section: Section, pointer: Pointer = ()) -> Texts:
    """The templates that stand in `section` itself, with their places; those of sections inside it are not its own."""
    for kind in type(section).__mro__:
        if kind in _KINDS:
            yield from _KINDS[kind](section, pointer)


def reads_within(section: Section) -> Reads:
    """What all the templates inside `section` read.

    Raises:
        TemplateError: one of them is not a template.
    """
    found = [reads(text) for pointer, part in walk(section) for _pointer, text in texts(part, pointer)]
    if not found:
        return NOTHING
    return Reads(
        frozenset().union(*(each.names for each in found)), tuple(path for each in found for path in each.paths)
    )


def texts_in(value: object, pointer: Pointer) -> Iterator[tuple[Pointer, str]]:
    """Every text inside a JSON value, with its pointer."""
    if isinstance(value, str):
        yield pointer, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from texts_in(item, (*pointer, key))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from texts_in(item, (*pointer, place))


def _expressions(*names: str) -> Callable[[Any, Pointer], Texts]:
    """The texts of the fields `names`, which hold expressions."""

    def found(section: Any, pointer: Pointer) -> Texts:
        for name in names:
            if isinstance(text := getattr(section, name), str):
                yield (*pointer, name), as_template(text)

    return found


def _templates(name: str) -> Callable[[Any, Pointer], Texts]:
    """The texts in the field `name`, which are templates."""

    def found(section: Any, pointer: Pointer) -> Texts:
        return texts_in(getattr(section, name), (*pointer, name))

    return found


def _set(step: Any, pointer: Pointer) -> Texts:
    for name, value in step.set.items():
        if isinstance(value, str):
            yield (*pointer, "set", name), as_template(value)


def _wait(rule: Any, pointer: Pointer) -> Texts:
    yield from _expressions("seconds")(rule, pointer)
    yield from _templates("until")(rule, pointer)


_KINDS: Mapping[type, Callable[[Any, Pointer], Texts]] = {
    AgentStep: _templates("input"),
    ToolStep: _templates("args"),
    HitlStep: _templates("context_display"),
    SetStep: _set,
    WaitRule: _wait,
    SignalRule: _expressions("when"),
    Arm: _expressions("when"),
    MapRule: _expressions("items", "key"),
    WorkflowStep: _templates("inputs"),
    Transition: _expressions("guard"),
    Timer: _expressions("seconds"),
    Always: _expressions("guard"),
    StateMachineConfig: _templates("context"),
    ConditionNode: _expressions("condition"),
    RepeatNode: _expressions("until"),
    BehaviorTreeConfig: _templates("context"),
}
