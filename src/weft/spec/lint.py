"""What a well-formed document can still get wrong: names that lead nowhere, orders that cannot be, values that do not fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from weft.core.errors import Problem
from weft.spec.lint_automation import automation_problems
from weft.spec.lint_flow import flow_problems
from weft.spec.lint_people import people_problems
from weft.spec.lint_schemas import schema_problems
from weft.spec.lint_swarm import swarm_problems
from weft.spec.lint_templates import template_problems
from weft.spec.model.agents import Agent
from weft.spec.model.base import Pointer, walk
from weft.spec.model.context import Retrieval
from weft.spec.model.joins import JoinRule
from weft.spec.model.patterns import (
    Chain,
    ChoiceEdge,
    EvaluatorConfig,
    Graph,
    Parallel,
    PlainEdge,
    Routing,
    TaskGraph,
    WorkerTemplate,
)
from weft.spec.model.planning import PlanConfig
from weft.spec.model.steps import AgentStep, Step, ToolStep
from weft.spec.model.workflow import Workflow
from weft.spec.suggest import did_you_mean
from weft.spec.support import BUILTIN_TOOLS, builtin_id, is_callable
from weft.spec.tasks import cycle
from weft.spec.toolnames import mcp_tool, tool_names
from weft.spec.tree import Source
from weft.spec.values import value_problems

_Group = tuple[Pointer, list[tuple[Pointer, str]]]
"""Ids that must differ from each other: where they stand, and each with its place in there."""


def lint(workflow: Workflow, source: Source) -> list[Problem]:
    """Every semantic problem of `workflow`, errors and warnings, with its place in `source`."""
    return [
        *_version(workflow, source),
        *_tags(workflow, source),
        *_mounts(workflow, source),
        *_agents(workflow, source),
        *_tools(workflow, source),
        *_servers(workflow, source),
        *_tasks(workflow, source),
        *_duplicates(workflow, source),
        *_joins(workflow, source),
        *swarm_problems(workflow, source),
        *flow_problems(workflow, source),
        *people_problems(workflow, source),
        *automation_problems(workflow, source),
        *value_problems(workflow, source),
        *schema_problems(workflow, source),
        *template_problems(workflow, source),
    ]


def _mounts(workflow: Workflow, source: Source) -> Iterator[Problem]:
    """Mounts were never used by anything: they are said to be of no use, and keep no file from running."""
    for name in workflow.env.mounts:
        yield source.problem(
            "mounts",
            ("env", "mounts", name),
            f"the mount {name!r} is of no use: no tool or template reads it",
            "remove it; tools read the files of the working folder",
            severity="warning",
        )


def _version(workflow: Workflow, source: Source) -> Iterator[Problem]:
    if workflow.major not in {"0", "1"}:
        yield source.problem(
            "version", ("version",), f"version {workflow.version!r} is not known", "write `version: 0` or `version: 1`"
        )
    if workflow.major != "0":
        return
    for pointer, section in walk(workflow):
        for name, info in type(section).model_fields.items():
            extra = info.json_schema_extra
            if name in section.model_fields_set and isinstance(extra, dict) and extra.get("since") == "1":
                key = info.alias or name
                yield source.problem(
                    "newer-key",
                    (*pointer, key),
                    f"{key!r} is not part of version 0 of the language",
                    "write `version: 1`",
                    severity="warning",
                )


def _tags(workflow: Workflow, source: Source) -> Iterator[Problem]:
    seen: set[str] = set()
    for place, tag in enumerate(workflow.tags):
        if tag in seen:
            yield source.problem(
                "duplicate-id", ("tags", place), f"the tag {tag!r} is here twice", "remove one of them"
            )
        seen.add(tag)


def _agents(workflow: Workflow, source: Source) -> Iterator[Problem]:
    for pointer, name in _agent_uses(workflow):
        if name not in workflow.agents:
            fix = did_you_mean(name, workflow.agents, noun="agents here")
            yield source.problem("unknown-agent", pointer, f"there is no agent {name!r}", fix)


def _agent_uses(workflow: Workflow) -> Iterator[tuple[Pointer, str]]:
    for pointer, section in walk(workflow.pattern, ("pattern",)):
        if isinstance(section, EvaluatorConfig):
            yield (*pointer, "producer"), section.producer
        if isinstance(section, PlanConfig):
            yield from (((*pointer, "agents", place), name) for place, name in enumerate(section.agents or ()))
            if section.writer is not None:
                yield (*pointer, "writer"), section.writer
        if isinstance(name := getattr(section, "agent", None), str):
            yield (*pointer, "agent"), name


def _tools(workflow: Workflow, source: Source) -> Iterator[Problem]:
    known = tool_names(workflow)
    for pointer, name in _tool_uses(workflow):
        if name in known or builtin_id(name) or mcp_tool(name, workflow) or _reported_elsewhere(name):
            continue
        if workflow.tools.mcp:
            # A server may have a tool of that name, which only asking it would tell.
            fix = f"write {workflow.tools.mcp[0].id}:{name} if it is a tool of that MCP server"
            yield source.problem(
                "unknown-tool", pointer, f"there is no tool {name!r} in this file", fix, severity="warning"
            )
            continue
        fix = did_you_mean(name, {*known, *BUILTIN_TOOLS}, noun="tools here")
        yield source.problem("unknown-tool", pointer, f"there is no tool {name!r}", fix)
    for place, tool in enumerate(workflow.tools.python_tools()):
        name = tool.callable
        if not (builtin_id(name) or is_callable(name) or _reported_elsewhere(name)):
            spot: Pointer = ("tools", "python", place)
            if not isinstance(workflow.tools.python[place], str):
                spot = (*spot, "callable")
            fix = (
                did_you_mean(name, BUILTIN_TOOLS, noun="built in")
                + " (a function is 'package.module:function' or './file.py:function')"
            )
            yield source.problem("unknown-tool", spot, f"there is no built-in tool {name!r}", fix)


def _reported_elsewhere(name: str) -> bool:
    """Whether the name is known but unsupported, which `weft.spec.support` says."""
    return name.startswith("strands_tools.")


def _tool_uses(workflow: Workflow) -> Iterator[tuple[Pointer, str]]:
    for pointer, section in walk(workflow):
        if isinstance(section, ToolStep):
            yield (*pointer, "tool"), section.tool
        elif isinstance(section, AgentStep):
            yield from _listed((*pointer, "tool_overrides"), section.tool_overrides)
        elif isinstance(section, (Agent, WorkerTemplate)):
            yield from _listed((*pointer, "tools"), section.tools)
        elif isinstance(section, Retrieval):
            yield from _listed((*pointer, "jit_tools"), section.jit_tools)


def _servers(workflow: Workflow, source: Source) -> Iterator[Problem]:
    policy = workflow.context_policy
    known = [server.id for server in workflow.tools.mcp]
    for place, name in enumerate(policy.retrieval.mcp_servers if policy and policy.retrieval else ()):
        if name not in known:
            pointer: Pointer = ("context_policy", "retrieval", "mcp_servers", place)
            fix = did_you_mean(name, known, noun="servers here")
            yield source.problem("unknown-server", pointer, f"there is no MCP server {name!r}", fix)


def _listed(pointer: Pointer, names: list[str] | None) -> Iterator[tuple[Pointer, str]]:
    return (((*pointer, place), name) for place, name in enumerate(names or ()))


def _tasks(workflow: Workflow, source: Source) -> Iterator[Problem]:
    if not isinstance(workflow.pattern, TaskGraph):
        return
    tasks = workflow.pattern.config.tasks
    base: Pointer = ("pattern", "config", "tasks")
    ids = [task.id for task in tasks]
    known = frozenset(ids)
    for place, task in enumerate(tasks):
        seen: set[str] = set()
        for spot, dep in enumerate(task.deps):
            pointer = (*base, place, "deps", spot)
            if dep not in known:
                fix = did_you_mean(dep, ids, noun="tasks here")
                yield source.problem("unknown-task", pointer, f"there is no task {dep!r}", fix)
            elif dep in seen:
                yield source.problem("duplicate-id", pointer, f"{dep!r} is in `deps` twice", "remove one of them")
            seen.add(dep)
    if ring := cycle(tasks):
        place = ids.index(ring[0])
        message = f"the tasks wait for each other: {' → '.join(ring[:20])}"
        yield source.problem("cycle", (*base, place, "deps"), message, "remove one of these dependencies")


def _duplicates(workflow: Workflow, source: Source) -> Iterator[Problem]:
    groups: list[_Group] = [
        (("tools",), list(_tool_ids(workflow))),
        (("skills",), [((place, "id"), skill.id) for place, skill in enumerate(workflow.skills)]),
        (("env", "secrets"), [((place,), secret.alias) for place, secret in enumerate(workflow.env.secrets)]),
        (("tools", "mcp"), [((place, "id"), server.id) for place, server in enumerate(workflow.tools.mcp)]),
        *_pattern_ids(workflow),
    ]
    for pointer, names in groups:
        seen: set[str] = set()
        for spot, name in names:
            if name in seen:
                yield source.problem(
                    "duplicate-id", (*pointer, *spot), f"{name!r} is here twice", "give each its own name"
                )
            seen.add(name)


def _tool_ids(workflow: Workflow) -> Iterator[tuple[Pointer, str]]:
    for place, tool in enumerate(workflow.tools.python_tools()):
        yield ("python", place), tool.id or builtin_id(tool.callable) or tool.callable
    for place, executor in enumerate(workflow.tools.http_executors):
        yield ("http_executors", place, "id"), executor.id


def _pattern_ids(workflow: Workflow) -> Iterator[_Group]:
    pattern = workflow.pattern
    base: Pointer = ("pattern", "config")
    if isinstance(pattern, Chain):
        yield (*base, "steps"), _step_ids(pattern.config.steps)
    elif isinstance(pattern, TaskGraph):
        yield (*base, "tasks"), [((place, "id"), task.id) for place, task in enumerate(pattern.config.tasks)]
    elif isinstance(pattern, Parallel):
        branches = pattern.config.branches
        yield (*base, "branches"), [((place, "id"), branch.id) for place, branch in enumerate(branches)]
        for place, branch in enumerate(branches):
            yield (*base, "branches", place, "steps"), _step_ids(branch.steps)
    elif isinstance(pattern, Routing):
        for route, entry in pattern.config.routes.items():
            yield (*base, "routes", route, "then"), _step_ids(entry.then)


def _step_ids(steps: Iterable[Step]) -> list[tuple[Pointer, str]]:
    return [((place, "id"), step.id) for place, step in enumerate(steps) if step.id is not None]


def _joins(workflow: Workflow, source: Source) -> Iterator[Problem]:
    pattern = workflow.pattern
    if isinstance(pattern, Graph):
        for place, edge in enumerate(pattern.config.edges):
            yield from _edge(pattern, edge, ("pattern", "config", "edges", place), source)
        yield from _unreachable(pattern, source)
    elif isinstance(pattern, Routing):
        yield from _route(pattern, source)
    if not isinstance(pattern, (Parallel, TaskGraph)):
        return
    join = pattern.config.join
    spot: Pointer = ("pattern", "config", "join", "quorum")
    count = len(pattern.config.branches if isinstance(pattern, Parallel) else pattern.config.tasks)
    if not isinstance(join, JoinRule) or join.quorum is None:
        return
    if join.policy != "quorum":
        yield source.problem("join", spot, f"`quorum` has no meaning with {join.policy!r}", "write `policy: quorum`")
    elif join.quorum > count:
        yield source.problem(
            "join", spot, f"a quorum of {join.quorum} of {count} cannot be reached", f"at most {count}"
        )


def _route(pattern: Routing, source: Source) -> Iterator[Problem]:
    name = pattern.config.default
    if name is not None and name not in pattern.config.routes:
        fix = did_you_mean(name, pattern.config.routes, noun="routes here")
        spot: Pointer = ("pattern", "config", "default")
        yield source.problem("unknown-route", spot, f"there is no route {name!r}", fix)


def _unreachable(pattern: Graph, source: Source) -> Iterator[Problem]:
    """Nodes that no way from the first one leads to."""
    nodes = pattern.config.nodes
    pending = [next(iter(nodes))]
    reached: set[str] = set()
    while pending:
        name = pending.pop()
        if name in reached:
            continue
        reached.add(name)
        for edge in pattern.config.edges:
            if edge.source == name:
                pending += [choice.to for choice in edge.choose] if isinstance(edge, ChoiceEdge) else edge.to
    for name in nodes:
        if name not in reached:
            message = f"no edge leads from the first node to {name!r}"
            fix = "add an edge, or put the node first if the graph begins there"
            yield source.problem("unreachable", ("pattern", "config", "nodes", name), message, fix, severity="warning")


def _edge(pattern: Graph, edge: PlainEdge | ChoiceEdge, pointer: Pointer, source: Source) -> Iterator[Problem]:
    targets: list[tuple[Pointer, str]] = [(("from",), edge.source)]
    if isinstance(edge, PlainEdge):
        targets += [(("to", place), name) for place, name in enumerate(edge.to)]
    else:
        targets += [(("choose", place, "to"), choice.to) for place, choice in enumerate(edge.choose)]
    for spot, name in targets:
        if name not in pattern.config.nodes:
            fix = did_you_mean(name, pattern.config.nodes, noun="nodes here")
            yield source.problem("unknown-node", (*pointer, *spot), f"there is no node {name!r}", fix)
