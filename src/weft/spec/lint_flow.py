"""What can be wrong with the steps that steer others and the patterns made of them: ways that lead nowhere, limits that cannot hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from weft.core.errors import Problem, TemplateError
from weft.spec.expressions import filled
from weft.spec.lint_machine import machine_problems
from weft.spec.model.base import Pointer, Section, walk
from weft.spec.model.behavior import BehaviorTreeConfig, ParallelNode, RepeatNode, SelectorNode, SequenceNode
from weft.spec.model.flow import ChooseStep, MapRule, Otherwise, SetStep, WaitRule, WorkflowStep, steps_of
from weft.spec.model.joins import JoinRule
from weft.spec.model.machine import StateMachineConfig
from weft.spec.model.patterns import ChainConfig, ParallelBranch, Route
from weft.spec.model.saga import SagaConfig
from weft.spec.model.workflow import Workflow
from weft.spec.tree import Source

Problems = Iterator[Problem]

RESERVED = frozenset({"go", "rang", "due", "fired", "waited", "state", "states", "signal", "tree", "limit", "machine"})
"""Names in which patterns keep their own place."""


def flow_problems(workflow: Workflow, source: Source) -> Problems:
    """Findings about every such part of `workflow`."""
    for pointer, section in walk(workflow.pattern, ("pattern",)):
        for kind, rule in _RULES.items():
            if isinstance(section, kind):
                yield from rule(section, pointer, source)
        yield from _ids(section, pointer, source)


def _wait(rule: WaitRule, pointer: Pointer, source: Source) -> Problems:
    given = [name for name in ("seconds", "until", "signal", "signals") if getattr(rule, name) is not None]
    if not given:
        fix = "write `seconds`, `until`, `signal` or `signals`"
        yield source.problem("missing-key", pointer, "this wait would never end", fix)
    for one, other in (("seconds", "until"), ("signal", "signals")):
        if one in given and other in given:
            message = f"`{one}` and `{other}` stand side by side"
            yield source.problem("wrong-value", (*pointer, other), message, "keep one of them")


def _set(step: SetStep, pointer: Pointer, source: Source) -> Problems:
    yield from _names([*step.set], (*pointer, "set"), source)


def _names(names: list[str], pointer: Pointer, source: Source) -> Problems:
    for name in names:
        if name in RESERVED:
            message = f"{name!r} is a name that the language fills"
            yield source.problem("reserved-name", (*pointer, name), message, "choose another name")


def _choose(step: ChooseStep, pointer: Pointer, source: Source) -> Problems:
    for place, arm in enumerate(step.choose[:-1]):
        if isinstance(arm, Otherwise):
            fix = "move `else` to the end, and keep one"
            yield source.problem("wrong-value", (*pointer, "choose", place), "what follows `else` is never done", fix)


def _map(rule: MapRule, pointer: Pointer, source: Source) -> Problems:
    join = rule.join
    if isinstance(join, JoinRule) and join.quorum is not None and join.policy != "quorum":
        message = f"`quorum` has no meaning with {join.policy!r}"
        yield source.problem("join", (*pointer, "join", "quorum"), message, "write `policy: quorum`")
    yield from _names([name for name in (rule.item, rule.into) if name], pointer, source)


def _child(step: WorkflowStep, pointer: Pointer, source: Source) -> Problems:
    yield from _fillable(step.inputs, (*pointer, "inputs"), source)


def _fillable(values: Mapping[str, Any], pointer: Pointer, source: Source) -> Problems:
    for name, value in values.items():
        try:
            filled(value)
        except TemplateError as error:
            yield source.problem("template", (*pointer, name), error.message, error.fix)


def _machine(config: StateMachineConfig, pointer: Pointer, source: Source) -> Problems:
    yield from _names([*config.context], (*pointer, "context"), source)
    yield from _fillable(config.context, (*pointer, "context"), source)
    yield from machine_problems(config, pointer, source)


def _tree(config: BehaviorTreeConfig, pointer: Pointer, source: Source) -> Problems:
    yield from _names([*config.context], (*pointer, "context"), source)
    yield from _fillable(config.context, (*pointer, "context"), source)


def _repeat(node: RepeatNode, pointer: Pointer, source: Source) -> Problems:
    if node.times is None and node.until is None:
        message = "this repetition has no end"
        yield source.problem("missing-key", pointer, message, "write `times`, `until`, or both")


def _side_by_side(node: ParallelNode, pointer: Pointer, source: Source) -> Problems:
    count = len(node.parallel)
    for name in ("success_threshold", "failure_threshold"):
        threshold = getattr(node, name)
        if threshold is not None and threshold > count:
            message = f"{threshold} of {count} children cannot be reached"
            yield source.problem("join", (*pointer, name), message, f"at most {count}")


def _saga(config: SagaConfig, pointer: Pointer, source: Source) -> Problems:
    if all(step.compensate is None for step in config.steps):
        message = "no step of this saga can be undone"
        fix = "write `compensate` on the steps that change something, or use a chain"
        yield source.problem("saga", (*pointer, "steps"), message, fix, severity="warning")


_RULES: Mapping[type, Callable[[Any, Pointer, Source], Problems]] = {
    WaitRule: _wait,
    SetStep: _set,
    ChooseStep: _choose,
    MapRule: _map,
    WorkflowStep: _child,
    StateMachineConfig: _machine,
    BehaviorTreeConfig: _tree,
    RepeatNode: _repeat,
    ParallelNode: _side_by_side,
    SagaConfig: _saga,
}

_CHECKED_ELSEWHERE = (ChainConfig, ParallelBranch, Route)


def _ids(section: Section, pointer: Pointer, source: Source) -> Problems:
    """Steps or nodes side by side under the same id."""
    if isinstance(section, _CHECKED_ELSEWHERE) and pointer[:2] == ("pattern", "config"):
        return
    for name, spot, parts in _rows(section):
        seen: set[str] = set()
        for place, part in enumerate(parts):
            known = getattr(part, "id", None)
            if known is not None and known in seen:
                where = (*pointer, name, *spot, place, "id")
                yield source.problem("duplicate-id", where, f"{known!r} is here twice", "give each its own name")
            seen.add(known or "")


def _rows(section: Section) -> Iterator[tuple[str, Pointer, list[Any]]]:
    if isinstance(section, SequenceNode):
        yield "sequence", (), section.sequence
    elif isinstance(section, SelectorNode):
        yield "selector", (), section.selector
    elif isinstance(section, ParallelNode):
        yield "parallel", (), section.parallel
    else:
        for name, field in type(section).model_fields.items():
            value = getattr(section, name)
            key = field.alias or name
            if isinstance(value, list) and any(isinstance(item, Section) for item in value):
                yield key, (), value
            elif isinstance(value, list):
                for place, item in enumerate(value):
                    if isinstance(item, list):
                        yield key, (place,), steps_of(item)
