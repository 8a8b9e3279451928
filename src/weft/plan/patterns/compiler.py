"""What compiles a document: the tables of pattern and step compilers, and the way from one to the other.

Each pattern and each kind of step has a compiler of its own. They know each other only through here, so that any step may stand
wherever steps stand, and a whole pattern wherever a step does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from weft.plan import nodes
from weft.spec.model.base import Section
from weft.spec.model.workflow import Workflow

PREVIOUS = "{{ last_response }}"
"""What an agent without `input` gets when something came before."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a step stands: its name in paths, its place among its siblings, and what an agent without `input` gets."""

    name: str
    index: int | None = None
    prompt: str = PREVIOUS


StepCompiler = Callable[[Any, "Compiler", Slot], nodes.Node]
PatternCompiler = Callable[[Any, "Compiler", str], nodes.Node]
"""Takes the pattern, the compiler and the name of the node to make: empty at the top of a plan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiler:
    """Compiles the parts of one document.

    `patterns` and `steps` are the compilers by the class of what they compile; a subclass is compiled as its nearest base.
    `opening` is what an agent without `input` gets when nothing came before. A step that makes a plan of its own puts it into `children`.
    """

    workflow: Workflow
    patterns: Mapping[type, PatternCompiler]
    steps: Mapping[type, StepCompiler]
    opening: str
    children: dict[str, nodes.Plan] = field(default_factory=dict)

    def pattern(self, pattern: object, name: str = "") -> nodes.Node:
        """The tree of a pattern, under `name`."""
        compile_pattern: PatternCompiler = _of(pattern, self.patterns)
        return compile_pattern(pattern, self, name)

    def nested(self, pattern: Any, name: str, opening: str) -> nodes.Node:
        """The tree of a pattern that stands as a step: it begins as an agent there would, and leaves only its response."""
        inside = replace(self, opening=opening)
        return nodes.Sequence(
            name=name, children=(inside.pattern(pattern, pattern.type),), value={"response": "last_response"}
        )

    def step(self, step: Section, slot: Slot) -> nodes.Node:
        """The node of one step, of whatever kind."""
        compile_step: StepCompiler = _of(step, self.steps)
        return compile_step(step, self, slot)

    def series(self, steps: Sequence[Section], opening: str | None = None) -> tuple[nodes.Node, ...]:
        """The nodes of consecutive steps: ``step[0]`` and so on, or the `id` of a step."""
        first = self.opening if opening is None else opening
        return tuple(
            self.step(step, Slot(getattr(step, "id", None) or f"step[{index}]", index, PREVIOUS if index else first))
            for index, step in enumerate(steps)
        )


def _of(part: object, table: Mapping[type, Any]) -> Any:
    return next(table[kind] for kind in type(part).__mro__ if kind in table)
