"""Who can do a task: the words of the task against the cards of the agents."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from weft.plan.planner.cards import CAPABLE, Card
from weft.plan.planner.verbs import verb_of
from weft.plan.planner.words import concepts

ENOUGH = 2.0
"""A score below this says that the agent cannot do it."""
NEAR = 0.9
"""A second agent whose score is at least this part of the best one's could be meant as well."""
_VERB = 1.25
_COMMON = 0.67
"""What a concept still says that all agents have: so much that a capability is enough."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An agent that could do a task, and how well it fits."""

    agent: str
    score: float


class Matcher:
    """Compares tasks with the same cards again and again."""

    def __init__(self, cards: Sequence[Card]) -> None:
        self._cards = tuple(cards)
        self._weights = {card.id: card.weights() for card in cards}
        self._names = {card.id: card.name() for card in cards}
        known = [name for weights in self._weights.values() for name in weights]
        self._rarity = {name: _rarity(known.count(name), len(self._cards)) for name in set(known)}
        self.candidates = lru_cache(maxsize=1024)(self._candidates)

    def _candidates(self, task: str) -> tuple[Candidate, ...]:
        """The agents that could do `task`, the best first; one that is named is the only one."""
        said = concepts(task)
        if named := self._named(said):
            return (Candidate(named, CAPABLE),)
        verb = verb_of(task)
        found = []
        for card in self._cards:
            weights = self._weights[card.id]
            score = sum(
                weights[name] * self._rarity[name] * (_VERB if name == verb else 1.0)
                for name in dict.fromkeys(said)
                if name in weights
            )
            if score >= ENOUGH:
                found.append(Candidate(card.id, score))
        return tuple(sorted(found, key=lambda one: (-one.score, one.agent)))

    def _named(self, said: list[str]) -> str | None:
        """The one agent whose name, of more than one word, stands in the task."""
        pairs = {tuple(said[at : at + size]) for size in (2, 3, 4) for at in range(len(said))}
        found = [agent for agent, name in self._names.items() if len(name) > 1 and name in pairs]
        return found[0] if len(found) == 1 else None

    def best(self, task: str) -> str | None:
        """The agent that fits best."""
        found: tuple[Candidate, ...] = self.candidates(task)
        return found[0].agent if found else None

    def tied(self, task: str) -> tuple[str, ...]:
        """The agents that fit so alike that only the asker knows which is meant; none when one is ahead."""
        found: tuple[Candidate, ...] = self.candidates(task)
        near = tuple(one.agent for one in found if one.score >= found[0].score * NEAR)
        return near if len(near) > 1 else ()


def _rarity(count: int, cards: int) -> float:
    """A concept that many agents have says little about who is meant."""
    return 1.0 if count == 1 else max(_COMMON, math.log(1 + cards / count) / math.log(1 + cards))
