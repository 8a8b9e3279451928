"""One module a pattern: each compiles its configuration into a tree of nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from weft.plan.nodes import Node
from weft.plan.patterns.chain import compile_chain
from weft.plan.patterns.parallel import compile_parallel
from weft.plan.patterns.workflow import compile_tasks
from weft.spec.model.patterns import Chain, Parallel, TaskGraph
from weft.spec.model.workflow import Workflow

COMPILERS: Mapping[type, Callable[[Any, Workflow], Node]] = {
    Chain: compile_chain,
    TaskGraph: compile_tasks,
    Parallel: compile_parallel,
}
"""The compiler of each kind of pattern that this version runs."""


def compile_pattern(workflow: Workflow) -> Node:
    """The tree of the pattern of `workflow`, which must be one of `COMPILERS`."""
    return COMPILERS[type(workflow.pattern)](workflow.pattern, workflow)
