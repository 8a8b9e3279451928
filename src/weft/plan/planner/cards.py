"""Cards: what an agent can do, as the planner reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from weft.plan.planner.words import concepts, counted

_PROMPT = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One agent: what it is called, what it can do, what it uses, takes and gives."""

    id: str
    description: str = ""
    capabilities: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    input: str = ""
    output: str = ""

    def weights(self) -> dict[str, float]:
        """How much each concept says for this agent: most when it is a capability, least when it is only described."""
        found = dict.fromkeys(counted((self.description, self.input, self.output, *self.tools)), DESCRIBED)
        found |= dict.fromkeys(counted((*self.tags, self.id)), NAMED)
        return found | dict.fromkeys(counted(self.capabilities), CAPABLE)

    def name(self) -> tuple[str, ...]:
        """The concepts of its id, in order."""
        return tuple(concepts(self.id))

    def as_json(self) -> dict[str, Any]:
        """The card, without what is empty."""
        fields = ("id", "description", "capabilities", "tags", "tools", "input", "output")
        values = ((name, getattr(self, name)) for name in fields)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values if value}


CAPABLE, NAMED, DESCRIBED = 3.0, 2.0, 1.0


def card_of(name: str, definition: Mapping[str, Any]) -> Card:
    """The card of an agent from its definition; an agent without a description is described by its prompt."""
    said: Mapping[str, Any] = definition.get("card") or {}
    return Card(
        id=name,
        description=said.get("description") or str(definition.get("prompt") or "")[:_PROMPT],
        capabilities=tuple(said.get("capabilities") or ()),
        tags=tuple(said.get("tags") or ()),
        tools=tuple(definition.get("tools") or ()),
        input=said.get("input") or "",
        output=said.get("output") or "",
    )


def cards_of(definitions: Mapping[str, Any], names: list[str] | None = None) -> tuple[Card, ...]:
    """The cards of the agents of a plan, or of those in `names`."""
    agents: Mapping[str, Any] = definitions.get("agents") or {}
    wanted = list(agents) if names is None else names
    return tuple(card_of(name, agents[name]) for name in sorted(wanted))
