"""Rank: which sentences carry a text."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from weft.models.offline.sentences import Sentence
from weft.models.offline.words import terms

DANGLING = re.compile(
    r"^(?:this|that|these|those|it|its|they|their|he|she|such|but|or|however|also|and|so|then|therefore|thus|moreover|"
    r"furthermore|additionally|instead|otherwise|for example|for instance|see|note that|in this|as (?:above|below))\b",
    re.IGNORECASE,
)
_BARE = re.compile(r"(?:[\w@~.-]+/)*[\w@~.-]+\.[A-Za-z]\w{0,9}|\w+(?: \w+)?:")
_SAME = 0.7
"""The share of the shorter sentence's terms from which on two sentences say the same."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A sentence with its score and its distinct terms."""

    sentence: Sentence
    score: float
    terms: frozenset[str]


def central(
    units: Sequence[Sentence], *, limit: int, focus: str = "", said: Collection[frozenset[str]] = ()
) -> list[Sentence]:
    """At most `limit` sentences that carry `units`, in document order; none that repeats what is `said` (by its terms).

    A sentence is worth the frequency of its terms over the whole text, per term, with a premium for openings and for the
    terms of `focus`. Each pick devalues its terms and its source for the next one, so that two ways to say one thing are
    not both taken and no source is left out for being short.
    """
    weight = _term_weights(units, focus)
    scored = _weigh(units, weight)
    chosen: list[Scored] = []
    pool = sorted(scored, key=lambda s: -s.score)[: 40 + 12 * limit]
    taken: Counter[str] = Counter()
    while pool and len(chosen) < limit:
        best = max(
            pool,
            key=lambda s: (_worth(s.sentence, s.terms, weight) * 0.75 ** taken[s.sentence.source], -s.sentence.index),
        )
        pool.remove(best)
        if any(alike(best.terms, other) for other in (*said, *(known.terms for known in chosen))):
            continue
        chosen.append(best)
        taken[best.sentence.source] += 1
        for term in best.terms:
            weight[term] *= 0.4
    return [s.sentence for s in sorted(chosen, key=lambda s: s.sentence.index)]


def quotable(unit: Sentence) -> bool:
    """Whether a unit says something by itself: no heading, no code, no bare path and no bare label."""
    return unit.kind not in ("heading", "code") and not _BARE.fullmatch(unit.text)


def _term_weights(units: Sequence[Sentence], focus: str) -> dict[str, float]:
    counts = Counter(term for unit in units if unit.kind != "code" for term in set(terms(unit.text)))
    weight = {term: math.log1p(count) for term, count in counts.items()}
    for term in set(terms(focus)):
        if term in weight:
            weight[term] += 1.0
    for unit in units:
        if unit.kind == "heading":
            for term in set(terms(unit.text)):
                weight[term] *= 1.2
    return weight


def _weigh(units: Sequence[Sentence], weight: dict[str, float]) -> list[Scored]:
    own_terms = [(unit, frozenset(terms(unit.text))) for unit in units if quotable(unit)]
    full = [(unit, own) for unit, own in own_terms if len(own) >= 3] or [(unit, own) for unit, own in own_terms if own]
    return [Scored(unit, _worth(unit, own, weight), own) for unit, own in full]


def _shape(unit: Sentence, size: int) -> float:
    """How well a sentence stands alone, 0 to about 1.3."""
    shape = 1.25 if unit.first else 1.0
    if DANGLING.match(unit.text):
        shape *= 0.55
    if unit.text.endswith((":", "?")):
        shape *= 0.5
    if size > 20:
        shape *= 20 / size
    if "://" in unit.text or (unit.kind == "item" and size < 6 and unit.text[-1] not in ".!"):
        # Addresses and bare entries of a list say little by themselves.
        shape *= 0.5
    if not unit.text[0].isupper():
        shape *= 0.75
    letters = sum(map(str.isalpha, unit.text)) / len(unit.text)
    if letters < 0.72:
        # Arrows, formulas and paths read badly out of their place.
        shape *= letters / 0.72
    return shape * {"prose": 1.0, "item": 0.9, "row": 0.6}.get(unit.kind, 1.0)


def _worth(unit: Sentence, own: frozenset[str], weight: dict[str, float]) -> float:
    # Between sum and mean: neither the longest nor the shortest sentence wins by its length.
    # The terms come in no fixed order; an exact sum does not depend on it.
    return math.fsum(weight[t] for t in own) / math.pow(len(own), 0.6) * _shape(unit, len(own))


def alike(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether two sentences, given by their terms, say the same; never when each has a number that the other lacks."""
    if len(one & other) < _SAME * min(len(one), len(other)):
        return False
    return not (_numbers(one - other) and _numbers(other - one))


def _numbers(found: frozenset[str]) -> bool:
    return any(term.isdigit() for term in found)
