from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from weft.spec.model.base import Identifier, Name, Scalar, Section, Text, addition
from weft.spec.model.behavior import BehaviorTree
from weft.spec.model.flow import TaggedFlowStep
from weft.spec.model.joins import Join
from weft.spec.model.late import bind
from weft.spec.model.machine import StateMachine
from weft.spec.model.mapping import MapPattern
from weft.spec.model.planning import PlanPattern
from weft.spec.model.runtime import Count
from weft.spec.model.saga import Saga
from weft.spec.model.steps import AgentStep, HitlStep, Step, Task, ToolStep, step_kind
from weft.spec.model.swarm import Blackboard, Consensus, Debate, Gossip, Handoff, Vote


class ChainConfig(Section):
    """Steps one after the other."""

    steps: Annotated[list[Step], Field(min_length=1)]


class WorkflowConfig(Section):
    """Tasks with dependencies."""

    tasks: Annotated[list[Task], Field(min_length=1)]
    join: Join = addition(default="all")


class ParallelBranch(Section):
    """One branch of a fan-out."""

    id: Identifier
    steps: Annotated[list[Step], Field(min_length=1)]


class ParallelConfig(Section):
    """Branches at the same time, and a step that puts their results together."""

    branches: Annotated[list[ParallelBranch], Field(min_length=2)]
    reduce: Step | None = None
    join: Join = addition(default="all")


class Router(Section):
    """The agent that picks a route."""

    agent: Identifier
    input: str | None = None
    max_retries: Annotated[int, Field(ge=0)] = 2
    review_router: HitlStep | None = None


class Route(Section):
    """What to do when the router picks this route; `description` tells the router when to."""

    description: str = addition(default="")
    then: Annotated[list[Step], Field(min_length=1)]


class RoutingConfig(Section):
    """An agent picks one of several chains; `default` is taken when its choice cannot be used."""

    router: Router
    routes: Annotated[dict[Name, Route], Field(min_length=1)]
    default: Name | None = addition()


class Evaluator(Section):
    """The agent that scores a draft."""

    agent: Identifier
    input: str | None = None


class Accept(Section):
    """When a draft is good enough, and how often to try.

    With `patience`, so many evaluations without a better score than before end it early.
    """

    min_score: Annotated[float, Field(ge=0, le=100)]
    max_iters: Count = 3
    patience: Count | None = addition()


class EvaluatorConfig(Section):
    """Draft, score and revise until the score is good enough."""

    producer: Identifier
    evaluator: Evaluator
    accept: Accept
    revise_prompt: str | None = None
    review_gate: HitlStep | None = None


class OrchestratorLimits(Section):
    """How many workers at once, and how many rounds."""

    max_workers: Count | None = None
    max_rounds: Count | None = None


class Orchestrator(Section):
    """The agent that splits the work."""

    agent: Identifier
    input: str | None = None
    limits: OrchestratorLimits = OrchestratorLimits.model_construct()


class WorkerTemplate(Section):
    """The agent that does each piece."""

    agent: Identifier
    tools: list[Name] | None = None


class OrchestratorConfig(Section):
    """An agent splits the work at run time, workers do the pieces."""

    orchestrator: Orchestrator
    decomposition_review: HitlStep | None = None
    worker_template: WorkerTemplate
    reduce_review: HitlStep | None = None
    reduce: Step | None = None
    writeup: Step | None = None


class AgentNode(AgentStep):
    """A node where an agent works."""

    vars: dict[str, Scalar] = addition(default={})
    tool_overrides: list[Name] | None = addition()


GraphNode = Annotated[
    Annotated[AgentNode, Tag("<agent>")]
    | Annotated[ToolStep, Tag("<tool>")]
    | Annotated[HitlStep, Tag("<person>")]
    | TaggedFlowStep,
    Discriminator(step_kind),
]


class Choice(Section):
    """A target and the condition under which it is taken."""

    when: Text
    to: Identifier


class PlainEdge(Section):
    """An edge that is always taken."""

    source: Identifier = Field(alias="from")
    to: Annotated[list[Identifier], Field(min_length=1)]


class ChoiceEdge(Section):
    """An edge whose target depends on conditions."""

    source: Identifier = Field(alias="from")
    choose: Annotated[list[Choice], Field(min_length=1)]


def _edge_kind(value: Any) -> str:
    chooses = "choose" in value if isinstance(value, dict) else isinstance(value, ChoiceEdge)
    return "<choose>" if chooses else "<to>"


Edge = Annotated[Annotated[PlainEdge, Tag("<to>")] | Annotated[ChoiceEdge, Tag("<choose>")], Discriminator(_edge_kind)]


class GraphConfig(Section):
    """Nodes and edges, with conditions and cycles."""

    nodes: Annotated[dict[Identifier, GraphNode], Field(min_length=1)]
    edges: Annotated[list[Edge], Field(min_length=1)]
    max_iterations: Count = 10


class Chain(Section):
    """``type: chain``."""

    type: Literal["chain"]
    config: ChainConfig


class TaskGraph(Section):
    """``type: workflow``."""

    type: Literal["workflow"]
    config: WorkflowConfig


class Parallel(Section):
    """``type: parallel``."""

    type: Literal["parallel"]
    config: ParallelConfig


class Routing(Section):
    """``type: routing``."""

    type: Literal["routing"]
    config: RoutingConfig


class EvaluatorOptimizer(Section):
    """``type: evaluator_optimizer``."""

    type: Literal["evaluator_optimizer"]
    config: EvaluatorConfig


class OrchestratorWorkers(Section):
    """``type: orchestrator_workers``."""

    type: Literal["orchestrator_workers"]
    config: OrchestratorConfig


class Graph(Section):
    """``type: graph``."""

    type: Literal["graph"]
    config: GraphConfig


Pattern = Annotated[
    Chain
    | TaskGraph
    | Parallel
    | Routing
    | EvaluatorOptimizer
    | OrchestratorWorkers
    | Graph
    | StateMachine
    | BehaviorTree
    | Saga
    | MapPattern
    | Vote
    | Debate
    | Handoff
    | Blackboard
    | Gossip
    | Consensus
    | PlanPattern,
    Discriminator("type"),
]
bind("pattern", Pattern)
