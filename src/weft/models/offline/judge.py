# ruff: noqa: RUF001 -- typographic marks in patterns are meant
# ruff: noqa: SIM905 -- word lists read best as prose
"""Judge: a score by overlap, with the missing words as its reasons."""

from __future__ import annotations

import re
from dataclasses import dataclass

from weft.models.offline.brief import Brief
from weft.models.offline.sentences import Sentence
from weft.models.offline.words import STOPWORDS, stem, terms, words

_CANDIDATE = re.compile(r"\b(?:draft|answer|response|candidate|attempt|submission|essay|reply|output)\b", re.IGNORECASE)
_JUDGES = re.compile(r"\b(?:scor|rat(?:e|ing)|grad|judg|critic|evaluat|assess|review)", re.IGNORECASE)
_RANGES = (
    re.compile(
        r"(?P<low>\d{1,4}(?:\.\d+)?)\s*(?:-|–|to|and|through|\.\.)\s*(?P<high>\d{1,4}(?:\.\d+)?)", re.IGNORECASE
    ),
    re.compile(r"(?:out of|of|/|scale of|maximum)\s*(?P<high>\d{1,4}(?:\.\d+)?)", re.IGNORECASE),
)
_TASK_WORDS = frozenset(
    stem(word)
    for word in """score rate rating grade evaluate assess judge critique review draft answer response candidate json issues
    fixes reason scale points criteria quality give return reply number between question text task following write short
    list feedback well good clear one two three accuracy accurate completeness complete clarity relevance relevant tone style
    correctness correct conciseness helpfulness factual cover covers mention mentions""".split()
)
MISSING = 6


@dataclass(frozen=True, slots=True)
class Verdict:
    """How much of what was asked for a text covers: `share` from 0 to 1, and the words that it lacks."""

    share: float
    held: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def issues(self) -> list[str]:
        """What the text lacks, one finding a word."""
        if not self.held and not self.missing:
            return ["The request names nothing that the text could be compared with."]
        return [f"The text says nothing about {word!r}." for word in self.missing]

    @property
    def fixes(self) -> list[str]:
        """What would mend each issue."""
        if not self.held and not self.missing:
            return ["Say in the request what the text should cover."]
        return [f"Add a sentence about {word!r}." for word in self.missing]


def judge(brief: Brief) -> Verdict:
    """Compare the text under review with what the request expects of it.

    The text is what stands under a label such as ``Draft:``, or all of it; expected are the words of the rest: the
    question, the criteria and the material that the text should rest on.
    """
    candidate, reference = _sides(brief)
    given = {term for unit in candidate for term in terms(unit.text)}
    wanted = dict.fromkeys(_subject(brief.ask))
    if not wanted and _JUDGES.search(brief.role):
        wanted = dict.fromkeys(_subject(brief.role))
    if reference:
        counts: dict[str, int] = {}
        for unit in reference:
            for word in _subject(unit.text):
                counts[word] = counts.get(word, 0) + 1
        wanted |= dict.fromkeys(sorted(counts, key=lambda w: -counts[w])[:20])
    held = tuple(word for word in wanted if stem(word) in given)
    missing = tuple(word for word in wanted if stem(word) not in given)
    share = len(held) / len(wanted) if wanted else 0.0
    return Verdict(share, held, missing[:MISSING])


def _sides(brief: Brief) -> tuple[list[Sentence], list[Sentence]]:
    units = list(brief.units)
    start = next((i for i, u in enumerate(units) if _CANDIDATE.match(u.text) and ":" in u.text[:24]), None)
    if start is None:
        start = next((i for i, u in enumerate(units) if u.kind == "heading" and _CANDIDATE.search(u.text)), None)
    if start is None:
        return units, []
    return units[start:], units[:start]


def _subject(text: str) -> list[str]:
    return [
        w for w in words(text) if w not in STOPWORDS and len(w) > 2 and stem(w) not in _TASK_WORDS and not w.isdigit()
    ]


def scale(text: str) -> tuple[float, float]:
    """The scale that a request names, such as ``0 to 10`` or ``out of 5``; 0 to 1 when it names none."""
    near = re.search(r"\b(?:scor|rat|grad|scale|points?|out of)\w*", text, re.IGNORECASE)
    if near is None:
        return 0.0, 1.0
    window = text[max(0, near.start() - 40) : near.end() + 80]
    for pattern in _RANGES:
        if found := pattern.search(window):
            low, high = float(found.groupdict().get("low") or 0), float(found.group("high"))
            if low < high:
                return low, high
    return 0.0, 1.0


def on_scale(share: float, low: float, high: float, *, whole: bool) -> float:
    """`share` (0 to 1) on the scale from `low` to `high`, rounded to a whole number or to two decimals."""
    value = low + share * (high - low)
    return float(round(value)) if whole else round(value, 2)
