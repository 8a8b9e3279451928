"""Regular expressions that somebody else wrote, on texts that somebody else wrote.

Python's matcher goes back and tries another way whenever one fails, cannot be interrupted while it does, and holds up the whole
process. So a pattern is looked at before it is used: one that has exponentially many ways is refused, and of the others it is known
how the ways grow with the text, so that a text that is too long for its pattern is refused.

What is looked at is the automaton of the pattern (Glushkov's: a state for each place where a character stands). There are
exponentially many ways exactly if two different ones lead from a state back to it on the same text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import prod
from re import _parser  # type: ignore[attr-defined]  # the only one who reads patterns as Python's matcher does
from typing import Any

from weft.core.automaton import Growth, TooComplicatedError
from weft.core.letters import MANY, Alphabet
from weft.core.places import growths

MAX_PATTERN = 2_000
"""Characters of a pattern."""
_STEPS = 50_000_000
"""What the matcher does in two or three seconds."""
_BEGIN = frozenset({"AT_BEGINNING", "AT_BEGINNING_STRING"})


class PatternError(ValueError):
    """A pattern is none, or cannot be matched in bounded time."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern whose work is known."""

    compiled: re.Pattern[str]
    _growths: tuple[tuple[Growth, bool], ...]
    _prefix: str
    _anchored: bool
    _alphabet: Alphabet = field(repr=False)

    def search(self, text: str) -> re.Match[str] | None:
        """As `re.Pattern.search`.

        Raises:
            PatternError: `text` is too long for this pattern.
        """
        self._hold(text, 1 if self._anchored else text.count(self._prefix) + 1)
        return self.compiled.search(text)

    def fullmatch(self, text: str) -> re.Match[str] | None:
        """As `re.Pattern.fullmatch`.

        Raises:
            PatternError: `text` is too long for this pattern.
        """
        self._hold(text, 1)
        return self.compiled.fullmatch(text)

    def _hold(self, text: str, starts: int) -> None:
        # Whoever begins later has less before them.
        starts = max(starts // 2, 1)
        if starts * self._steps(lambda growth: _most(growth, len(text))) <= _STEPS:
            return
        if starts * self._steps(lambda growth: self._alphabet.ways(growth, text)) > _STEPS:
            raise PatternError(
                f"a text of {len(text):,} characters is too long for the pattern {shown(self.compiled.pattern)}, "
                "which could be tried on it in very many ways"
            )

    def _steps(self, ways: Callable[[Growth], float]) -> float:
        """What the matcher does from one place of a text; what it looks at first is done once, the rest each time that it comes there."""
        whole, *others = ((ways(growth), first) for growth, first in self._growths)
        return whole[0] * prod(more for more, first in others if not first) + sum(
            more for more, first in others if first
        )


def _most(growth: Growth, length: int) -> float:
    """At most so many ways to go over a text of this `length`, whatever it says."""
    return float(max(length, 1)) ** min(growth.loops, MANY) * float(2.0 ** min(growth.choices, MANY))


@lru_cache(maxsize=512)
def bounded(text: str) -> Pattern:
    """The pattern `text`.

    Raises:
        PatternError: it is none, or there are texts that it would be tried on for ever.
    """
    if len(text) > MAX_PATTERN:
        raise PatternError(f"a pattern has more than {MAX_PATTERN:,} characters")
    try:
        compiled = re.compile(text)
        tree = _parser.parse(text)
        alphabet = Alphabet(text, tree)
        found = tuple(growths(list(tree), alphabet))
    except (re.error, RecursionError, OverflowError) as error:
        raise PatternError(f"{shown(text)} is no regular expression: {error}") from error
    except TooComplicatedError as error:
        raise PatternError(f"the pattern {shown(text)} {error}") from error
    first = list(tree)
    anchored = bool(first) and str(first[0][0]) == "AT" and str(first[0][1]) in _BEGIN
    anchored = anchored and not compiled.flags & re.MULTILINE
    prefix = "" if compiled.flags & re.IGNORECASE else _prefix(first)
    return Pattern(compiled, found, prefix, anchored, alphabet)


def shown(text: str) -> str:
    """A pattern for messages."""
    return repr(text if len(text) <= 80 else f"{text[:79]}…")


def _prefix(items: Sequence[Any]) -> str:
    letters = []
    for op, argument in items:
        if str(op) != "LITERAL":
            break
        letters.append(chr(argument))
    return "".join(letters)
