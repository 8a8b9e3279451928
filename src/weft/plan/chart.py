"""Boxes and arrows: what a plan looks like, and the two languages in which charts are written."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

_LEAF, _GROUP = "n", "g"


@dataclass(frozen=True, slots=True)
class Way:
    """An arrow from one child of a box to another."""

    source: str
    target: str
    label: str = ""


@dataclass(slots=True)
class Box:
    """A node as it is drawn.

    `after` are the names of the siblings that it waits for, `ways` the arrows between its children, of which `start` is then
    the first.
    """

    label: str
    children: list[Box] = field(default_factory=list)
    parallel: bool = False
    after: tuple[str, ...] = ()
    name: str = ""
    ways: list[Way] = field(default_factory=list)
    start: str = ""


@dataclass(frozen=True, slots=True)
class Edge:
    """An arrow between two leaves; `outer` are the groups that it leaves and enters, empty where it ends at the leaf itself."""

    source: str
    target: str
    label: str = ""
    outer: tuple[str, str] = ("", "")


def to_mermaid(chart: Chart) -> str:
    """The chart as a Mermaid flow chart."""
    lines = ["flowchart TD"]
    for depth, key, label in chart.marks:
        text = f'{key}["{_mermaid_text(label)}"]'
        lines.append("    " * depth + (f"subgraph {text}" if key.startswith(_GROUP) else text if key else "end"))
    for edge in chart.edges:
        source, target = edge.outer[0] or edge.source, edge.outer[1] or edge.target
        label = f'|"{_mermaid_text(edge.label)}"|' if edge.label else ""
        lines.append(f"    {source} -->{label} {target}")
    return "\n".join(lines) + "\n"


def to_dot(chart: Chart, title: str) -> str:
    """The chart as a Graphviz digraph."""
    compound = "compound=true; " if any(any(edge.outer) for edge in chart.edges) else ""
    lines = [f"digraph {_quoted(title)} {{", f"    {compound}node [shape=box];"]
    for depth, key, label in chart.marks:
        text = f"label={_quoted(label)}"
        opening = f"subgraph cluster_{key} {{ {text};"
        lines.append("    " * depth + (opening if key.startswith(_GROUP) else f"{key} [{text}];" if key else "}"))
    for edge in chart.edges:
        notes = [f"label={_quoted(edge.label)}"] if edge.label else []
        notes += [f"{side}=cluster_{key}" for side, key in zip(("ltail", "lhead"), edge.outer, strict=True) if key]
        lines.append(f"    {edge.source} -> {edge.target}{f' [{chr(44).join(notes)}]' if notes else ''};")
    return "\n".join([*lines, "}"]) + "\n"


def drawn(box: Box) -> Chart:
    """The chart of a box and everything inside it."""
    chart = Chart()
    chart.draw(box)
    return chart


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _mermaid_text(text: str) -> str:
    return re.sub(r'["<>&#`|\n]', lambda match: f"#{ord(match[0])};", text)


class Chart:
    """Leaves as nodes, what has a name and an inside as a group around them, and the order in which they run as edges.

    A mark is depth, key and label: of a leaf, of a group that opens, or, without a key, of the group that closes.
    """

    def __init__(self) -> None:
        self.marks: list[tuple[int, str, str]] = []
        self.edges: list[Edge] = []
        self._depth = 1
        self._count = Counter[str]()
        self._groups: dict[int, str] = {}

    def draw(self, box: Box) -> tuple[list[str], list[str]]:
        """Draw `box`; where it is entered and where it is left."""
        if not box.children:
            key = self._mark(_LEAF, box.label)
            return [key], [key]
        if box.name:
            self._groups[id(box)] = self._mark(_GROUP, box.label)
            self._depth += 1
        ends = self._draw_inside(box)
        if box.name:
            self._depth -= 1
            self.marks.append((self._depth, "", ""))
        return ends

    def _draw_inside(self, box: Box) -> tuple[list[str], list[str]]:
        if box.start:
            return self._draw_machine(box)
        return self._draw_parallel(box) if box.parallel else self._draw_sequence(box)

    def _mark(self, kind: str, label: str) -> str:
        key = f"{kind}{self._count[kind]}"
        self._count[kind] += 1
        self.marks.append((self._depth, key, label))
        return key

    def _draw_sequence(self, box: Box) -> tuple[list[str], list[str]]:
        ends = [self.draw(child) for child in box.children]
        for (_, exits), (entries, _) in pairwise(ends):
            self.edges += [Edge(one, other) for one in exits for other in entries]
        return ends[0][0], ends[-1][1]

    def _draw_parallel(self, box: Box) -> tuple[list[str], list[str]]:
        ends = {child.name: self.draw(child) for child in box.children}
        needed = {name for child in box.children for name in child.after}
        for child in box.children:
            for name in child.after:
                self.edges += [Edge(one, other) for one in ends[name][1] for other in ends[child.name][0]]
        entries = [key for child in box.children if not child.after for key in ends[child.name][0]]
        exits = [key for child in box.children if child.name not in needed for key in ends[child.name][1]]
        return entries, exits

    def _draw_machine(self, box: Box) -> tuple[list[str], list[str]]:
        ends = {child.name: self.draw(child) for child in box.children}
        groups = {child.name: self._groups.get(id(child), "") for child in box.children}
        for way in box.ways:
            source, target = ends[way.source][1][-1], ends[way.target][0][0]
            self.edges.append(Edge(source, target, way.label, (groups[way.source], groups[way.target])))
        leading = {way.source for way in box.ways}
        exits = [key for child in box.children if child.name not in leading for key in ends[child.name][1]]
        return ends[box.start][0], exits or ends[box.start][1]
