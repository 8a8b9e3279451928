"""One module a pattern: each compiles its configuration into a tree of nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from weft.plan.nodes import Node
from weft.plan.patterns.blackboard import compile_blackboard
from weft.plan.patterns.chain import compile_chain
from weft.plan.patterns.consensus import compile_consensus
from weft.plan.patterns.debate import compile_debate
from weft.plan.patterns.gossip import compile_gossip
from weft.plan.patterns.handoff import compile_handoff
from weft.plan.patterns.parallel import compile_parallel
from weft.plan.patterns.vote import compile_vote
from weft.plan.patterns.workflow import compile_tasks
from weft.spec.model.patterns import Chain, Parallel, TaskGraph
from weft.spec.model.swarm import Blackboard, Consensus, Debate, Gossip, Handoff, Vote
from weft.spec.model.workflow import Workflow

COMPILERS: Mapping[type, Callable[[Any, Workflow], Node]] = {
    Chain: compile_chain,
    TaskGraph: compile_tasks,
    Parallel: compile_parallel,
    Vote: compile_vote,
    Debate: compile_debate,
    Handoff: compile_handoff,
    Blackboard: compile_blackboard,
    Gossip: compile_gossip,
    Consensus: compile_consensus,
}
"""The compiler of each kind of pattern that this version runs."""


def compile_pattern(workflow: Workflow) -> Node:
    """The tree of the pattern of `workflow`, which must be one of `COMPILERS`."""
    return COMPILERS[type(workflow.pattern)](workflow.pattern, workflow)
