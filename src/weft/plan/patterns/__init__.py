"""One module a pattern, and one a kind of step: each compiles its configuration into a tree of nodes."""

from __future__ import annotations

from collections.abc import Mapping

from weft.plan.patterns.behavior import compile_tree
from weft.plan.patterns.blackboard import compile_blackboard
from weft.plan.patterns.chain import compile_chain
from weft.plan.patterns.compiler import Compiler, PatternCompiler, StepCompiler
from weft.plan.patterns.consensus import compile_consensus
from weft.plan.patterns.debate import compile_debate
from weft.plan.patterns.evaluator import compile_evaluator
from weft.plan.patterns.flow import (
    compile_choose,
    compile_first_of,
    compile_map,
    compile_pattern_step,
    compile_set,
    compile_wait,
    compile_workflow_step,
)
from weft.plan.patterns.gossip import compile_gossip
from weft.plan.patterns.graph import compile_graph
from weft.plan.patterns.handoff import compile_handoff
from weft.plan.patterns.machine import compile_machine
from weft.plan.patterns.mapping import compile_mapping
from weft.plan.patterns.orchestrator import compile_orchestrator
from weft.plan.patterns.parallel import compile_parallel
from weft.plan.patterns.people import compile_person
from weft.plan.patterns.planning import compile_plan
from weft.plan.patterns.routing import compile_routing
from weft.plan.patterns.saga import compile_saga
from weft.plan.patterns.steps import compile_agent, compile_tool, opening_prompt
from weft.plan.patterns.vote import compile_vote
from weft.plan.patterns.workflow import compile_tasks
from weft.spec.model.behavior import BehaviorTree
from weft.spec.model.flow import (
    ChooseStep,
    FirstOfStep,
    MapStep,
    PatternStep,
    SetStep,
    WaitStep,
    WorkflowStep,
)
from weft.spec.model.machine import StateMachine
from weft.spec.model.mapping import MapPattern
from weft.spec.model.patterns import (
    Chain,
    EvaluatorOptimizer,
    Graph,
    OrchestratorWorkers,
    Parallel,
    Routing,
    TaskGraph,
)
from weft.spec.model.planning import PlanPattern
from weft.spec.model.saga import Saga
from weft.spec.model.steps import AgentStep, HitlStep, ToolStep
from weft.spec.model.swarm import Blackboard, Consensus, Debate, Gossip, Handoff, Vote
from weft.spec.model.workflow import Workflow

PATTERNS: Mapping[type, PatternCompiler] = {
    Chain: compile_chain,
    TaskGraph: compile_tasks,
    Parallel: compile_parallel,
    StateMachine: compile_machine,
    BehaviorTree: compile_tree,
    Saga: compile_saga,
    MapPattern: compile_mapping,
    Vote: compile_vote,
    Debate: compile_debate,
    Handoff: compile_handoff,
    Blackboard: compile_blackboard,
    Gossip: compile_gossip,
    Consensus: compile_consensus,
    Routing: compile_routing,
    EvaluatorOptimizer: compile_evaluator,
    OrchestratorWorkers: compile_orchestrator,
    Graph: compile_graph,
    PlanPattern: compile_plan,
}
"""The compiler of each kind of pattern."""

STEPS: Mapping[type, StepCompiler] = {
    AgentStep: compile_agent,
    ToolStep: compile_tool,
    HitlStep: compile_person,
    WaitStep: compile_wait,
    SetStep: compile_set,
    ChooseStep: compile_choose,
    MapStep: compile_map,
    FirstOfStep: compile_first_of,
    PatternStep: compile_pattern_step,
    WorkflowStep: compile_workflow_step,
}
"""The compiler of each kind of step."""


def compiler_for(workflow: Workflow) -> Compiler:
    """The compiler of `workflow`."""
    return Compiler(workflow=workflow, patterns=PATTERNS, steps=STEPS, opening=opening_prompt(workflow))
