"""Random plans with random trouble, and a reference model that says what must come of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from weft.plan.nodes import (
    Block,
    Branch,
    Call,
    Choose,
    Graph,
    Join,
    Loop,
    Map,
    Node,
    Plan,
    Retry,
    Select,
    Sequence,
    Set,
    Wait,
)
from weft.testing.scripted import Trouble

BROKEN = "1 / 0"
"""An expression that fails at once, without any step."""
RETRY = Retry(attempts=3, backoff="exponential", wait_min=0.5, wait_max=8)


@st.composite
def calls(draw: st.DrawFn, name: str) -> Call:
    effect = draw(st.sampled_from(["pure", "idempotent", "idempotent", "reconcile"]))
    return Call(name=name, performer="tool", target=f"t{draw(st.integers(0, 3))}", effect=effect)


@st.composite
def nodes(draw: st.DrawFn, name: str, depth: int) -> Node:
    kinds = ["call"] * 3 + (
        ["sequence", "graph", "choose", "loop", "map", "wait", "set", "block", "select", "ends"] if depth else []
    )
    kind = draw(st.sampled_from(kinds))
    if kind == "call":
        return draw(calls(name))
    if kind == "wait":
        return Wait(name=name, seconds=str(draw(st.integers(0, 5))))
    if kind == "set":
        return Set(name=name, values={"v": draw(st.sampled_from([*map(str, range(6)), BROKEN]))})
    if kind == "block":
        return Block(name=name, body=draw(nodes("in", depth - 1)), retry=RETRY)
    if kind == "ends":
        ends = draw(st.sampled_from(["inverted", "tolerated"]))
        return Block(name=name, body=draw(nodes("in", depth - 1)), ends=ends, into=draw(st.none() | st.just("end")))
    if kind == "choose":
        first = Branch(when=draw(st.sampled_from(["true", "false"])), node=draw(nodes("yes", depth - 1)))
        return Choose(name=name, branches=(first,), otherwise=draw(st.none() | nodes("no", depth - 1)))
    if kind == "loop":
        rounds = draw(st.integers(1, 3))
        until = draw(st.sampled_from(["false", "iteration >= 1"]))
        return Loop(name=name, body=draw(nodes("r", depth - 1)), until=until, max_iterations=rounds)
    if kind == "map":
        items = str(list(range(draw(st.integers(0, 4)))))
        return Map(name=name, items=items, body=draw(nodes("", depth - 1)), max_parallel=draw(st.none() | st.just(2)))
    count = draw(st.integers(1, 4))
    children = tuple(draw(nodes(f"n{index}", depth - 1)) for index in range(count))
    if kind == "select":
        return Select(name=name, children=children, into=draw(st.none() | st.just("failed")))
    if kind == "sequence":
        return Sequence(name=name, children=children, into=draw(st.none() | st.just("steps")))
    deps = {f"n{index}": tuple(f"n{other}" for other in range(index) if draw(st.booleans())) for index in range(count)}
    join = draw(st.sampled_from([Join(), Join(), Join(policy="best_effort")]))
    return Graph(name=name, children=children, deps=deps, into=draw(st.none() | st.just("tasks")), join=join)


@dataclass
class Case:
    plan: Plan
    troubles: dict[str, Trouble]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    root = Block(name="", body=draw(nodes("top", 3)), retry=RETRY)
    plan = Plan(workflow="random", root=root)
    troubles = {}
    for path in sorted(paths(root, "")):
        kind = draw(st.sampled_from(["none"] * 12 + ["slow", "slow", "transient", "transient", "fatal"]))
        if kind == "slow":
            troubles[path] = Trouble(seconds=draw(st.sampled_from([0.1, 1.0, 3.0])))
        elif kind == "transient":
            troubles[path] = Trouble(transient=draw(st.integers(1, 3)), seconds=draw(st.sampled_from([0.0, 0.2])))
        elif kind == "fatal":
            troubles[path] = Trouble(fatal=True)
    return Case(plan, troubles)


def paths(node: Node, path: str) -> set[str]:
    """Every path at which a call of this node could be performed."""
    if isinstance(node, Call):
        return {path}
    if isinstance(node, Choose):
        arms = [branch.node for branch in node.branches] + ([node.otherwise] if node.otherwise else [])
        return set().union(*(paths(arm, join(path, arm.name)) for arm in arms))
    if isinstance(node, (Loop, Map)):
        rounds = node.max_iterations if isinstance(node, Loop) else len(eval(node.items))
        return set().union(*(paths(node.body, f"{path}[{index}]") for index in range(rounds)), set())
    if isinstance(node, Block):
        return paths(node.body, join(path, node.body.name))
    if isinstance(node, (Sequence, Graph, Select)):
        return set().union(*(paths(child, join(path, child.name)) for child in node.children))
    return set()


def join(path: str, name: str) -> str:
    return f"{path}/{name}" if name else path


FAILED = object()


def expected(node: Node, path: str, troubles: dict[str, Trouble]) -> Any:
    """What the node must come to: its value, or FAILED."""
    if isinstance(node, Call):
        trouble = troubles.get(path, Trouble())
        return FAILED if trouble.fatal or trouble.transient >= RETRY.attempts else {"response": node.target}
    if isinstance(node, Wait):
        return None
    if isinstance(node, Set):
        return FAILED if BROKEN in node.values.values() else {name: int(value) for name, value in node.values.items()}
    if isinstance(node, Block):
        value = expected(node.body, join(path, node.body.name), troubles)
        if node.ends == "inverted":
            return None if value is FAILED else FAILED
        if node.ends == "tolerated":
            return "tolerated" if value is FAILED else {"ok": True, "value": value, "error": None}
        return value
    if isinstance(node, Select):
        ends = (expected(child, join(path, child.name), troubles) for child in node.children)
        return next((value for value in ends if value is not FAILED), FAILED)
    if isinstance(node, Choose):
        for branch in node.branches:
            if branch.when == "true":
                return expected(branch.node, join(path, branch.node.name), troubles)
        return expected(node.otherwise, join(path, node.otherwise.name), troubles) if node.otherwise else None
    if isinstance(node, Loop):
        value = None
        for index in range(node.max_iterations):
            value = expected(node.body, f"{path}[{index}]", troubles)
            if value is FAILED or (node.until != "false" and index >= 1):
                break
        return value
    if isinstance(node, Map):
        values = [expected(node.body, f"{path}[{index}]", troubles) for index in range(len(eval(node.items)))]
        return FAILED if FAILED in values else values
    if isinstance(node, Sequence):
        value = None
        for child in node.children:
            value = expected(child, join(path, child.name), troubles)
            if value is FAILED:
                break
        return value
    assert isinstance(node, Graph)
    values: dict[str, Any] = {}
    for child in node.children:
        broken = any(values[dep] is FAILED for dep in node.deps.get(child.name, ()))
        values[child.name] = FAILED if broken else expected(child, join(path, child.name), troubles)
    if FAILED in values.values():
        return "tolerated" if node.join.policy == "best_effort" else FAILED
    return values


def tolerated(value: Any) -> bool:
    """Whether a best-effort graph swallowed a failure somewhere, so that values are not compared to the letter."""
    if value == "tolerated":
        return True
    if isinstance(value, dict):
        return any(tolerated(part) for part in value.values())
    return isinstance(value, list) and any(tolerated(part) for part in value)


__all__ = ["FAILED", "Case", "cases", "expected", "replace", "tolerated"]
