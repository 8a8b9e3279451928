"""The key under which a draft is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from weft.core.canonical import digest
from weft.plan.planner.cards import Card
from weft.plan.planner.rules import VERSION


def normalised(request: str) -> str:
    """The request without what makes no difference: capitals, the width of white space, and a last full stop.

    Line ends stay, because a list is not the same as a sentence.
    """
    lines = (" ".join(line.split()).casefold() for line in request.strip().splitlines())
    return "\n".join(line for line in lines if line).rstrip(" .!")


def key_of(request: str, cards: Sequence[Card], settings: Mapping[str, object], answers: Mapping[str, str]) -> str:
    """The key of a request to agents with these cards, by this version of the planner."""
    shaping = {name: settings.get(name) for name in ("writer", "ambiguous", "alternatives", "max_steps")}
    return digest(
        {
            "version": VERSION,
            "request": normalised(request),
            "cards": [card.as_json() for card in cards],
            "settings": shaping,
            "answers": dict(answers),
        }
    )
