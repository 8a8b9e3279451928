"""From a draft to a plan: a graph of calls, what they are told, and the milestones on the way."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from weft.plan.nodes import Block, Call, Child, Graph, Node, Plan
from weft.plan.nodes import Sequence as InOrder
from weft.plan.planner.draft import Draft, Step
from weft.spec.expressions import filled, literal


def plan_of(draft: Draft, request: str, around: Plan, *, max_parallel: int | None = None) -> Plan:
    """The plan of `draft`, with the definitions of the plan `around` it."""
    steps = {step.id: step for step in draft.steps}
    ends = draft.ends()
    marks = milestones(draft)
    children: list[Node] = [
        _child(step, steps, request, around) if step.agent in around.children else _call(step, steps, request)
        for step in draft.steps
    ]
    deps = {step.id: step.after for step in draft.steps if step.after}
    for mark in marks:
        name = f"milestone[{mark['number']}]"
        children.append(Call(name=name, performer="planner", target="milestone", input={"settings": mark, "given": {}}))
        # The one before it too, so that progress only goes up.
        earlier = (f"milestone[{mark['number'] - 1}]",) if mark["number"] > 1 else ()
        deps[name] = (*mark["steps"], *earlier)
    results = {name: f"{{{{ {_result(name)} }}}}" for name in ends}
    titles = [[name, steps[name].task] for name in ends]
    children.append(
        Call(
            name="combine",
            performer="planner",
            target="combine",
            input={"settings": {"titles": titles}, "given": {"results": results}},
            effect="pure",
        )
    )
    deps["combine"] = ends
    graph = Graph(
        name="steps",
        children=tuple(children),
        deps=deps,
        into="tasks",
        max_parallel=max_parallel,
        value={
            "response": "tasks['combine'].response",
            "results": f"{{{', '.join(f'{json.dumps(name)}: {_result(name)}' for name in steps)}}}",
        },
    )
    body = InOrder(name="", children=(graph,))
    retry = around.root.retry if isinstance(around.root, Block) else None
    return Plan(
        workflow=f"{around.workflow}/plan",
        root=Block(name="", body=body, retry=retry),
        definitions=around.definitions,
        children={step.agent: around.children[step.agent] for step in draft.steps if step.agent in around.children},
    )


def milestones(draft: Draft) -> list[dict[str, Any]]:
    """The waves of a draft as stages of the way: their number, what they are called, and their steps."""
    waves = draft.waves()
    return [
        {"number": number, "of": len(waves), "name": ", ".join(step.id for step in wave), "steps": [s.id for s in wave]}
        for number, wave in enumerate(waves, 1)
    ]


def prompt_of(step: Step, steps: Mapping[str, Step], request: str) -> str:
    """What the agent of a step is told: the request, its own task, and the results that it goes on with."""
    parts = [f"Request:\n{_verbatim(request)}", f"Your part of it:\n{_verbatim(step.task)}"]
    parts += [f"Result of {_verbatim(steps[name].task)}\n{{{{ {_result(name)} }}}}" for name in step.after]
    return "\n\n".join(parts)


def _call(step: Step, steps: Mapping[str, Step], request: str) -> Call:
    return Call(
        name=step.id,
        performer="agent",
        target=step.agent,
        input={
            "prompt": prompt_of(step, steps, request),
            "vars": {},
            "tools": None,
            "facts": {"agent": step.agent, "type": "agent", "id": step.id, "description": step.task},
            "history": "none",
        },
    )


def _child(step: Step, steps: Mapping[str, Step], request: str, around: Plan) -> Child:
    """A step by an agent of another workflow: a run of its own plan, begun with what its definition has `given`."""
    definition: Mapping[str, Any] = around.definitions["agents"][step.agent]
    given = {name: literal(value) for name, value in (definition.get("given") or {}).items()}
    said = {"message": filled(prompt_of(step, steps, request)), "messages": "messages if messages is defined else []"}
    return Child(name=step.id, plan=step.agent, inputs={**given, **said})


def combined(results: Mapping[str, Any], titles: Iterable[Sequence[str]]) -> Any:
    """Several results as one text, each under its task; a single one stays as it is."""
    if len(results) == 1:
        return next(iter(results.values()))
    return "\n\n".join(f"## {title}\n\n{_written(results[name])}" for name, title in titles)


def outline(draft: Draft) -> list[str]:
    """A draft as lines for people."""
    lines = []
    for number, wave in enumerate(draft.waves(), 1):
        for step in wave:
            after = f"  (after {', '.join(step.after)})" if step.after else ""
            lines.append(f"{number}. {step.title}: {step.task}{after}")
    return lines


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def _result(name: str) -> str:
    return f"tasks[{json.dumps(name)}].response"


def _verbatim(text: str) -> str:
    return "{{ " + json.dumps(text, ensure_ascii=False) + " }}" if "{" in text else text
