"""Parallel: branches at the same time, and a step that puts their results together."""

from __future__ import annotations

import json

from weft.plan.nodes import Graph, Join, Node, Sequence, Set
from weft.plan.patterns.compiler import Compiler, Slot
from weft.plan.patterns.steps import join_of
from weft.spec.model.patterns import Parallel, ParallelBranch
from weft.spec.model.steps import HitlStep

BRANCH_VALUE = {
    "response": "last_response",
    "status": "'completed'",
    "tokens_estimated": "steps | map(attribute='tokens_estimated', default=0) | sum",
    "step_history": "steps",
}
"""What a branch leaves for the step that reduces, as expressions over its own steps."""


def compile_parallel(pattern: Parallel, compiler: Compiler, name: str) -> Node:
    """A graph without edges at ``/branches``, then the step ``/reduce`` when there is one."""
    config = pattern.config
    join = join_of(config.join, len(config.branches))
    graph = Graph(
        name="branches",
        children=tuple(_branch(branch, compiler) for branch in config.branches),
        into="branches",
        join=join,
        max_parallel=compiler.workflow.runtime.max_parallel,
        value={"response": joined([branch.id for branch in config.branches], join)},
    )
    children: list[Node] = [graph]
    asked = [branch.id for branch in config.branches if _asks(branch)]
    if asked:
        children.append(Set(name="answers", values={"hitl_response": _latest_answer(asked)}))
    if config.reduce is not None:
        children.append(compiler.step(config.reduce, Slot("reduce")))
    return Sequence(name=name, children=tuple(children), exports=("hitl_response",))


def _branch(branch: ParallelBranch, compiler: Compiler) -> Node:
    value = BRANCH_VALUE | ({"hitl_response": "hitl_response"} if _asks(branch) else {})
    return Sequence(name=branch.id, children=compiler.series(branch.steps), into="steps", value=value)


def _asks(branch: ParallelBranch) -> bool:
    return any(isinstance(step, HitlStep) for step in branch.steps)


def _latest_answer(asked: list[str]) -> str:
    """The expression for the answer in the last branch, as declared, that asks a person and is done."""
    text = "none"
    for name in asked:
        reference = f"branches[{json.dumps(name)}].hitl_response"
        text = f"{reference} if {json.dumps(name)} in branches and {reference} is defined else ({text})"
    return text


def joined(ids: list[str], join: Join) -> str:
    """The expression for the responses of all branches in the order of their ids; what did not succeed is left out."""
    parts = []
    for name in sorted(ids):
        key, title = json.dumps(name), json.dumps(f"Branch {name}:\n")
        part = f"{title} ~ branches[{key}].response"
        if join.policy != "all":
            part = f"({part} if {key} in branches and branches[{key}].status == 'completed' else '')"
        parts.append(part)
    if join.policy == "all":
        return ' ~ "\\n\\n---\\n\\n" ~ '.join(parts)
    return f'[{", ".join(parts)}] | select | join("\\n\\n---\\n\\n")'
