"""Where templates stand in each pattern, and which names they may read there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from weft.spec.conditions import condition
from weft.spec.model.base import Pointer, Section, walk
from weft.spec.model.patterns import (
    Chain,
    ChoiceEdge,
    EvaluatorOptimizer,
    Graph,
    OrchestratorWorkers,
    Parallel,
    Routing,
    TaskGraph,
)
from weft.spec.model.planning import PlanPattern
from weft.spec.model.steps import AgentStep, HitlStep, ToolStep
from weft.spec.model.workflow import Workflow
from weft.spec.scopes import Site
from weft.spec.sites_swarm import AT_THE_END, swarm_sites
from weft.spec.tasks import Earlier, asking, depths
from weft.spec.texts import texts
from weft.spec.variables import names_set

ROUTER = frozenset({"router", "chosen_route", "router_agent", "last_response"})
DRAFT = frozenset({"draft", "current_draft", "iteration", "min_score", "max_iters", "history", "last_response"})
EVALUATED = DRAFT | {
    "evaluation",
    "current_evaluation",
    "last_evaluation",
    "final_score",
    "iterations",
    "iteration_index",
    "hitl_response",
}
ROUNDS = frozenset({"workers", "round_count", "last_response"})
DECOMPOSED = ROUNDS | {"orchestrator_response", "subtasks", "task_count"}
WORKED = DECOMPOSED | {"num_workers", "worker_count"}
WALKED = frozenset({"nodes", "last_response", "terminal_node"})

Sites = Iterator[Site]
_ANSWER = frozenset({"hitl_response"})
_NONE: frozenset[str] = frozenset()


def sites(workflow: Workflow) -> Sites:
    """Every place with templates in the pattern of `workflow`, and its artifacts."""
    pattern = workflow.pattern
    found = SITES.get(type(pattern))
    if found is None:
        return
    end = Site()
    for end in found(pattern, ("pattern", "config")):
        if end.texts:
            yield end
    for place, artifact in enumerate(workflow.outputs.artifacts):
        spot = ("outputs", "artifacts", place)
        texts = ((*spot, "path"), artifact.path), ((*spot, "from"), artifact.source)
        yield replace(end, texts=texts, names=end.names | {"TRACE"}, everything={})


def _chain(pattern: Chain, base: Pointer) -> Sites:
    steps = pattern.config.steps
    yield from series(steps, (*base, "steps"))
    names = frozenset({"steps", "last_response", *names_set(steps)})
    yield Site((), names | _answers(steps), steps=len(steps))


def _task_graph(pattern: TaskGraph, base: Pointer) -> Sites:
    tasks = pattern.config.tasks
    depth = depths(tasks)
    asked = asking(tasks)
    ids = frozenset(task.id for task in tasks)
    for place, task in enumerate(tasks):
        earlier = Earlier(depth, depth.get(task.id, 0))
        names = {"tasks"} | ({"last_response"} if task.deps else set())
        if any(name in earlier for name in asked):
            names.add("hitl_response")
        yield Site(
            tuple(texts(task, (*base, "tasks", place))),
            frozenset(names) | _vars(task),
            keyed={"tasks": earlier},
            everything={"tasks": ids},
        )
    yield Site((), frozenset({"tasks", "last_response"}) | _answers(tasks), keyed={"tasks": ids})


def _parallel(pattern: Parallel, base: Pointer) -> Sites:
    config = pattern.config
    for place, branch in enumerate(config.branches):
        yield from series(branch.steps, (*base, "branches", place, "steps"))
    ids = frozenset(branch.id for branch in config.branches)
    names = frozenset({"branches", "last_response"}).union(*(_answers(branch.steps) for branch in config.branches))
    end = Site((), names, keyed={"branches": ids})
    if config.reduce is not None:
        yield _at(end, config.reduce, (*base, "reduce"))
        end = replace(end, names=names | _answers([config.reduce]))
    yield end


def _routing(pattern: Routing, base: Pointer) -> Sites:
    config = pattern.config
    if config.router.input is not None:
        yield Site((((*base, "router", "input"), config.router.input),))
    names = ROUTER
    if config.router.review_router is not None:
        yield _at(Site(names=names), config.router.review_router, (*base, "router", "review_router"))
        names |= _ANSWER
    for route, entry in config.routes.items():
        yield from series(entry.then, (*base, "routes", route, "then"), names)
    yield Site((), names | _ANSWER | {"steps"})


def _evaluator(pattern: EvaluatorOptimizer, base: Pointer) -> Sites:
    config = pattern.config
    if config.evaluator.input is not None:
        yield Site((((*base, "evaluator", "input"), config.evaluator.input),), EVALUATED)
    if config.revise_prompt is not None:
        yield Site((((*base, "revise_prompt"), config.revise_prompt),), EVALUATED)
    if config.review_gate is not None:
        yield _at(Site(names=EVALUATED), config.review_gate, (*base, "review_gate"))
    yield Site((), EVALUATED)


def _orchestrator(pattern: OrchestratorWorkers, base: Pointer) -> Sites:
    config = pattern.config
    if config.orchestrator.input is not None:
        yield Site((((*base, "orchestrator", "input"), config.orchestrator.input),), ROUNDS)
    names = WORKED
    if config.decomposition_review is not None:
        yield _at(Site(names=DECOMPOSED), config.decomposition_review, (*base, "decomposition_review"))
        names |= _ANSWER
    if config.reduce_review is not None:
        yield _at(Site(names=names), config.reduce_review, (*base, "reduce_review"))
        names |= _ANSWER
    if config.reduce is not None:
        yield _at(Site(names=names), config.reduce, (*base, "reduce"))
        names |= _answers([config.reduce]) | {"reduce_response"}
    if config.writeup is not None:
        yield _at(Site(names=names), config.writeup, (*base, "writeup"))
        names |= _answers([config.writeup]) | {"writeup_response"}
    yield Site((), names)


def _graph(pattern: Graph, base: Pointer) -> Sites:
    config = pattern.config
    ids = frozenset(config.nodes)
    names = WALKED | _answers(list(config.nodes.values()))
    inside = Site((), names, keyed={"nodes": ids})
    for node, entry in config.nodes.items():
        yield _at(inside, entry, (*base, "nodes", node))
    for place, edge in enumerate(config.edges):
        if isinstance(edge, ChoiceEdge):
            spot = (*base, "edges", place, "choose")
            whens = (((*spot, at, "when"), choice.when) for at, choice in enumerate(edge.choose))
            filled = tuple((pointer, f"{{{{ {condition(when)} }}}}") for pointer, when in whens)
            yield replace(inside, texts=filled, names=names | {"total_steps"})
    yield replace(inside, names=names | {"total_steps", "iteration_counts", "cumulative_tokens", "timestamp"})


def _plan(pattern: PlanPattern, base: Pointer) -> Sites:
    yield Site((((*base, "request"), pattern.config.request),))
    yield Site((), frozenset({"last_response", "plan", "results"}))


SITES: Mapping[type, Callable[[Any, Pointer], Sites]] = {
    Chain: _chain,
    TaskGraph: _task_graph,
    Parallel: _parallel,
    Routing: _routing,
    EvaluatorOptimizer: _evaluator,
    OrchestratorWorkers: _orchestrator,
    Graph: _graph,
    PlanPattern: _plan,
    **dict.fromkeys(AT_THE_END, swarm_sites),
}
"""The places of each kind of pattern; the last one of each, without texts, is what artifacts see."""


def series(steps: Sequence[Section], base: Pointer, before: frozenset[str] = _NONE) -> Sites:
    """The places of consecutive steps; `before` are the names that something has filled before the first."""
    names = before | {"steps"}
    for place, step in enumerate(steps):
        yield _at(Site(names=names, steps=place), step, (*base, place))
        names |= _answers([step]) | frozenset(names_set([step])) | {"last_response"}


def _at(site: Site, step: Section, pointer: Pointer) -> Site:
    """The place of a step; what stands in steps that steer others is found by `weft.spec.sites_flow`."""
    own = tuple(texts(step, pointer)) if isinstance(step, (AgentStep, ToolStep, HitlStep)) else ()
    return replace(site, texts=own, names=site.names | _vars(step))


def _answers(steps: Sequence[Section]) -> frozenset[str]:
    """``hitl_response``, when one of the steps asks a person, itself or inside."""
    asks = any(isinstance(section, HitlStep) for step in steps for _pointer, section in walk(step))
    return _ANSWER if asks else _NONE


def _vars(step: Section) -> frozenset[str]:
    return frozenset(step.vars) if isinstance(step, AgentStep) else _NONE
