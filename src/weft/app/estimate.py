"""What a run may take, as far as its plan tells: calls, model requests and limits. What nobody can know before is left open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from typing import Any

from pydantic_ai.usage import RequestUsage

from weft.agents.builder import model_ref
from weft.agents.performer import REQUESTS
from weft.models.prices import price
from weft.plan.codec import to_json
from weft.plan.nodes import (
    Block,
    Budget,
    Call,
    Child,
    Choose,
    Gate,
    Graph,
    Loop,
    Machine,
    Map,
    Node,
    Plan,
    Program,
    Select,
    Sequence,
    Set,
    Wait,
)

_DEEPEST = 60
_PRICED = 1_000
"""Tokens whose price is asked for: few enough to be on the first step of every price list."""
LATER = "(known at run time)"


@dataclass(frozen=True, slots=True)
class Bounds:
    """At least and at most so many; `high` is None where nobody can say before."""

    low: int = 0
    high: int | None = 0

    def __add__(self, other: Bounds) -> Bounds:
        """Both, one after the other."""
        high = None if self.high is None or other.high is None else self.high + other.high
        return Bounds(self.low + other.low, high)

    def __or__(self, other: Bounds) -> Bounds:
        """One of the two."""
        high = None if self.high is None or other.high is None else max(self.high, other.high)
        return Bounds(min(self.low, other.low), high)

    def times(self, low: int, high: int | None) -> Bounds:
        """So many times."""
        most = 0 if self.high == 0 else None if self.high is None or high is None else self.high * high
        return Bounds(self.low * low, most)

    def as_json(self) -> dict[str, int | None]:
        """The bounds as plain data."""
        return {"low": self.low, "high": self.high}


Counts = Mapping[tuple[str, str], Bounds]
"""How often each thing is done, by what it is (``agent``, ``tool``, ``gate``, ``run``…) and its name."""
_NONE: Counts = {}
_NEVER = Bounds()


def _both(one: Counts, other: Counts) -> Counts:
    return {key: one.get(key, _NEVER) + other.get(key, _NEVER) for key in {**one, **other}}


def _either(one: Counts, other: Counts) -> Counts:
    return {key: one.get(key, _NEVER) | other.get(key, _NEVER) for key in {**one, **other}}


def _all(parts: Iterable[Counts]) -> Counts:
    return reduce(_both, parts, _NONE)


def _any(parts: Iterable[Counts]) -> Counts:
    found = list(parts)
    return reduce(_either, found[1:], found[0]) if found else _NONE


def _times(counts: Counts, low: int, high: int | None) -> Counts:
    return {key: bounds.times(low, high) for key, bounds in counts.items()}


def counts(node: Node, plan: Plan, depth: int = 0) -> Counts:  # noqa: C901, PLR0911, PLR0912 -- one arm for each kind of node
    """How often each thing inside `node` is done in a run that completes and in which nothing is tried again."""
    if depth > _DEEPEST:
        return {("run", LATER): Bounds(0, None)}

    def inside(part: Node) -> Counts:
        return counts(part, plan, depth + 1)

    match node:
        case Call():
            return {(node.performer, node.target): Bounds(1, 1)}
        case Sequence():
            return _all(map(inside, node.children))
        case Graph():
            parts = [inside(child) for child in node.children]
            every = _all(parts)
            return every if node.join.policy in {"all", "best_effort"} else _least(every, _any(parts))
        case Select():
            parts = [inside(child) for child in node.children]
            return _least(_all(parts), _any(parts))
        case Choose():
            parts = [inside(branch.node) for branch in node.branches]
            parts += [inside(node.otherwise)] if node.otherwise else [] if node.required else [_NONE]
            return _any(parts)
        case Loop():
            return _times(inside(node.body), 1, node.max_iterations)
        case Map():
            return _times(inside(node.body), 0, None)
        case Gate() | Wait():
            return {(type(node).__name__.lower(), node.name): Bounds(1, 1)}
        case Set():
            return _NONE
        case Machine():
            states = [state for state in node.states if state.body is not None]
            bodies = {state.name: inside(state.body) for state in states if state.body is not None}
            return _all(_times(body, int(name == node.start), node.max_visits) for name, body in bodies.items())
        case Child():
            return _child(node, plan, depth)
        case Block():
            undo = _times(_all(map(inside, node.compensations.values())), 0, 1)
            return _both(inside(node.body), undo)
        case Program():
            # What a function asks for is known when it has asked.
            agents = {("agent", name): Bounds(0, None) for name in plan.definitions.get("agents") or {}}
            return {("function", node.function): Bounds(1, 1), **agents}


def _least(most: Counts, least: Counts) -> Counts:
    return {key: Bounds(least[key].low if key in least else 0, bounds.high) for key, bounds in most.items()}


def _child(node: Child, plan: Plan, depth: int) -> Counts:
    known = plan.children.get(node.plan) if node.plan is not None else None
    if known is None:
        # A plan that is made at run time may do anything with the agents that there are.
        agents = {("agent", name): Bounds(0, None) for name in plan.definitions.get("agents") or {}}
        return {("run", LATER): Bounds(1, 1), **agents}
    own: Counts = {("run", known.workflow): Bounds(1, 1)}
    return _both(own, {_of(key, known, plan): bounds for key, bounds in counts(known.root, known, depth + 1).items()})


def _of(key: tuple[str, str], child: Plan, plan: Plan) -> tuple[str, str]:
    """A thing of a child run: agents of another workflow are named with it."""
    kind, name = key
    return (kind, name) if kind != "agent" or child.workflow == plan.workflow else (kind, _full(name, child))


def _full(name: str, child: Plan) -> str:
    return name if "/" in name else f"{child.workflow}/{name}"


def estimate(plan: Plan) -> dict[str, Any]:
    """What a run of `plan` may take, as plain data."""
    done = counts(plan.root, plan)
    models = _models(done, dict(_agents(plan)))
    calls: dict[str, Bounds] = {}
    for (kind, _), bounds in sorted(done.items()):
        calls[kind] = calls.get(kind, _NEVER) + bounds
    budget = plan.root.budget if isinstance(plan.root, Block) else None
    return {
        "calls": {kind: bounds.as_json() for kind, bounds in calls.items()},
        "steps": [{"kind": kind, "name": name, **bounds.as_json()} for (kind, name), bounds in sorted(done.items())],
        "models": models,
        "limits": _limits(budget),
        "unpriced": [row["model"] for row in models if row["input_usd_per_million"] is None],
        "open": sorted({f"{kind} {name}".strip() for (kind, name), bounds in done.items() if bounds.high is None}),
    }


def _models(done: Counts, agents: Mapping[str, tuple[Mapping[str, Any], bool]]) -> list[dict[str, Any]]:
    """For each model, how many requests go to it and how many tokens it may answer with, and its price."""
    requests: dict[str, Bounds] = {}
    output: dict[str, Bounds] = {}
    rows: dict[str, dict[str, Any]] = {}
    for (kind, name), bounds in done.items():
        if kind != "agent" or name not in agents:
            continue
        definition, single = agents[name]
        model = str(definition["model"])
        asked = bounds.times(1, 1 if single else REQUESTS)
        limit = (definition.get("inference") or {}).get("max_tokens")
        requests[model] = requests.get(model, _NEVER) + asked
        output[model] = output.get(model, _NEVER) + asked.times(0, limit)
        rows.setdefault(model, _prices(definition))
    return [
        {"model": model, "requests": requests[model].as_json(), "output_tokens_at_most": output[model].high, **row}
        for model, row in sorted(rows.items())
    ]


def _agents(plan: Plan) -> Iterable[tuple[str, tuple[Mapping[str, Any], bool]]]:
    """The agents of a plan and of the plans in it, each with whether one request is all that a call of it makes."""
    for child in plan.children.values():
        for name, found in _agents(child):
            yield (name if child.workflow == plan.workflow else _full(name, child)), found
    shortens = bool((plan.definitions.get("context_policy") or {}).get("compaction"))
    common = plan.definitions.get("common_tools")
    typed = set(_typed(to_json(plan)["root"]))
    for name, definition in (plan.definitions.get("agents") or {}).items():
        more = definition.get("tools") or common or definition.get("output_schema") or shortens or name in typed
        yield name, (definition, not more)


def _typed(node: Any) -> Iterable[str]:
    """The agents that are asked for an answer with a schema somewhere in a plan: one that does not fit is asked for again."""
    if isinstance(node, dict):
        if node.get("performer") == "agent" and (node.get("input") or {}).get("answer"):
            yield str(node["target"])
        for part in node.values():
            yield from _typed(part)
    elif isinstance(node, list):
        for part in node:
            yield from _typed(part)


def _prices(definition: Mapping[str, Any]) -> dict[str, str | None]:
    ref = model_ref(definition)
    sides = (RequestUsage(input_tokens=_PRICED), RequestUsage(output_tokens=_PRICED))
    told = [
        None if one is None else f"{(one * (1_000_000 // _PRICED)).normalize():f}"
        for one in (price(side, ref) for side in sides)
    ]
    return {"input_usd_per_million": told[0], "output_usd_per_million": told[1]}


def _limits(budget: Budget | None) -> dict[str, Any]:
    if budget is None:
        return {"max_tokens": None, "max_cost_usd": None, "max_steps": None, "max_duration_s": None}
    return {
        "max_tokens": budget.max_tokens,
        "max_cost_usd": None if budget.max_cost is None else f"{Decimal(budget.max_cost):f}",
        "max_steps": budget.max_steps,
        "max_duration_s": budget.max_duration_s,
    }
