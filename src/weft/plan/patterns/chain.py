"""Chain: steps one after the other."""

from __future__ import annotations

from weft.plan.nodes import Node, Sequence
from weft.plan.patterns.steps import compile_step, opening_prompt
from weft.spec.model.patterns import Chain
from weft.spec.model.steps import Step
from weft.spec.model.workflow import Workflow

PREVIOUS = "{{ last_response }}"


def compile_chain(pattern: Chain, workflow: Workflow) -> Node:
    """A sequence of calls at ``/step[0]``, or under the `id` of the step."""
    return Sequence(name="", children=calls(pattern.config.steps, workflow), into="steps")


def calls(steps: list[Step], workflow: Workflow) -> tuple[Node, ...]:
    """The calls of consecutive steps."""
    return tuple(
        compile_step(
            step,
            workflow,
            name=step.id or f"step[{index}]",
            index=index,
            prompt=PREVIOUS if index else opening_prompt(workflow),
        )
        for index, step in enumerate(steps)
    )
