"""Parallel: branches at the same time, and a step that puts their results together."""

from __future__ import annotations

import json

from weft.plan.nodes import Graph, Join, Node, Sequence
from weft.plan.patterns.chain import PREVIOUS, calls
from weft.plan.patterns.steps import compile_step, join_of
from weft.spec.model.patterns import Parallel, ParallelBranch
from weft.spec.model.workflow import Workflow

BRANCH_VALUE = {
    "response": "last_response",
    "status": "'completed'",
    "tokens_estimated": "steps | map(attribute='tokens_estimated', default=0) | sum",
    "step_history": "steps",
}
"""What a branch leaves for the step that reduces, as expressions over its own steps."""


def compile_parallel(pattern: Parallel, workflow: Workflow) -> Node:
    """A graph without edges at ``/branches``, then the call ``/reduce`` when there is one."""
    config = pattern.config
    join = join_of(config.join, len(config.branches))
    graph = Graph(
        name="branches",
        children=tuple(_branch(branch, workflow) for branch in config.branches),
        into="branches",
        join=join,
        max_parallel=workflow.runtime.max_parallel,
        value={"response": joined([branch.id for branch in config.branches], join)},
    )
    if config.reduce is None:
        return Sequence(name="", children=(graph,))
    reduce = compile_step(config.reduce, workflow, name="reduce", index=None, prompt=PREVIOUS)
    return Sequence(name="", children=(graph, reduce))


def _branch(branch: ParallelBranch, workflow: Workflow) -> Node:
    return Sequence(name=branch.id, children=calls(branch.steps, workflow), into="steps", value=BRANCH_VALUE)


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
