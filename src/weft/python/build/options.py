"""What may be said of the parts of a document besides what makes them: the fields of the language, by their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

Join = Literal["all", "quorum", "best_effort", "first"] | Mapping[str, Any]
Effect = Literal["pure", "idempotent", "reconcile", "once"]


class RuntimeOptions(TypedDict, total=False):
    """Of `runtime`."""

    model_id: str
    region: str
    host: str
    temperature: float
    top_p: float
    max_tokens: int
    max_parallel: int
    budgets: Mapping[str, Any]
    failure_policy: Mapping[str, Any]
    space_id: str


class AgentOptions(TypedDict, total=False):
    """Of an agent."""

    tools: Sequence[str]
    provider: str
    model_id: str
    inference: Mapping[str, Any]
    input_schema: str | Mapping[str, Any]
    output_schema: str | Mapping[str, Any]
    api: Literal["chat", "responses"]
    host: str
    base_url: str
    region: str
    approval: Mapping[str, Any]
    card: Mapping[str, Any]


class ToolOptions(TypedDict, total=False):
    """Of a tool that is a Python function."""

    id: str
    effect: Effect
    timeout_s: float
    max_bytes: int
    approval: Any


class AskOptions(TypedDict, total=False):
    """Of a step that asks an agent."""

    vars: Mapping[str, Any]
    tool_overrides: Sequence[str]
    id: str
    timeout_s: float
    retries: int
    history: Literal["none", "agent", "all"]


class UseOptions(TypedDict, total=False):
    """Of a step that uses a tool."""

    id: str
    timeout_s: float
    retries: int


class GateOptions(TypedDict, total=False):
    """Of a step that asks a person."""

    context_display: str
    default: str
    timeout_seconds: int
    validation: Mapping[str, Any]
    id: str
    choices: Sequence[str]
    form: Mapping[str, Any]
    assignees: Sequence[str]
    deadline_s: float
    warn_s: float
    escalate: Mapping[str, Any]
    on_reject: Literal["fail", "continue"]


class WaitOptions(TypedDict, total=False):
    """Of a step that waits."""

    seconds: float | str
    until: str
    signal: str | Mapping[str, Any]
    signals: Sequence[str | Mapping[str, Any]]
    into: str


class StepOptions(TypedDict, total=False):
    """Of a step that steers others."""

    id: str
    timeout_s: float


class EachOptions(TypedDict, total=False):
    """Of the same steps for each item."""

    key: str
    join: Join
    max_parallel: int
    into: str


class RunOptions(TypedDict, total=False):
    """Of a step that runs another workflow."""

    budget: Mapping[str, Any]
    on_cancel: Literal["cancel", "abandon"]
    id: str
    timeout_s: float


class RoutingOptions(TypedDict, total=False):
    """Of `routing`."""

    input: str
    max_retries: int
    review_router: Mapping[str, Any]


class EvaluatorOptions(TypedDict, total=False):
    """Of `evaluator_optimizer`."""

    input: str
    max_iters: int
    patience: int
    revise_prompt: str
    review_gate: Mapping[str, Any]


class OrchestratorOptions(TypedDict, total=False):
    """Of `orchestrator_workers`."""

    input: str
    max_workers: int
    max_rounds: int
    tools: Sequence[str]
    decomposition_review: Mapping[str, Any]
    reduce_review: Mapping[str, Any]
    reduce: Mapping[str, Any]
    writeup: Mapping[str, Any]


class StateOptions(TypedDict, total=False):
    """Of a state of a state machine."""

    entry: Any
    exit: Any
    on: Mapping[str, Any]
    after: Any
    always: Any
    defer: Sequence[str]
    final: bool


class MemberOptions(TypedDict, total=False):
    """Of one who takes part."""

    id: str
    count: int
    weight: float
    input: str


class VoteOptions(TypedDict, total=False):
    """Of `vote`."""

    input: str
    choices: Sequence[str]
    rule: Literal["majority", "plurality", "quorum", "unanimous", "weighted", "judge"]
    quorum: int
    rounds: int
    judge: Mapping[str, Any]
    best_effort: bool


class DebateOptions(TypedDict, total=False):
    """Of `debate`."""

    input: str
    rounds: int
    stop_on_agreement: bool
    max_chars: int
    judge: Mapping[str, Any]


class HandoffOptions(TypedDict, total=False):
    """Of `handoff`."""

    input: str
    max_handoffs: int


class WriterOptions(TypedDict, total=False):
    """Of an agent at a blackboard."""

    id: str
    writes: Sequence[str]
    when: str
    input: str


class BlackboardOptions(TypedDict, total=False):
    """Of `blackboard`."""

    input: str
    until: str
    max_rounds: int
    on_limit: Literal["fail", "finish"]


class GossipOptions(TypedDict, total=False):
    """Of `gossip`."""

    input: str
    facts: Sequence[str]
    believe: str
    fanout: int
    max_rounds: int
    on_limit: Literal["fail", "finish"]
    network: Mapping[str, Any]


class ConsensusOptions(TypedDict, total=False):
    """Of `consensus`."""

    input: str
    choices: Sequence[str]
    quorum: int
    fanout: int
    max_ballots: int
    network: Mapping[str, Any]


class PlanOptions(TypedDict, total=False):
    """Of `plan`."""

    agents: Sequence[str]
    writer: str
    ambiguous: Literal["ask", "reject", "first"]
    approve: bool
    assignees: Sequence[str]
    deadline_s: float
    alternatives: int
    max_steps: int
    cache_s: float
    budget: Mapping[str, Any]
