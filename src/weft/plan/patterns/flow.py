"""Steps that steer other steps, as nodes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from weft.plan.nodes import Block, Branch, Call, Child, Choose, Join, Map, Node, Select, Sequence, Set, Signal, Wait
from weft.plan.patterns.compiler import PREVIOUS, Compiler, Slot
from weft.plan.patterns.steps import budget_of
from weft.spec.expressions import computed, filled, literal
from weft.spec.inputs import own_values
from weft.spec.model.base import Section
from weft.spec.model.flow import (
    Arm,
    ChooseStep,
    FirstOfStep,
    MapRule,
    MapStep,
    Otherwise,
    PatternStep,
    SetStep,
    WaitRule,
    WaitStep,
    WorkflowStep,
    steps_of,
)
from weft.spec.model.joins import JoinRule
from weft.spec.variables import ANSWER, names_set

WAITED = "waited"
"""What a wait that is more than one node calls the list of its parts."""
RESULT = {
    "response": "last_response",
    "status": "'completed'",
}
"""What the steps for one item leave, as expressions."""


def compile_set(step: SetStep, compiler: Compiler, slot: Slot) -> Node:
    """Values that are computed and named."""
    del compiler
    return Set(name=slot.name, values={name: computed(value) for name, value in step.set.items()})


def compile_wait(step: WaitStep, compiler: Compiler, slot: Slot) -> Node:
    """A durable wait; ``until`` reads the run's clock first."""
    del compiler
    rule = step.wait
    if rule.until is None and rule.into is None:
        return wait_of(rule, slot.name, None if rule.seconds is None else computed(rule.seconds))
    children: list[Node] = []
    seconds = None if rule.seconds is None else computed(rule.seconds)
    if rule.until is not None:
        children.append(clock("clock", until=rule.until))
        seconds = f"{WAITED}[0].seconds"
    children.append(wait_of(rule, "wait", seconds))
    came = f"{WAITED}[{len(children) - 1}]"
    exports: tuple[str, ...] = ()
    if rule.into:
        children.append(Set(name="into", values={rule.into: came}))
        exports = (rule.into,)
    value = {"signal": f"{came}.signal", "data": f"{came}.data"} if rule.awaited() else None
    inner = Sequence(name="timed", children=tuple(children), into=WAITED, value=value, exports=exports)
    return Sequence(name=slot.name, children=(inner,), exports=exports)


def wait_of(rule: WaitRule, name: str, seconds: str | None) -> Wait:
    """The node of a wait for the signals of `rule`, at most so many seconds."""
    signals = tuple(Signal(name=signal.name, when=signal.when) for signal in rule.awaited())
    return Wait(name=name, seconds=seconds, signals=signals)


def clock(name: str, *, until: str | None = None) -> Call:
    """A reading of the run's clock: ``at`` in seconds since 1970, and how many are left ``until`` a time."""
    return Call(name=name, performer="clock", target="now", input={"until": until} if until else {}, effect="pure")


def compile_choose(step: ChooseStep, compiler: Compiler, slot: Slot) -> Node:
    """The first arm whose condition holds, at ``<step>/then[0]`` and so on."""
    arms = [arm for arm in step.choose if isinstance(arm, Arm)]
    otherwise = next((arm for arm in step.choose if isinstance(arm, Otherwise)), None)
    name = "choose" if step.timeout_s else slot.name
    node = Choose(
        name=name,
        branches=tuple(
            Branch(when=arm.when, node=series(arm.then, compiler, f"then[{place}]", slot.prompt))
            for place, arm in enumerate(arms)
        ),
        otherwise=series(otherwise.steps, compiler, "else", slot.prompt) if otherwise else None,
    )
    return limited(node, step.timeout_s, slot.name)


def compile_first_of(step: FirstOfStep, compiler: Compiler, slot: Slot) -> Node:
    """One way after the other, at ``<step>/way[0]`` and so on."""
    ways = tuple(series(way, compiler, f"way[{place}]", slot.prompt) for place, way in enumerate(step.first_of))
    name = "first_of" if step.timeout_s else slot.name
    return limited(Select(name=name, children=ways, into="failures"), step.timeout_s, slot.name)


