"""A request as pieces of work: split at lists, sentences, order words and commas, with what comes before what.

Nothing here knows the agents: whether two pieces are two tasks or one is decided by who could do them, which the caller's
`joined` answers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from weft.core.errors import InputError
from weft.plan.planner.verbs import COMPOSING, GATHERING, JUDGING, STUDYING, verb_of
from weft.plan.planner.words import STOP, concept, listed, plain, words

MAX_REQUEST = 20_000
MAX_PIECES = 60
"""Pieces of one request; each is compared with all before it."""

_THEN, _BESIDE, _EARLIER = "\u27f6", "\u2225", "\u27f5"
_MARKS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), mark)
    for pattern, mark in (
        (r"\b(?:before|prior to) (?:that|this|doing so)\b,?", _EARLIER),
        (r",? \bbut first\b,?", f". {_EARLIER} "),
        (
            r"(?:,? ?\band )?\b(?:once|when|after|as soon as) (?:that|this|it|all this|all that)(?:'s| is| has been| was) (?:done|finished|ready|complete|completed)\b,?",
            f" {_THEN} ",
        ),
        (
            r"(?:,? ?\band )?\b(?:and then|then|after that|after this|afterwards?|subsequently|thereafter|followed by|following that|finally|lastly|in the end|to finish|as a last step|at last)\b,?",
            f" {_THEN} ",
        ),
        (
            r"(^|[.,;:!?\n]\s*)(?:and )?next\b,?(?! (?:day|week|month|year|quarter|time|monday|tuesday|wednesday|thursday|friday|saturday|sunday))",
            rf"\1 {_THEN} ",
        ),
        (
            r"(?:,? ?\band,? )?\b(?:in parallel|simultaneously|at the same time|concurrently|meanwhile|in the meantime|separately|independently|as well as|alongside)\b,?",
            f" {_BESIDE} ",
        ),
        (
            r"(^|[.,;:!?\n]\s*)(?:also|first|firstly|first of all|to begin with|to start with|second|secondly|third|thirdly)\b,?",
            r"\1 ",
        ),
        (r"\bas well\b|\btoo\b(?=[.,;!?]|$)", " "),
    )
)
_NUMBERED = re.compile(r"^\s*(?:step\s+)?\d{1,3}\s*[.):]\s+", re.IGNORECASE)
_BULLET = re.compile(r"^\s*[-*\u2022]\s+")
_SENTENCES = re.compile(r"(?<=[.;!?])\s+|\n+|(?<=\S)[;!?]\s*")
_COMMA = re.compile(r"\s*,\s*(?:and\s+|or\s+|plus\s+)?|\s+(?:and|plus)\s+", re.IGNORECASE)
_POLITE = re.compile(
    r"^(?:please|kindly|hi|hello|could you|can you|would you|will you|i (?:would like|want|need)(?: you)?(?: to)?|i'd like(?: you)?(?: to)?"
    r"|we (?:want|need)(?: you)?(?: to)?|let's|let us|you should|you must|make sure to|be sure to|i|and|or|but|to|now|so)\b[\s,]*",
    re.IGNORECASE,
)
_LEADING = (
    (r"^(?:after|once|when|as soon as)\s+(.+?),\s*(.+)$", "first"),
    (r"^(?:before|prior to)\s+(.+?),\s*(.+)$", "last"),
    (r"^(?:while|whilst)\s+(.+?),\s*(.+)$", "beside"),
)
_TRAILING = (
    (r"^(.+?),?\s+(?:only\s+)?(?:after|once|as soon as)\s+(.+)$", "last"),
    (r"^(.+?),?\s+(?:before|prior to)\s+(.+)$", "first"),
    (r"^(.+?),?\s+(?:while|whilst)\s+(.+)$", "beside"),
)
_ALL = re.compile(
    r"\b(?:both|all|everything|combine|merge|put (?:it|them) together|all (?:of )?(?:the )?results|the results)\b",
    re.IGNORECASE,
)
_PRONOUN = re.compile(r"\b(?:it|them|this|these|those|that|they)\b(?! (?:is|are|was|were) \w+ing)", re.IGNORECASE)
_KNOWN = listed("the this that these those my our your his her their its")
"""Words before things that are spoken of as known."""
_BACK = listed("the this that these those its their")
"""Those of them that can point back to what another piece brings about."""


@dataclass(slots=True)
class Piece:
    """One piece of work: its words, and the places of the pieces before it. `implied` are those that no order word asks for."""

    text: str
    after: set[int] = field(default_factory=set)
    implied: set[int] = field(default_factory=set)


Joined = Callable[[str, str], bool]
"""Whether the second text, which stands behind a comma or an ``and``, belongs to the task of the first."""


def parse(request: str, joined: Joined) -> list[Piece]:
    """The pieces of `request` in the order in which they stand.

    Raises:
        InputError: there are more than `MAX_PIECES`.
    """
    return _Reader(joined).read(request[:MAX_REQUEST])


class _Reader:
    def __init__(self, joined: Joined) -> None:
        self._joined = joined
        self._pieces: list[Piece] = []
        self._barrier: set[int] = set()
        self._last: list[int] = []

    def read(self, request: str) -> list[Piece]:
        for line in request.splitlines():
            numbered, bullet = _NUMBERED.match(line), _BULLET.match(line)
            if numbered and self._pieces:
                self._barrier = self._leaves()
            mark = numbered or bullet
            text = line[mark.end() :] if mark else line
            self._line(text)
        return self._pieces

    def _line(self, line: str) -> None:
        text = plain(line)
        for pattern, mark in _MARKS:
            text = pattern.sub(mark, text)
        for sentence in _SENTENCES.split(text):
            if sentence and sentence.strip(" .,;:!?"):
                self._sentence(sentence.strip(" .,;:!?"))

    def _sentence(self, sentence: str) -> None:
        beside = False
        for place, part in enumerate(sentence.split(_THEN)):
            if place and self._pieces:
                self._barrier, beside = self._leaves(), False
            if _BESIDE in part:
                beside = True
            text = " ".join(part.replace(_BESIDE, ", ").split()).strip(" ,.:")
            if text.startswith(_EARLIER):
                self._earlier(text.lstrip(f"{_EARLIER} ,"))
            elif text:
                self._part(text, beside=beside)

    def _earlier(self, text: str) -> None:
        """What is to be done before the sentence before."""
        later = list(self._last)
        barrier, self._barrier = self._barrier, set()
        new = self._clauses(text, beside=False, alone=True)
        for place in later:
            self._pieces[place].after.update(new)
        self._barrier = barrier
        self._last = later

    def _part(self, text: str, *, beside: bool) -> None:
        for pattern, role in _LEADING:
            if match := re.match(pattern, text, re.IGNORECASE):
                self._pair(match[1], match[2], role, beside=beside)
                return
        for pattern, role in _TRAILING:
            if match := re.match(pattern, text, re.IGNORECASE):
                self._pair(match[1], match[2], role, beside=beside)
                return
        self._last = self._clauses(text, beside=beside)

    def _pair(self, one: str, other: str, role: str, *, beside: bool) -> None:
        """Two clauses; `role` says what the first of them is: the ``first``, the ``last``, or ``beside`` the other."""
        if role == "beside":
            self._last = self._clauses(one, beside=True) + self._clauses(other, beside=True)
            return
        early, late = (one, other) if role == "first" else (other, one)
        first = self._clauses(early, beside=beside)
        barrier = self._barrier
        self._barrier = set(first) or barrier
        self._last = self._clauses(late, beside=beside, alone=True)
        self._barrier = barrier

    def _clauses(self, text: str, *, beside: bool, alone: bool = False) -> list[int]:
        """The pieces of one clause. With `alone`, nothing before it is referred to."""
        new: list[int] = []
        for part in self._split(text):
            if len(self._pieces) == MAX_PIECES:
                raise InputError(
                    f"the request has more than {MAX_PIECES} tasks", fix="ask for less at once, or in several runs"
                )
            piece = Piece(part, set(self._barrier))
            place = len(self._pieces)
            if not alone or new:
                piece.implied = self._referred(part, new, beside=beside) - piece.after
            piece.after |= piece.implied
            self._pieces.append(piece)
            new.append(place)
        return new

    def _split(self, text: str) -> list[str]:
        found: list[str] = []
        for part in filter(None, map(_polite, _COMMA.split(text))):
            if found and self._joined(found[-1], part):
                found[-1] = f"{found[-1]}, {part}"
            else:
                found.append(part)
        return found

    def _referred(self, text: str, new: list[int], *, beside: bool) -> set[int]:
        """The earlier pieces that a piece goes on with, though no order word says so."""
        before = list(range(len(self._pieces)))
        if not before or beside:
            return set()
        if _ALL.search(text) or (verb_of(text) and len(words(text)) == 1):
            return self._leaves()
        found = set()
        if _PRONOUN.search(text):
            found.add(new[-1] if new else self._last[-1] if self._last else before[-1])
        nouns = {concept(word) for word, known in _spoken(text) if known in _BACK}
        for place in before:
            if nouns & _made(self._pieces[place].text):
                found.add(place)
        if not found:
            found |= self._stage(text, new or self._last)
        return found

    def _stage(self, text: str, near: list[int]) -> set[int]:
        """Pieces beside this one whose kind of work is that of an earlier stage: finding before writing, writing before checking."""
        kind = verb_of(text)
        wanted: frozenset[str] = frozenset()
        if kind in COMPOSING:
            wanted = GATHERING | STUDYING
        elif kind in STUDYING:
            wanted = GATHERING
        elif kind in JUDGING:
            wanted = COMPOSING
        places = {place for place in near if verb_of(self._pieces[place].text) in wanted}
        return places - {name for place in places for name in self._pieces[place].after}

    def _leaves(self) -> set[int]:
        used = {name for piece in self._pieces for name in piece.after}
        return {place for place in range(len(self._pieces)) if place not in used}


def _polite(text: str) -> str:
    text = text.strip(" ,.:")
    while match := _POLITE.match(text):
        text = text[match.end() :].strip(" ,.:")
    return text


def _made(text: str) -> set[str]:
    """The concepts of what a piece brings about: its verb, and nouns that it does not speak of as known."""
    return {concept(word) for word, known in _spoken(text) if not known}


def _spoken(text: str) -> list[tuple[str, str]]:
    """The words of `text` that say something, each with the word that marks what it belongs to as known, if one does."""
    found, known = [], ""
    for word in words(text):
        if word in _KNOWN:
            known = word
        elif word in STOP:
            known = ""
        else:
            found.append((word, known))
    return found
