"""Plans as pictures: a text tree, Mermaid and Graphviz DOT."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

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
    Select,
    Sequence,
    Set,
    Wait,
)

_LEAF, _GROUP = "n", "g"


@dataclass(slots=True)
class Box:
    """A node as it is drawn: `after` are the names of the siblings that it waits for."""

    label: str
    children: list[Box] = field(default_factory=list)
    parallel: bool = False
    after: tuple[str, ...] = ()
    name: str = ""


def tree(plan: Plan) -> str:
    """The plan as an indented tree, one line a node."""
    box = _box(plan.root, plan)
    return "\n".join([f"{plan.workflow}  {box.label}".rstrip(), *_lines(box.children, "")]) + "\n"


def mermaid(plan: Plan) -> str:
    """The plan as a Mermaid flow chart."""
    chart = _Chart()
    chart.draw(_box(plan.root, plan))
    lines = ["flowchart TD"]
    for depth, key, label in chart.marks:
        text = f'{key}["{_mermaid_text(label)}"]'
        lines.append("    " * depth + (f"subgraph {text}" if key.startswith(_GROUP) else text if key else "end"))
    lines += [f"    {one} --> {other}" for one, other in chart.edges]
    return "\n".join(lines) + "\n"


def dot(plan: Plan) -> str:
    """The plan as a Graphviz digraph."""
    chart = _Chart()
    chart.draw(_box(plan.root, plan))
    lines = [f"digraph {json.dumps(plan.workflow, ensure_ascii=False)} {{", "    node [shape=box];"]
    for depth, key, label in chart.marks:
        text = f"label={json.dumps(label, ensure_ascii=False)}"
        opening = f"subgraph cluster_{key} {{ {text};"
        lines.append("    " * depth + (opening if key.startswith(_GROUP) else f"{key} [{text}];" if key else "}"))
    lines += [f"    {one} -> {other};" for one, other in chart.edges]
    return "\n".join([*lines, "}"]) + "\n"


def _mermaid_text(text: str) -> str:
    return re.sub(r'["<>&#`\n]', lambda match: f"#{ord(match[0])};", text)


def _lines(boxes: list[Box], indent: str) -> Iterator[str]:
    for place, box in enumerate(boxes):
        last = place == len(boxes) - 1
        waits = f"  ← {', '.join(box.after)}" if box.after else ""
        yield f"{indent}{'└─' if last else '├─'} {box.label}{waits}"
        yield from _lines(box.children, indent + ("   " if last else "│  "))


class _Chart:
    """Leaves as nodes, what has a name and an inside as a group around them, and the order in which they run as edges.

    A mark is depth, key and label: of a leaf, of a group that opens, or, without a key, of the group that closes.
    """

    def __init__(self) -> None:
        self.marks: list[tuple[int, str, str]] = []
        self._depth = 1
        self._count = Counter[str]()
        self.edges: list[tuple[str, str]] = []

    def draw(self, box: Box) -> tuple[list[str], list[str]]:
        """Draw `box`; where it is entered and where it is left."""
        if not box.children:
            key = self._mark(_LEAF, box.label)
            return [key], [key]
        if box.name:
            self._mark(_GROUP, box.label)
            self._depth += 1
        ends = self._draw_parallel(box) if box.parallel else self._draw_sequence(box)
        if box.name:
            self._depth -= 1
            self.marks.append((self._depth, "", ""))
        return ends

    def _mark(self, kind: str, label: str) -> str:
        key = f"{kind}{self._count[kind]}"
        self._count[kind] += 1
        self.marks.append((self._depth, key, label))
        return key

    def _draw_sequence(self, box: Box) -> tuple[list[str], list[str]]:
        ends = [self.draw(child) for child in box.children]
        for (_, exits), (entries, _) in pairwise(ends):
            self.edges += [(one, other) for one in exits for other in entries]
        return ends[0][0], ends[-1][1]

    def _draw_parallel(self, box: Box) -> tuple[list[str], list[str]]:
        ends = {child.name: self.draw(child) for child in box.children}
        needed = {name for child in box.children for name in child.after}
        for child in box.children:
            for name in child.after:
                self.edges += [(one, other) for one in ends[name][1] for other in ends[child.name][0]]
        entries = [key for child in box.children if not child.after for key in ends[child.name][0]]
        exits = [key for child in box.children if child.name not in needed for key in ends[child.name][1]]
        return entries, exits


def _box(node: Node, plan: Plan) -> Box:
    if isinstance(node, Call):
        return Box(_call(node, plan), name=node.name)
    if isinstance(node, Block):
        inner = _box(node.body, plan)
        notes = "; ".join(_settings(node))
        return Box(
            " ".join(part for part in (inner.label, f"[{notes}]" if notes else "") if part),
            inner.children,
            inner.parallel,
            name=inner.name,
        )
    if isinstance(node, Graph):
        return _graph(node, plan)
    if isinstance(node, Sequence):
        return Box(_named(node.name, "in order"), _flat(node, plan), name=node.name)
    return _other(node, plan)


def _flat(node: Sequence, plan: Plan) -> list[Box]:
    """The children, with those of a nameless sequence in its place."""
    boxes: list[Box] = []
    for child in node.children:
        boxes += _flat(child, plan) if isinstance(child, Sequence) and not child.name else [_box(child, plan)]
    return boxes


def _graph(node: Graph, plan: Plan) -> Box:
    children = []
    for child in node.children:
        box = _box(child, plan)
        box.after = tuple(node.deps.get(child.name, ()))
        children.append(box)
    join = "" if node.join.policy == "all" else f", join {node.join.policy}"
    join += f" {node.join.quorum}" if node.join.quorum else ""
    limit = f", at most {node.max_parallel} at once" if node.max_parallel else ""
    return Box(_named(node.name, f"at the same time{limit}{join}"), children, parallel=True, name=node.name)


def _other(node: Choose | Select | Loop | Map | Machine | Set | Wait | Gate | Child, plan: Plan) -> Box:
    if isinstance(node, Choose):
        return _choose(node, plan)
    if isinstance(node, Machine):
        return _machine(node, plan)
    if isinstance(node, Select):
        boxes = [_box(child, plan) for child in node.children]
        return Box(_named(node.name, "the first that succeeds"), boxes, name=node.name)
    if isinstance(node, Loop):
        what = f"until {node.until}, at most {node.max_iterations} times"
        return Box(_named(node.name, what), [_box(node.body, plan)], name=node.name)
    if isinstance(node, Map):
        return Box(_named(node.name, f"for each of {node.items}"), [_box(node.body, plan)], name=node.name)
    return Box(_named(node.name, _leaf(node)), name=node.name)


def _choose(node: Choose, plan: Plan) -> Box:
    boxes = [Box(f"when {branch.when}", [_box(branch.node, plan)], name=branch.node.name) for branch in node.branches]
    if node.otherwise:
        boxes.append(Box("otherwise", [_box(node.otherwise, plan)], name=node.otherwise.name))
    return Box(_named(node.name, "the first that holds"), boxes, parallel=True, name=node.name)


def _machine(node: Machine, plan: Plan) -> Box:
    boxes = []
    for state in node.states:
        inner = [_box(state.body, plan)] if state.body else []
        ways = [
            f"{arrow.to}{'' if arrow.when == 'true' else f' when {arrow.when}'}"
            for group in state.exits
            for arrow in group
        ]
        label = f"{state.name} (final)" if state.final else state.name
        label += f" → {', '.join(ways)}" if ways else ""
        boxes.append(Box(label, inner, name=state.name))
    what = f"from {node.start}, each at most {node.max_visits} times"
    return Box(_named(node.name, what), boxes, parallel=True, name=node.name)


def _leaf(node: Set | Wait | Gate | Child) -> str:
    if isinstance(node, Set):
        return f"set {', '.join(node.values)}"
    if isinstance(node, Gate):
        return f"gate for {', '.join(node.assignees) or 'anybody'}"
    if isinstance(node, Child):
        return f"run of {node.plan or node.planned}"
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
    return f"{node.name}: {' '.join(notes)}"


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
