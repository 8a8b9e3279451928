"""The plan: a tree of a few node kinds, stored as data, that every way to author work compiles into.

A node is frozen data. `name` is its segment in step paths and is unique among its siblings; the root's name is empty.
Expressions (`Expr`) are in the template language of `weft.plan.template` and see the scope at their node.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Json = Any
Expr = str
Effect = Literal["pure", "idempotent", "reconcile", "once"]
"""How a step may be repeated: rerun freely, sent again under the same key, asked about first, or never without a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often and how long to try again after a retryable error. `attempts` counts the first one; waits are seconds."""

    attempts: int = 3
    backoff: Literal["exponential", "constant", "jittered"] = "exponential"
    wait_min: float = 1.0
    wait_max: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Limits for what is inside a block. `max_cost` is US dollars as a decimal string; `max_steps` counts calls."""

    max_tokens: int | None = None
    max_cost: str | None = None
    max_steps: int | None = None
    max_duration_s: float | None = None
    warn_at: float = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """When a fan-out is done and when it has failed.

    ``all``: every child must succeed; the first failure stops the rest. ``quorum``: `quorum` successes are enough.
    ``best_effort``: every child is awaited, failures become values. ``first``: the first success wins.
    """

    policy: Literal["all", "quorum", "best_effort", "first"] = "all"
    quorum: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Perform one agent, tool or artifact.

    `performer` picks who does it (``agent``, ``tool``, ``artifact``), `target` which one. Strings in `input` are templates
    that the performer renders. Calls with the same `conversation` share the messages of their ancestors.
    """

    name: str
    performer: str
    target: str
    input: Mapping[str, Json] = field(default_factory=dict)
    effect: Effect = "idempotent"
    retry: Retry | None = None
    timeout_s: float | None = None
    conversation: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    """Children one after the other; the first failure ends it.

    Inside its own scope each child's value is appended to the list `into` and becomes `last_response`. The value is that of
    the last child, or of the expressions in `value` evaluated in the scope at the end.
    """

    name: str
    children: tuple[Node, ...]
    into: str | None = None
    value: Mapping[str, Expr] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Children as soon as what they depend on is done; without `deps`, all at once.

    Child values are put into the mapping `into` under the child's name. The value is the mapping of child values, or `value`.
    """

    name: str
    children: tuple[Node, ...]
    deps: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    into: str | None = None
    join: Join = Join()
    max_parallel: int | None = None
    value: Mapping[str, Expr] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One arm of a `Choose`."""

    when: Expr
    node: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Choose:
    """The first branch whose condition holds, else `otherwise`, else nothing (value ``null``)."""

    name: str
    branches: tuple[Branch, ...]
    otherwise: Node | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """The body again and again until `until` holds after a round, at most `max_iterations` times. Paths: ``name[i]``.

    `into` names the list of the rounds' values in the scope that the body and `until` see. The value is the last round's.
    """

    name: str
    body: Node
    until: Expr
    max_iterations: int
    into: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Map:
    """The body once for each item of a list that is known only at run time. Paths: ``name[key]``.

    `item` is the name of the item in the body's scope; `key` an expression over it that gives the path key (its place in the
    list by default). The value is the list of the children's values in item order.
    """

    name: str
    items: Expr
    body: Node
    item: str = "item"
    key: Expr | None = None
    join: Join = Join()
    max_parallel: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Set:
    """Compute values and put them into the enclosing scope."""

    name: str
    values: Mapping[str, Expr]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """A durable timer: `seconds` is an expression."""

    name: str
    seconds: Expr


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Settings for what is inside: the default retry of its calls, a budget, a time limit in seconds."""

    name: str
    body: Node
    retry: Retry | None = None
    budget: Budget | None = None
    timeout_s: float | None = None


Node = Call | Sequence | Graph | Choose | Loop | Map | Set | Wait | Block


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A compiled workflow: the tree, and the definitions (agents, tools, settings) that its calls name.

    `definitions` is JSON that only performers read. A run pins its plan by `hash`, and any process can run it.
    """

    workflow: str
    root: Node
    definitions: Mapping[str, Json] = field(default_factory=dict)
    format: int = 1
