"""Plans as pictures: a text tree, Mermaid and Graphviz DOT."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from weft.plan.chart import Box, Way, drawn, to_dot, to_mermaid
from weft.plan.nodes import (
    Block,
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
from weft.plan.paths import INDEX, below, segment

_TAKEN = re.compile(r'go == ("(?:[^"\\\\]|\\\\.)*")')
_KEPT = frozenset({"go", "state", "signal", "rang", "due", "fired", "tree"})
"""Names in which patterns keep their place: setting them is nothing that a picture shows."""

_MARKS = {"": "", "done": "✓ ", "failed": "✗ ", "running": "● ", "waiting": "◆ ", "stopped": "○ ", "skipped": "· "}


def tree(plan: Plan) -> str:
    """The plan as an indented tree, one line a node."""
    return as_tree(boxes(plan), plan.workflow)


def mermaid(plan: Plan) -> str:
    """The plan as a Mermaid flow chart."""
    return to_mermaid(drawn(boxes(plan)))


def dot(plan: Plan) -> str:
    """The plan as a Graphviz digraph."""
    return to_dot(drawn(boxes(plan)), plan.workflow)


def boxes(plan: Plan) -> Box:
    """The plan as it is drawn: its root, with everything inside it."""
    return _box(plan.root, plan, "")


def as_tree(box: Box, title: str) -> str:
    """A box as an indented tree with a title, one line a box."""
    head = "  ".join(part for part in (f"{_MARKS[box.look]}{title}", box.label, box.notes) if part)
    return "\n".join([head, *_lines([*box.children, *box.undo], "", _leads(box))]) + "\n"


def silent(node: Node) -> bool:
    """Whether a node only keeps a pattern's place, and does nothing that a person wants to see."""
    if isinstance(node, Set):
        return node.values.keys() <= _KEPT
    if isinstance(node, Call):
        return node.performer == "clock"
    if isinstance(node, Choose):
        arms = [branch.node for branch in node.branches] + ([node.otherwise] if node.otherwise else [])
        return all(map(silent, arms))
    return isinstance(node, Sequence) and all(map(silent, node.children))


def _lines(boxes: list[Box], indent: str, leads: Mapping[str, str]) -> Iterator[str]:
    for place, box in enumerate(boxes):
        last = place == len(boxes) - 1
        waits = f"  ← {', '.join(box.after)}" if box.after else ""
        notes = f"  {box.notes}" if box.notes else ""
        mark = _MARKS[box.look]
        yield f"{indent}{'└─' if last else '├─'} {mark}{box.label}{waits}{leads.get(box.name, '')}{notes}"
        yield from _lines([*box.children, *box.undo], indent + ("   " if last else "│  "), _leads(box))


def _leads(machine: Box) -> dict[str, str]:
    """Beside each state of a machine, where it leads."""
    found: dict[str, list[str]] = {}
    for way in machine.ways:
        found.setdefault(way.source, []).append(f"{way.target} ({way.label})" if way.label else way.target)
    return {name: f" → {', '.join(targets)}" for name, targets in found.items()}


def _box(node: Node, plan: Plan, at: str) -> Box:
    """The node as a box; `at` is the pattern of its paths."""
    if isinstance(node, Call):
        return Box(_call(node, plan), name=node.name, place=at)
    if isinstance(node, Block):
        return _block(node, plan, at)
    if isinstance(node, Graph):
        return _graph(node, plan, at)
    if isinstance(node, Sequence):
        return Box(_named(node.name, "in order"), _flat(node, plan, at), name=node.name, place=at)
    return _other(node, plan, at)


def _block(node: Block, plan: Plan, at: str) -> Box:
    box = _box(node.body, plan, below(at, node.body.name))
    notes = "; ".join(_settings(node))
    box.label = " ".join(part for part in (box.label, f"[{notes}]" if notes else "") if part)
    for child, body in node.compensations.items():
        undone = f"{at}/{re.escape(f'$undo[{child}]')}"
        box.undo.append(Box(f"undo {child}", [_box(body, plan, undone)], name=child, place=undone))
    return box


def _flat(node: Sequence, plan: Plan, at: str) -> list[Box]:
    """The children, with those of a nameless sequence in its place."""
    boxes: list[Box] = []
    for child in node.children:
        if silent(child):
            continue
        place = below(at, child.name)
        nameless = isinstance(child, Sequence) and not child.name
        boxes += _flat(child, plan, place) if isinstance(child, Sequence) and nameless else [_box(child, plan, place)]
    return boxes


def _graph(node: Graph, plan: Plan, at: str) -> Box:
    children = []
    for child in node.children:
        box = _box(child, plan, below(at, child.name))
        box.after = tuple(node.deps.get(child.name, ()))
        children.append(box)
    join = "" if node.join.policy == "all" else f", join {node.join.policy}"
    join += f" {node.join.quorum}" if node.join.quorum else ""
    limit = f", at most {node.max_parallel} at once" if node.max_parallel else ""
    label = _named(node.name, f"at the same time{limit}{join}")
    return Box(label, children, parallel=True, name=node.name, place=at)


