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
_VERSION = re.compile(
    r"(?:the )?(?:summary|translation|version|proposal|slogan|poem|haiku|story|post|email|e-mail|code|text)"
    r"(?: (?:to review|to evaluate|under review))?:",
    re.IGNORECASE,
)
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
    correctness correct conciseness helpfulness factual cover covers mention mentions evaluation evaluator editor demanding strict
    senior engineer expert please below following must only valid exact format respond output keys compare faithfulness structure
    engaging coherence grammar under between scale rubric minimum least say says yes why essay essays reviewer""".split()
)
_MARKED = re.compile(
    r"^(?P<mark>-{3,}|={3,}|\"{3}|'{3}|`{3,})[\w-]*[ \t]*\n(?P<text>.*?)\n(?P=mark)[ \t]*$"
    r"|<(?P<tag>draft|answer|response|essay|text|output|candidate|submission)>(?P<tagged>.*?)</(?P=tag)>",
    re.DOTALL | re.MULTILINE | re.IGNORECASE,
)
_ORDERED = re.compile(
    r"\A(?P<order>\w*(?:scor|rat|grad|judg|evaluat|assess|review|critique|check)[^:\n]{0,80}:)\s*(?P<text>\S(?:(?!\n\s*\n).)*)\Z",
    re.DOTALL | re.IGNORECASE,
)
_EXPECTED = re.compile(
    r"(?:source|task|question|topic|requirements?|criteria|brief|original|reference)\b[^:]{0,20}:", re.IGNORECASE
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
    if brief.judging and not brief.units:
        return Verdict(0.0, (), ())
    candidate, reference = _sides(brief)
    given = {term for unit in candidate for term in terms(unit.text)}
    wanted = dict.fromkeys(_subject(brief.ask))
    if not wanted and not reference and _JUDGES.search(brief.role):
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


def with_label(prompt: str) -> str:
    """`prompt` with the text between marks (rules, fences, tags) under a label, behind what says how to judge it."""
    found = _MARKED.search(prompt)
    if found is None:
        return _ORDERED.sub(r"\g<order>\n\nDraft:\n\g<text>", prompt)
    text = found["text"] if found["tagged"] is None else found["tagged"]
    return f"{prompt[: found.start()].rstrip()}\n\n{prompt[found.end() :].strip()}\n\nDraft:\n{text.strip()}"


def _sides(brief: Brief) -> tuple[list[Sentence], list[Sentence]]:
    units = list(brief.units)
    start = next((i for i, u in enumerate(units) if _CANDIDATE.match(u.text) and ":" in u.text[:24]), None)
    if start is None:
        start = next((i for i, u in enumerate(units) if u.kind == "heading" and _CANDIDATE.search(u.text)), None)
    if start is None:
        start = next((i for i, u in enumerate(units) if _VERSION.match(u.text)), None)
    if start is None:
        return units, []
    end = next((i for i in range(start + 1, len(units)) if _EXPECTED.match(units[i].text)), len(units))
    return units[start:end], [*units[:start], *units[end:]]


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
