# ruff: noqa: SIM905 -- word lists read best as prose
"""Question: the parts of what is asked, each with the words and the form that an answer to it would have."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from weft.models.offline.evidence import PROPER
from weft.models.offline.words import stem, terms

_ASKS = r"(?:what|who|whom|whose|which|when|where|why|how)\b"
_JOINT = re.compile(rf"[?;]\s+|,?\s+(?:and|or)\s+(?={_ASKS})|,\s+(?={_ASKS})", re.IGNORECASE)
_LEAD_IN = re.compile(rf"^[^?]{{0,300}}?:\s+(?={_ASKS})", re.IGNORECASE)
_GIVEN = re.compile(
    r"^\W*(?:given|based on|according to|using|considering|from|in|with)\s+(?:only\s+)?(?:the|this|that|these|those|my|our)?\s*"
    r"(?:\w+\s+){0,2}?(?:text|document|passage|article|context|information|note|material|report|source|page|file)s?\b[^,?]{0,40},\s+",
    re.IGNORECASE,
)
"""How a question says where to look, which is no part of what is asked."""
_MAX_PARTS = 8
_NUMBER = (
    r"(?i)\d|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|"
    r"eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|thousand|million|dozen|twice|half)\b"
)
_CUES: tuple[tuple[str, str], ...] = (
    (r"\bhow (?:many|much|long|far|often|old|high|large|big)\b|\bcosts?\b|\bprice\b|\bnumbers?\b", _NUMBER),
    (
        r"\bwhy\b|\bcause[sd]?\b|\breasons?\b",
        r"(?i)\b(?:caus(?:e[sd]?|ing)|because|since|due to|owing to|led to|reasons?|result(?:ed|s)? (?:in|of|from)|so that)\b",
    ),
    (
        r"\brules?\b|\bpolic(?:y|ies)\b|\ballowed\b",
        (
            r"(?i)\b(?:must|may|shall|never|always|rules?|no longer|not allowed|refuses?|replaces?d?|cannot)\b|"
            r"\b(?:keeps|closes|goes|becomes|counts as)\b"
        ),
    ),
    (
        r"\bwhen\b|\bwhat time\b|\b(?:what|which) (?:day|date|year|month)\b",
        (
            r"(?i)\b\d{1,2}[:.]\d\d\b|\b(?:1[5-9]|20)\d\d\b|\b(?:January|February|March|April|May|June|July|August|September|"
            r"October|November|December|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|o'clock|midnight|noon|half past)\b"
        ),
    ),
    (r"\bwho(?:m|se)?\b", r"\b(?:I|we|Mr|Mrs|Ms|Dr)\b|(?<=[a-z,] )[A-Z][a-z]+"),
)
"""A question of a kind, and what a sentence that answers such a question is likely to hold."""
_MEASURES = re.compile(r"\bhow (many|much|long|far|often|old|high|large|big)\b", re.IGNORECASE)
_RELATED: Mapping[str, frozenset[str]] = {
    stem(word): frozenset(map(stem, others.split()))
    for word, others in {
        "cost": "damage price sum total bill expense expensive spent estimate",
        "price": "cost fee paid",
        "cause": "fault failure",
        "destroyed": "lost disposed ruined discarded",
        "lost": "destroyed loss",
        "loss": "lost destroyed damage",
        "rule": "recommendation measure requirement policy regulation",
        "changed": "replaced corrected withdrawn amended introduced",
        "begin": "start began started opened",
        "start": "begin began opened",
        "stop": "end ended halted ceased",
        "buy": "bought purchase",
        "decided": "decision resolved agreed voted carried",
        "author": "wrote written led",
    }.items()
}
"""Words that commonly stand in an answer in place of the word of the question."""
_EMPTY = frozenset(
    map(
        stem,
        """read tell explain describe answer find quote quotes summarise summarize text document documents file say says said
        mention mentions according exact exactly give show sentence sentences following question look afterwards happen
        happened thing matter important""".split(),
    )
)
"""Words that every task has, or that say nothing about its subject."""


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that is asked."""

    text: str
    own: frozenset[str]
    """The terms that an answer should hold."""
    names: frozenset[str] = frozenset()
    """Terms of the names in it: they tell between answers, and make one only where the part has nothing else."""
    topic: frozenset[str] = frozenset()
    """Terms of the other parts and of hints, which tell a little between answers."""
    about: frozenset[str] = frozenset()
    """Terms of the names in the whole question: what it is about, whichever part is answered."""
    cue: re.Pattern[str] | None = None
    """What the form of an answer is likely to be."""

    @property
    def related(self) -> frozenset[str]:
        """Terms that commonly stand in place of `own`."""
        return frozenset(other for term in self.own for other in _RELATED.get(term, ())) - self.own

    def alternatives(self, term: str) -> frozenset[str]:
        """`term` and what stands in place of it."""
        return _RELATED.get(term, frozenset()) | {term}

    @property
    def weights(self) -> dict[str, float]:
        """What each term is worth to this part."""
        return {
            **dict.fromkeys(self.topic, 0.25),
            **dict.fromkeys(self.related, 0.5),
            **dict.fromkeys(self.names, 0.7),
            **dict.fromkeys(self.own, 1.0),
        }

    def coverage(self, held: Collection[str]) -> float:
        """The share of the part's own terms that `held` holds, by themselves or by a related word."""
        met = [term for term in self.own if term in held or not _RELATED.get(term, frozenset()).isdisjoint(held)]
        return len(met) / len(self.own) if self.own else 0.0


def parts_of(question: str, hints: str = "") -> list[Part]:
    """The parts of `question`; a bare "and why" belongs to the piece before it."""
    pieces: list[str] = []
    for piece in _JOINT.split(_GIVEN.sub("", _LEAD_IN.sub("", question.strip()))):
        text = piece.strip(" ,;:?.\n")
        if pieces and (not _own(text) or not _own(pieces[0]) or len(pieces) == _MAX_PARTS):
            pieces[-1] = f"{pieces[-1]}, {text}".strip(" ,")
        elif text:
            pieces.append(text)
    owns = [_own(piece) for piece in pieces]
    every = frozenset(terms(hints)).union(*owns)
    about = frozenset(terms(" ".join(name for piece in pieces for name in PROPER.findall(piece[1:]))))
    parts: list[Part] = []
    for piece, own in zip(pieces, owns, strict=True):
        names = own & about if own - about else frozenset()
        parts.append(Part(piece, own - names, names, every - own, about, _cue(piece)))
    return parts


def _own(piece: str) -> frozenset[str]:
    return frozenset(terms(_MEASURES.sub(" ", piece))) - _EMPTY


def _cue(piece: str) -> re.Pattern[str] | None:
    return next((re.compile(form) for kind, form in _CUES if re.search(kind, piece, re.IGNORECASE)), None)