def _other(
    node: Choose | Select | Loop | Map | Machine | Set | Wait | Gate | Child | Program, plan: Plan, at: str
) -> Box:
    if isinstance(node, Choose):
        return _choose(node, plan, at)
    if isinstance(node, Machine):
        return _machine(node, plan, at)
    if isinstance(node, Select):
        boxes = [_box(child, plan, below(at, child.name)) for child in node.children]
        return Box(_named(node.name, "the first that succeeds"), boxes, name=node.name, place=at)
    if isinstance(node, Loop):
        label = _named(node.name, f"until {node.until}, at most {node.max_iterations} times")
        return Box(label, [_box(node.body, plan, at + INDEX)], name=node.name, place=at, counts="round")
    if isinstance(node, Map):
        label = _named(node.name, f"for each of {node.items}")
        return Box(label, [_box(node.body, plan, at + INDEX)], name=node.name, place=at, counts="item")
    return Box(_named(node.name, _leaf(node)), name=node.name, place=at, quiet=isinstance(node, Set))


def _choose(node: Choose, plan: Plan, at: str) -> Box:
    shown = [(_arm(branch.when), branch.node) for branch in node.branches if not silent(branch.node)]
    if node.otherwise and not silent(node.otherwise):
        shown.append(("otherwise", node.otherwise))
    boxes = []
    for label, arm in shown:
        place = below(at, arm.name)
        name = arm.name or ("otherwise" if arm is node.otherwise else node.name)
        boxes.append(Box(label, [_box(arm, plan, place)], name=name, place=place, quiet=isinstance(arm, Set)))
    if len(boxes) == 1 and len(node.branches) == 1:
        only = boxes[0]
        return Box(_named(node.name, only.label), only.children, name=node.name, place=only.place, quiet=only.quiet)
    return Box(_named(node.name, "the first that holds"), boxes, parallel=True, name=node.name, place=at)


def _machine(node: Machine, plan: Plan, at: str) -> Box:
    boxes, ways = [], []
    for state in node.states:
        place = below(at, segment(state.name)) + INDEX
        inner = [_box(state.body, plan, place)] if state.body is not None and not silent(state.body) else []
        inner = inner[0].children if inner and not inner[0].name and inner[0].children else inner
        label = f"{state.name} (final)" if state.final else state.name
        boxes.append(Box(label, inner, name=state.name, place=place, counts="visit", quiet=state.body is None))
        ways += [Way(state.name, arrow.to, _condition(arrow.when)) for group in state.exits for arrow in group]
    what = f"from {node.start}, each at most {node.max_visits} times"
    return Box(_named(node.name, what), boxes, name=node.name, ways=ways, start=node.start, place=at)


def _arm(when: str) -> str:
    return f"on {_condition(when)}" if _TAKEN.fullmatch(when) else f"when {when}"


def _condition(when: str) -> str:
    """What a person reads beside an arrow: the label of the way that was taken, or the condition itself."""
    taken = _TAKEN.fullmatch(when)
    return "" if when == "true" else str(json.loads(taken[1])) if taken else when


def _leaf(node: Set | Wait | Gate | Child | Program) -> str:
    if isinstance(node, Set):
        return f"set {', '.join(node.values)}"
    if isinstance(node, Gate):
        return f"gate for {', '.join(node.assignees) or 'anybody'}"
    if isinstance(node, Child):
        return f"run of {node.plan or node.planned}"
    if isinstance(node, Program):
        return f"program {node.function}"
    signals = " or ".join(f"signal {signal.name}" for signal in node.signals)
    timer = f"{node.seconds} s" if node.seconds is not None else ""
    return f"wait {' or '.join(part for part in (signals, timer) if part)}"


def _named(name: str, what: str) -> str:
    return f"{name}: {what}" if name else what


def _call(node: Call, plan: Plan) -> str:
    agents = plan.definitions.get("agents") or {}
    model = (agents.get(node.target) or {}).get("model") if node.performer == "agent" else None
    notes = [f"{node.performer} {node.target}"]
    if model:
        notes.append(f"({model})")
    if node.timeout_s:
        notes.append(f"within {node.timeout_s:g} s")
    if node.retry:
        notes.append(f"up to {node.retry.attempts} attempts")
    if node.effect not in {"idempotent", "pure"}:
        notes.append(node.effect)
    return _named(node.name, " ".join(notes))


def _settings(node: Block) -> Iterator[str]:
    if node.retry:
        yield f"{node.retry.attempts} attempts, {node.retry.backoff}"
    if budget := node.budget:
        limits = (
            (budget.max_tokens, "tokens"),
            (budget.max_cost, "USD"),
            (budget.max_steps, "steps"),
            (budget.max_duration_s, "seconds"),
        )
        shown = ", ".join(f"{limit} {unit}" for limit, unit in limits if limit is not None)
        yield f"at most {shown}"
    if node.timeout_s:
        yield f"within {node.timeout_s:g} s"
