"""Boxes and arrows: what a plan looks like, and the two languages in which charts are written."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal

_LEAF, _GROUP = "n", "g"
Look = Literal["", "done", "failed", "running", "waiting", "stopped", "skipped"]
"""How a box is painted: not at all, or as what became of it; ``stopped`` was begun and never ended."""
_COLOURS: Mapping[str, tuple[str, str]] = {
    "done": ("#d9f2dd", "#2e7d32"),
    "failed": ("#fbdcda", "#c62828"),
    "running": ("#dbe9fb", "#1565c0"),
    "waiting": ("#fff1cc", "#a86b00"),
    "stopped": ("#ece7e1", "#6d5c4d"),
    "skipped": ("#f7f7f7", "#9a9a9a"),
}
"""Of each look the colour of the area and that of the line."""


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
    the first. `undo` are boxes that undo the child of the same name.

    What is needed to paint a run over it: `place` is the pattern of the paths of its steps; `counts` says what the index behind
    them (of a state: in them) numbers, and `quiet` that the journal says nothing of it. `look` and `notes` are what was painted.
    """

    label: str
    children: list[Box] = field(default_factory=list)
    parallel: bool = False
    after: tuple[str, ...] = ()
    name: str = ""
    ways: list[Way] = field(default_factory=list)
    start: str = ""
    undo: list[Box] = field(default_factory=list)
    place: str = ""
    counts: Literal["", "round", "item", "visit"] = ""
    quiet: bool = False
    look: Look = ""
    notes: str = ""

    def walk(self) -> Iterator[Box]:
        """It and every box inside it."""
        yield self
        for box in (*self.children, *self.undo):
            yield from box.walk()


@dataclass(frozen=True, slots=True)
class Edge:
    """An arrow between two leaves; `outer` are the groups that it leaves and enters, empty where it ends at the leaf itself.

    A `faint` one leads to what undoes, or was not taken.
    """

    source: str
    target: str
    label: str = ""
    outer: tuple[str, str] = ("", "")
    faint: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """A leaf, a group that opens or, without a key, the group that closes."""

    depth: int
    key: str = ""
    label: str = ""
    notes: str = ""
    look: Look = ""


def to_mermaid(chart: Chart) -> str:
    """The chart as a Mermaid flow chart."""
    lines = ["flowchart TD"]
    for mark in chart.marks:
        notes = f"<br/>{_mermaid_text(mark.notes)}" if mark.notes else ""
        text = f'{mark.key}["{_mermaid_text(mark.label)}{notes}"]'
        opening = f"subgraph {text}" if mark.key.startswith(_GROUP) else text
        lines.append("    " * mark.depth + (opening if mark.key else "end"))
    for edge in chart.edges:
        source, target = edge.outer[0] or edge.source, edge.outer[1] or edge.target
        label = f'|"{_mermaid_text(edge.label)}"|' if edge.label else ""
        lines.append(f"    {source} {'-.->' if edge.faint else '-->'}{label} {target}")
    for look, (area, line) in _COLOURS.items():
        if keys := [mark.key for mark in chart.marks if mark.look == look]:
            dashes = ",stroke-dasharray:4" if look == "skipped" else ""
            lines.append(f"    classDef {look} fill:{area},stroke:{line},color:#1f1f1f{dashes};")
            lines.append(f"    class {','.join(keys)} {look};")
    return "\n".join(lines) + "\n"


def to_dot(chart: Chart, title: str) -> str:
    """The chart as a Graphviz digraph."""
    compound = "compound=true; " if any(any(edge.outer) for edge in chart.edges) else ""
    lines = [f"digraph {_quoted(title)} {{", f"    {compound}node [shape=box];"]
    for mark in chart.marks:
        notes = [f"label={_quoted(f'{mark.label}{chr(10)}{mark.notes}' if mark.notes else mark.label)}"]
        if mark.look:
            area, line = _COLOURS[mark.look]
            style = "filled,dashed" if mark.look == "skipped" else "filled"
            notes += [f"class={mark.look}", f'style="{style}"', f'fillcolor="{area}"', f'color="{line}"']
        opening = f"subgraph cluster_{mark.key} {{ {'; '.join(notes)};"
        leaf = f"{mark.key} [{', '.join(notes)}];" if mark.key else "}"
        lines.append("    " * mark.depth + (opening if mark.key.startswith(_GROUP) else leaf))
    for edge in chart.edges:
        notes = [f"label={_quoted(edge.label)}"] if edge.label else []
        notes += [f"{side}=cluster_{key}" for side, key in zip(("ltail", "lhead"), edge.outer, strict=True) if key]
        notes += ["style=dotted"] if edge.faint else []
        lines.append(f"    {edge.source} -> {edge.target}{f' [{chr(44).join(notes)}]' if notes else ''};")
    return "\n".join([*lines, "}"]) + "\n"


def drawn(box: Box) -> Chart:
    """The chart of a box and everything inside it."""
    chart = Chart()
    chart.draw(box)
    idle = {mark.key for mark in chart.marks if mark.look == "skipped"}
    chart.edges = [
        replace(edge, faint=True) if idle & {edge.source, edge.target, *edge.outer} else edge for edge in chart.edges
    ]
    return chart


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _mermaid_text(text: str) -> str:
    return re.sub(r'["<>&#`|\n]', lambda match: f"#{ord(match[0])};", text)


class Chart:
    """Leaves as nodes, what has a name and an inside as a group around them, and the order in which they run as edges."""

    def __init__(self) -> None:
        self.marks: list[Mark] = []
        self.edges: list[Edge] = []
        self._depth = 1
        self._count = Counter[str]()
        self._groups: dict[int, str] = {}
        self._ends: dict[int, tuple[list[str], list[str]]] = {}

    def draw(self, box: Box) -> tuple[list[str], list[str]]:
        """Draw `box`; where it is entered and where it is left."""
        if not box.children:
            key = self._mark(_LEAF, box)
            self._ends[id(box)] = [key], [key]
            return [key], [key]
        if box.name:
            self._groups[id(box)] = self._mark(_GROUP, box)
            self._depth += 1
        ends = self._ends[id(box)] = self._draw_inside(box)
        self._draw_undo(box)
        if box.name:
            self._depth -= 1
            self.marks.append(Mark(self._depth))
        return ends

    def _draw_undo(self, box: Box) -> None:
        """What undoes the children, beside them."""
        children = {child.name: child for child in box.children}
        for undo in box.undo:
            entries, _ = self.draw(undo)
            undone = children.get(undo.name, box)
            group = self._groups.get(id(undo), "")
            self.edges += [
                Edge(one, other, "undo", ("", group), faint=True)
                for one in self._ends[id(undone)][1][:1]
                for other in entries[:1]
            ]

    def _draw_inside(self, box: Box) -> tuple[list[str], list[str]]:
        if box.start:
            return self._draw_machine(box)
        return self._draw_parallel(box) if box.parallel else self._draw_sequence(box)

    def _mark(self, kind: str, box: Box) -> str:
        key = f"{kind}{self._count[kind]}"
        self._count[kind] += 1
        self.marks.append(Mark(self._depth, key, box.label, box.notes, box.look))
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
