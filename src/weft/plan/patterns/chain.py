"""Chain: steps one after the other."""

from __future__ import annotations

from weft.plan.nodes import Node, Sequence
from weft.plan.patterns.compiler import Compiler
from weft.spec.model.patterns import Chain
from weft.spec.variables import ANSWER, names_set


def compile_chain(pattern: Chain, compiler: Compiler, name: str) -> Node:
    """A sequence of steps at ``/step[0]``, or under the `id` of the step."""
    children = compiler.series(pattern.config.steps)
    return Sequence(name=name, children=children, into="steps", exports=(*names_set(pattern.config.steps), ANSWER))