def compile_map(step: MapStep, compiler: Compiler, slot: Slot) -> Node:
    """Steps for each item, at ``<step>/map[key]``; the response is the list of their responses."""
    into = step.map.into or "results"
    return Sequence(
        name=slot.name,
        children=(limited(each(step.map, compiler, "map", into), step.timeout_s, "limit"),),
        value={"response": f"{into} | map(attribute='response') | list", "results": into},
        exports=(step.map.into,) if step.map.into else (),
    )


def each(rule: MapRule, compiler: Compiler, name: str, into: str) -> Map:
    """The map node of a rule."""
    items = rule.items if isinstance(rule.items, str) else literal(rule.items)
    return Map(
        name=name,
        items=items,
        body=Sequence(
            name="", children=compiler.series(steps_of(rule.do), opening=f"{{{{ {rule.item} }}}}"), value=RESULT
        ),
        item=rule.item,
        key=rule.key,
        join=_join(rule),
        max_parallel=rule.max_parallel or compiler.workflow.runtime.max_parallel,
        into=into,
    )


def _join(rule: MapRule) -> Join:
    """The join of a fan-out whose width is known only at run time; a quorum without a number is a majority of what there is."""
    if isinstance(rule.join, JoinRule):
        return Join(policy=rule.join.policy, quorum=rule.join.quorum, failures=rule.join.failures)
    return Join(policy=rule.join)


def compile_pattern_step(step: PatternStep, compiler: Compiler, slot: Slot) -> Node:
    """A whole pattern, at ``<step>/<type>``."""
    if not step.timeout_s:
        return compiler.nested(step.pattern, slot.name, slot.prompt)
    return limited(compiler.nested(step.pattern, "pattern", slot.prompt), step.timeout_s, slot.name)


def compile_workflow_step(step: WorkflowStep, compiler: Compiler, slot: Slot) -> Node:
    """A run of another workflow, with that one's own values and defaults where the step gives none."""
    child = compiler.workflow.included[step.workflow]
    node = Child(
        name="workflow" if step.timeout_s else slot.name,
        plan=step.workflow,
        inputs={name: literal(value) for name, value in own_values(child).items()}
        | {name: filled(value) for name, value in step.inputs.items()},
        budget=budget_of(step.budget) if step.budget else None,
        on_cancel=step.on_cancel,
    )
    return limited(node, step.timeout_s, slot.name)


def limited(node: Node, timeout_s: float | None, name: str) -> Node:
    """`node` inside a time limit at `name`, when there is one."""
    return node if timeout_s is None else Block(name=name, body=node, timeout_s=timeout_s)


def series(do: Section | list[Section], compiler: Compiler, name: str, prompt: str = PREVIOUS) -> Sequence:
    """Steps one after the other inside another step: they see its `steps`, and what they name stays named behind it."""
    steps = steps_of(do)
    return Sequence(name=name, children=compiler.series(steps, opening=prompt), exports=exported(steps))


def exported(steps: Iterable[Section]) -> tuple[str, ...]:
    """What steps leave in the scope around them."""
    return (*names_set(steps), ANSWER)


def start_of(context: dict[str, Any]) -> tuple[Node, ...]:
    """The node that gives a pattern the values that it begins with."""
    if not context:
        return ()
    return (Set(name="context", values={name: filled(value) for name, value in context.items()}),)


def begun(opening: str) -> str:
    """What an agent without `input` gets where something may have come before: that, or else `opening`."""
    if opening == PREVIOUS:
        return opening
    return f"{{% if last_response is defined %}}{PREVIOUS}{{% else %}}{opening}{{% endif %}}"


def present(name: str) -> str:
    """The expression for a value that may not have been named yet."""
    return f"{name} if {name} is defined else none"
