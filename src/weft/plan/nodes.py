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
    ``best_effort``: every child is awaited, failures become values. ``first``: the first success wins. `failures` so many
    failures are too many, even where enough could still succeed.
    """

    policy: Literal["all", "quorum", "best_effort", "first"] = "all"
    quorum: int | None = None
    failures: int | None = None


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
    the last child, or of the expressions in `value` evaluated in the scope at the end. Names in `exports` that its scope holds
    at the end are put into the enclosing one.
    """

    name: str
    children: tuple[Node, ...]
    into: str | None = None
    value: Mapping[str, Expr] | None = None
    exports: tuple[str, ...] = ()


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
    """The first branch whose condition holds, else `otherwise`, else nothing (value ``null``).

    With `required`, a text, the lack of any branch is a failure that says it.
    """

    name: str
    branches: tuple[Branch, ...]
    otherwise: Node | None = None
    required: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Select:
    """Children in order until one succeeds; its value is the value. Fails with the last failure when none does.

    The failures so far are in the list `into` of the scope that the children see.
    """

    name: str
    children: tuple[Node, ...]
    into: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """The body again and again until `until` holds after a round, at most `max_iterations` times. Paths: ``name[i]``.

    `into` names the list of the rounds' values in the scope that the body and `until` see. The value is the last round's.
    What the body puts into its scope stays there from round to round, and the names in `exports` go on to the enclosing scope.
    """

    name: str
    body: Node
    until: Expr
    max_iterations: int
    into: str | None = None
    exports: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Map:
    """The body once for each item of a list that is known only at run time. Paths: ``name[key]``.

    `item` is the name of the item in the body's scope; `key` an expression over it that gives the path key (its place in the
    list by default). The value is the list of the children's values in item order, which is also put into the scope as `into`.
    """

    name: str
    items: Expr
    body: Node
    item: str = "item"
    key: Expr | None = None
    join: Join = Join()
    max_parallel: int | None = None
    into: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """A way from one state of a machine to another, open when `when` holds."""

    to: str
    when: Expr = "true"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A state of a machine: what is done there, and where it leads.

    Each group of `exits` sends a token along its first open arrow, or none; several groups send several tokens. A state
    without exits, or with none open, ends the token. `final` ends the whole machine.
    """

    name: str
    body: Node | None = None
    exits: tuple[tuple[Arrow, ...], ...] = ()
    final: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """States and arrows, walked by tokens: graphs with cycles and fan-out, state machines. Paths: ``name/state[visit]``.

    One token begins at `start`. A state into which several states lead waits, when a token has come, until no other token
    can still reach it, and is then visited once for all tokens that came. A token carries what its own past has put into the
    scope, so that no state sees what happened beside it; what those that ended carry goes on to the enclosing scope. The latest
    value of each visited state is in the mapping `into`; the value is that mapping, or `value`. A state that is entered more
    than `max_visits` times is a failure.
    """

    name: str
    start: str
    states: tuple[State, ...]
    into: str | None = None
    max_visits: int = 10
    max_parallel: int | None = None
    value: Mapping[str, Expr] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Set:
    """Compute values and put them into the enclosing scope."""

    name: str
    values: Mapping[str, Expr]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A message from outside that a wait listens to. One for which `when` does not hold (it sees `signal`) is passed over."""

    name: str
    when: Expr | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """A durable wait: for `seconds` (an expression), for the first of `signals`, or for whichever comes first.

    The value is null for a timer alone, else ``{"signal": name or null, "data": …}``.
    """

    name: str
    seconds: Expr | None = None
    signals: tuple[Signal, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A person or an outside system decides. The texts are templates over the scope at the node.

    `choices` are the answers that may be given (any text when there are none), `pattern` a regular expression that a text must
    match as a whole, `form` a JSON Schema that the values given with the answer must fit. An answer in `rejections` fails the
    node, unless `on_reject` is ``continue``. Seconds count from the opening: at `warn_s` those who are asked are warned, at
    `escalate_s` the gate is also theirs who stand in `escalate_to`, at `deadline_s` it is answered by `default`, or fails when
    there is none. The value is ``{"type": "hitl", "response", "choice", "values", "by", "why", "at", "prompt"}`` and `facts`;
    `into` names its response in the scope.
    """

    name: str
    prompt: str
    show: str = ""
    choices: tuple[str, ...] = ()
    form: Mapping[str, Json] | None = None
    pattern: str | None = None
    rejections: tuple[str, ...] = ("reject", "rejected")
    on_reject: Literal["fail", "continue"] = "fail"
    assignees: tuple[str, ...] = ()
    deadline_s: float | None = None
    warn_s: float | None = None
    escalate_s: float | None = None
    escalate_to: tuple[str, ...] = ()
    default: Json = None
    into: str | None = "hitl_response"
    facts: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """Another plan, as a run of its own with an id that follows from this run and path.

    `plan` names one of the plan's `children`; `planned` is an expression that gives the hash of a plan made at run time.
    `inputs` are expressions. When this run is cancelled, so is the child, unless it is to be abandoned. The value is that of the
    child's outputs, with ``run`` as its id.
    """

    name: str
    plan: str | None = None
    planned: Expr | None = None
    inputs: Mapping[str, Expr] = field(default_factory=dict)
    budget: Budget | None = None
    on_cancel: Literal["cancel", "abandon"] = "cancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Settings for what is inside: the default retry of its calls, a budget, a time limit in seconds.

    `ends` says what an end inside means outside: the same, the opposite (``inverted``), or always a success, whose value is
    ``{"ok": bool, "value": …, "error": …}`` (``tolerated``) and which `into` names in the scope. `compensations` undo the
    children of the body by name: when the block fails or the run is cancelled inside, those of the children that had succeeded
    run, the latest first, at ``name/$undo[child]``.
    """

    name: str
    body: Node
    retry: Retry | None = None
    budget: Budget | None = None
    timeout_s: float | None = None
    ends: Literal["plain", "inverted", "tolerated"] = "plain"
    into: str | None = None
    compensations: Mapping[str, Node] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A function that asks for its steps itself, driven over the same runtime. Paths: ``name/step[n]``.

    `function` is ``file.py:name``, the file relative to that of the run. `parts` are the pieces of code that it is made of, each with
    its hash: other code is another plan. `takes` are its parameters, which it finds in the scope. The value is what it returns.
    """

    name: str
    function: str
    parts: Mapping[str, str]
    takes: tuple[str, ...] = ()


Node = Call | Sequence | Graph | Choose | Select | Loop | Map | Machine | Set | Wait | Gate | Child | Block | Program


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A compiled workflow: the tree, and the definitions (agents, tools, settings) that its calls name.

    `definitions` is JSON that only performers read; `children` are the plans that its `Child` nodes name. A run pins its plan by
    its hash, and any process can run it.
    """

    workflow: str
    root: Node
    definitions: Mapping[str, Json] = field(default_factory=dict)
    children: Mapping[str, Plan] = field(default_factory=dict)
    format: int = 1
