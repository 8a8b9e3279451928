"""Patterns: the way in which the agents of a workflow work together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from weft.python.build.options import (
    BlackboardOptions,
    ConsensusOptions,
    DebateOptions,
    EachOptions,
    EvaluatorOptions,
    GossipOptions,
    HandoffOptions,
    Join,
    MemberOptions,
    OrchestratorOptions,
    PlanOptions,
    RoutingOptions,
    VoteOptions,
    WriterOptions,
)
from weft.python.build.parts import Part, part
from weft.python.build.steps import Do

Entry = str | Part


def chain(*steps: Part) -> Part:
    """Steps one after the other."""
    return _pattern("chain", {"steps": list(steps)})


def tasks(*given: Part, join: Join | None = None) -> Part:
    """Tasks with dependencies (the language's `workflow`); make them with `task`."""
    return _pattern("workflow", {"tasks": list(given), "join": join})


def branch(id: str, *steps: Part) -> Part:  # noqa: A002 -- the language's word
    """One branch of `parallel`."""
    return part({"id": id, "steps": list(steps)})


def parallel(*branches: Part, reduce: Part | None = None, join: Join | None = None) -> Part:
    """Branches at the same time, and a step that puts their results together."""
    return _pattern("parallel", {"branches": list(branches), "reduce": reduce, "join": join})


def route(*steps: Part, description: str | None = None) -> Part:
    """One route of `routing`; the description tells the router when to take it."""
    return part({"description": description, "then": list(steps)})


def routing(
    router: str, routes: Mapping[str, Part], *, default: str | None = None, **options: Unpack[RoutingOptions]
) -> Part:
    """An agent picks one of several routes."""
    return _pattern(
        "routing", {"router": part({"agent": router, **options}), "routes": dict(routes), "default": default}
    )


def evaluator_optimizer(producer: str, evaluator: str, min_score: float, **options: Unpack[EvaluatorOptions]) -> Part:
    """Draft, score and revise until the score is good enough."""
    score = part({"min_score": min_score, "max_iters": options.get("max_iters"), "patience": options.get("patience")})
    return _pattern(
        "evaluator_optimizer",
        {
            "producer": producer,
            "evaluator": part({"agent": evaluator, "input": options.get("input")}),
            "accept": score,
            "revise_prompt": options.get("revise_prompt"),
            "review_gate": options.get("review_gate"),
        },
    )


def orchestrator_workers(orchestrator: str, worker: str, **options: Unpack[OrchestratorOptions]) -> Part:
    """An agent splits the work at run time, workers do the pieces."""
    limits = part({name: options.get(name) for name in ("max_workers", "max_rounds")})
    reviews = {name: options.get(name) for name in ("decomposition_review", "reduce_review", "reduce", "writeup")}
    return _pattern(
        "orchestrator_workers",
        {
            "orchestrator": part({"agent": orchestrator, "input": options.get("input"), "limits": limits or None}),
            "worker_template": part({"agent": worker, "tools": options.get("tools")}),
            **reviews,
        },
    )


def edge(source: str, *to: str) -> Part:
    """An edge of `graph` that is always taken."""
    return part({"from": source, "to": list(to)})


def choice(source: str, ways: Mapping[str, str]) -> Part:
    """An edge of `graph` whose target depends on conditions: the first that holds, ``else`` otherwise."""
    return part({"from": source, "choose": [part({"when": when, "to": to}) for when, to in ways.items()]})


def graph(nodes: Mapping[str, Part], edges: Sequence[Part], *, max_iterations: int | None = None) -> Part:
    """Nodes and edges, with conditions and cycles; it begins at the first node."""
    return _pattern("graph", {"nodes": dict(nodes), "edges": list(edges), "max_iterations": max_iterations})


def mapping(
    items: str | Sequence[Any],
    do: Do,
    *,
    item: str | None = None,
    reduce: Part | None = None,
    **rule: Unpack[EachOptions],
) -> Part:
    """The same steps for each item of a list (the language's `map`), and a step that puts the results together."""
    return _pattern("map", {"items": items, "as": item, "do": do, "reduce": reduce, **rule})


def undoable(do: Do, compensate: Do | None = None, *, id: str | None = None) -> Part:  # noqa: A002 -- the language's word
    """A step of `saga`, and what undoes it."""
    return part({"do": do, "compensate": compensate, "id": id})


def saga(*steps: Part, compensation_retries: int | None = None, on_failure: str | None = None) -> Part:
    """Steps in order; when one fails, those that are done are undone, the latest first."""
    return _pattern(
        "saga", {"steps": list(steps), "compensation_retries": compensation_retries, "on_failure": on_failure}
    )


def member(agent: str, **options: Unpack[MemberOptions]) -> Part:
    """One who takes part in `vote`, `debate`, `gossip` or `consensus`, or several that share an agent."""
    return part({"agent": agent, **options})


def judge(agent: str, input: str | None = None) -> Part:  # noqa: A002 -- the language's word
    """An agent that decides, or sums up."""
    return part({"agent": agent, "input": input})


def vote(*agents: Entry, **options: Unpack[VoteOptions]) -> Part:
    """Agents answer the same question, and a rule says which answer wins."""
    return _pattern("vote", {"agents": list(agents), **options})


def debate(*agents: Entry, **options: Unpack[DebateOptions]) -> Part:
    """Agents argue in rounds; a judge sums up."""
    return _pattern("debate", {"agents": list(agents), **options})


def passes(*to: str, description: str | None = None, input: str | None = None) -> Part:  # noqa: A002 -- the language's word
    """To whom an agent of `handoff` may pass the conversation, and what others know of it."""
    return part({"to": list(to) or None, "description": description, "input": input})


def handoff(start: str, agents: Mapping[str, Part], **options: Unpack[HandoffOptions]) -> Part:
    """An agent answers, or passes the conversation to another one."""
    return _pattern("handoff", {"start": start, "agents": dict(agents), **options})


def section(description: str | None = None, *, initial: str | None = None) -> Part:
    """A section of a blackboard."""
    return part({"description": description, "initial": initial})


def writer(agent: str, **options: Unpack[WriterOptions]) -> Part:
    """An agent at a blackboard."""
    return part({"agent": agent, **options})


def blackboard(sections: Mapping[str, Part], agents: Sequence[Part], **options: Unpack[BlackboardOptions]) -> Part:
    """Agents read and write one board until nobody changes it any more."""
    return _pattern("blackboard", {"sections": dict(sections), "agents": list(agents), **options})


def gossip(*agents: Entry, **options: Unpack[GossipOptions]) -> Part:
    """Facts spread among many."""
    return _pattern("gossip", {"agents": list(agents), **options})


def consensus(*agents: Entry, **options: Unpack[ConsensusOptions]) -> Part:
    """Many agree on one decision."""
    return _pattern("consensus", {"agents": list(agents), **options})


def plan(request: str, **options: Unpack[PlanOptions]) -> Part:
    """A plan is made of a request at run time, from what the agents can do."""
    return _pattern("plan", {"request": request, **options})


def _pattern(kind: str, config: Mapping[str, Any]) -> Part:
    return part({"type": kind, "config": part(config)})
