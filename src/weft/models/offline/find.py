"""Find: the sentences that a question is about, for each of its parts."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from weft.models.offline.question import Part, parts_of
from weft.models.offline.rank import DANGLING, Scored, alike, central
from weft.models.offline.sentences import Sentence
from weft.models.offline.words import terms

_K1, _B = 1.4, 0.6
_FITS = 2.0
"""The premium of a sentence that has the form of an answer."""
_ABOUT = 1.4
"""The premium of a sentence that is about what the question names, or stands in a text that is."""
_ELSEWHERE = 0.7
"""What is left of a sentence that is not, where the part itself holds the name."""
_SUPPOSED = re.compile(r"\b(?:would|could|should|might)\b[^.;]{0,30}\bhave\b|^Had\b", re.IGNORECASE)
_AROUND = 0.4
"""What a term is worth in the title, the source or the list of a sentence."""
_ABOVE = 0.8
"""The same in its heading."""
_FEW_WORDS = 5
"""Terms below which a sentence seldom stands alone."""
_POOL = 40
_MOST = 600


@dataclass(frozen=True, slots=True)
class Answer:
    """A part of a question and the sentences that answer it, best first."""

    part: Part
    hits: tuple[Scored, ...]

    @property
    def coverage(self) -> float:
        """The share of what was asked that the sentences speak of."""
        held = {t for hit in self.hits for t in hit.terms.union(*map(terms, (hit.sentence.heading, hit.sentence.lead)))}
        return self.part.coverage(held)


@dataclass(frozen=True, slots=True)
class _Row:
    unit: Sentence
    counts: Counter[str]
    size: int
    heading: frozenset[str]
    place: frozenset[str]
    """The terms of its heading, its source and its title."""
    above: frozenset[str]
    """The terms of its heading and of the line that introduces its list."""
    around: frozenset[str]
    """All of these."""


def find(units: Sequence[Sentence], question: str, *, limit: int, hints: str = "", weak: float = 0.0) -> list[Answer]:
    """At most `limit` sentences over all parts of `question`, dealt out in turns, so that no part takes the room of another.

    `hints` tell between sentences that answer equally well. A sentence that reaches less than the share `weak` of the best
    one for its part is left out.
    """
    parts = parts_of(question, hints)
    rows = _rows(units)
    ranked = [_distinct(_search(rows, part) or _by_form(rows, part), limit, weak) for part in parts]
    chosen: list[Scored] = []
    dealt: list[list[Scored]] = [[] for _ in parts]
    for turn in zip_longest(*ranked):
        for place, hit in enumerate(turn):
            if hit is None or len(chosen) == limit or any(alike(hit.terms, other.terms) for other in chosen):
                continue
            chosen.append(hit)
            dealt[place].append(hit)
    return [Answer(part, tuple(hits)) for part, hits in zip(parts, dealt, strict=True)]


def matching(units: Sequence[Sentence], question: str, *, limit: int) -> list[Scored]:
    """At most `limit` sentences for `question`, the best for each of its parts first, without near repeats."""
    turns = zip_longest(*(answer.hits for answer in find(units, question, limit=limit)))
    return [hit for turn in turns for hit in turn if hit is not None]


def _rows(units: Sequence[Sentence]) -> list[_Row]:
    titles = {unit.source: unit.text for unit in reversed(units) if unit.kind == "heading"}
    known: dict[tuple[str, str, str], tuple[frozenset[str], frozenset[str], frozenset[str], frozenset[str]]] = {}
    rows: list[_Row] = []
    for unit in units:
        if unit.kind == "heading":
            continue
        place = (unit.heading, unit.lead, unit.source)
        if place not in known:
            heading, lead = frozenset(terms(unit.heading)), frozenset(terms(unit.lead))
            whole = heading.union(terms(f"{unit.source} {titles.get(unit.source, '')}"))
            known[place] = heading, whole, heading | lead, whole | lead
        counts = Counter(terms(unit.text))
        rows.append(_Row(unit, counts, sum(counts.values()), *known[place]))
    return rows


def _search(rows: Sequence[_Row], part: Part) -> list[Scored]:
    """The sentences that share the rare terms of `part` (BM25), best first."""
    weights, needed = part.weights, part.own | part.related
    worth = _worth(rows, part)
    mean = sum(row.size for row in rows) / max(1, len(rows)) or 1.0
    scored: list[Scored] = []
    for row in rows:
        hit, context = weights.keys() & row.counts.keys(), weights.keys() & row.around
        if hit.isdisjoint(needed) and needed.isdisjoint(row.above) and not (part.own and part.own <= row.around):
            continue
        norm = _K1 * (1 - _B + _B * row.size / mean)
        given = {t: (_ABOVE if t in row.heading else _AROUND) * worth[t] for t in context - hit}
        given |= {t: worth[t] * row.counts[t] * (_K1 + 1) / (row.counts[t] + norm) for t in hit}
        # Two words for one thing count once.
        best = [max(given.get(t, 0.0) for t in part.alternatives(own)) for own in part.own]
        # The terms come in no fixed order; an exact sum does not depend on it.
        score = math.fsum([*best, *(value for t, value in given.items() if t not in needed)])
        if score > 0:
            share = 0.5 + 0.5 * part.coverage(row.heading | row.counts.keys())
            scored.append(Scored(row.unit, score * share * _form(row, part), frozenset(row.counts)))
    return sorted(scored, key=lambda s: (-s.score, s.sentence.index))


def _worth(rows: Sequence[_Row], part: Part) -> dict[str, float]:
    """What each term of `part` is worth: the more, the fewer sentences hold it.

    A word that stands in place of another is never worth more than that one for being rare.
    """
    weights = part.weights
    held: dict[str, set[int]] = {term: set() for term in weights}
    for place, row in enumerate(rows):
        for term in weights.keys() & row.counts.keys():
            held[term].add(place)
    count = {term: len(places) for term, places in held.items()}
    for own in part.own:
        together = len(set().union(*(held[term] for term in part.alternatives(own))))
        count |= {term: max(count[term], together) for term in part.alternatives(own)}
    return {term: weights[term] * math.log(1 + (len(rows) - n + 0.5) / (n + 0.5)) for term, n in count.items()}


def _form(row: _Row, part: Part) -> float:
    """How much a sentence has the form of an answer to `part`, around 1."""
    text, kind = row.unit.text, row.unit.kind
    form = 0.6 if text.endswith("?") else {"code": 0.6, "row": 0.8}.get(kind, 1.0)
    if len(row.counts) < _FEW_WORDS and kind == "prose":
        form *= 0.6
    if part.about:
        of_it = part.about <= row.place | row.counts.keys()
        form *= _ABOUT if of_it else _ELSEWHERE if part.names else 1.0
    if DANGLING.match(text):
        form *= 0.7
    if part.cue is not None and part.cue.search(text):
        form *= _FITS
    if _SUPPOSED.search(text) and not re.search(r"\b(?:would|could|should|might)\b", part.text):
        # What would have been is no answer to what was.
        form *= 0.5
    return form


def _by_form(rows: Sequence[_Row], part: Part) -> list[Scored]:
    """For a question without a subject of its own ("How many, how much?"): the central sentences of its form."""
    if part.cue is None or part.own - {"number"}:
        return []
    fitting = [row.unit for row in rows if part.cue.search(row.unit.text)]
    chosen = central(fitting, limit=_POOL // 4)
    return [Scored(unit, 1.0, frozenset(terms(unit.text))) for unit in chosen]


def _distinct(ranked: Sequence[Scored], limit: int, weak: float) -> list[Scored]:
    """The best of `ranked` without near repeats; each pick from a source makes room for the other sources."""
    pool = [hit for hit in ranked[: min(_POOL + 10 * limit, _MOST)] if hit.score >= weak * ranked[0].score]
    taken: Counter[str] = Counter()
    chosen: list[Scored] = []
    while pool and len(chosen) < limit:
        best = max(pool, key=lambda hit: hit.score * 0.9 ** taken[hit.sentence.source])
        pool.remove(best)
        if not any(alike(best.terms, other.terms) for other in chosen):
            chosen.append(best)
            taken[best.sentence.source] += 1
    return chosen
