"""The places of a pattern: where a character stands, and which may follow which."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log2
from re import _parser  # type: ignore[attr-defined]  # the only one who reads patterns as Python's matcher does
from typing import Any

from weft.core.automaton import Automaton, Growth, TooComplicatedError
from weft.core.letters import REPEATS, Alphabet, Item, inside

_COPIES = 300
_WAYS, _WIDE = 4, 2_000


def growths(items: list[Any], alphabet: Alphabet) -> Iterator[tuple[Growth, bool]]:
    """How the ways through a pattern grow, and those through what it looks at ahead and behind, first of all or later."""
    making = _Making(alphabet)
    making.sequence(items)
    yield making.automaton.growth(), True
    for inner, first in making.apart:
        for growth, also_first in growths(inner, alphabet):
            yield growth, first and also_first


@dataclass(slots=True)
class _Part:
    """A piece of an automaton: in how many ways it takes no text at all, and where it begins and ends, once for each way there."""

    empty: int
    first: list[int]
    last: list[int]


class _Making:
    """Makes the automaton of a pattern. What is looked at ahead or behind stands in `apart`."""

    def __init__(self, alphabet: Alphabet) -> None:
        self.automaton = Automaton()
        self.apart: list[tuple[list[Any], bool]] = []
        self._alphabet = alphabet
        self._repeated = 0

    def sequence(self, items: Sequence[Any]) -> _Part:
        """Pieces that follow each other."""
        whole = _Part(empty=1, first=[], last=[])
        for op, argument in items:
            part = self._piece(str(op), op, argument)
            self.automaton.join(whole.last, part.first)
            whole = _Part(
                min(whole.empty * part.empty, _WAYS),
                (whole.first + part.first * whole.empty)[:_WIDE],
                (part.last + whole.last * part.empty)[:_WIDE],
            )
            if len(whole.first) == _WIDE or len(whole.last) == _WIDE:
                raise TooComplicatedError("is too long to be looked at")
        return whole

    def _piece(self, name: str, op: Any, argument: Any) -> _Part:
        if name in REPEATS:
            return self._repeat(argument[0], argument[1], list(argument[2]))
        match name:
            case "LITERAL" | "NOT_LITERAL" | "ANY" | "IN":
                place = self._place((op, argument))
                part = _Part(empty=0, first=[place], last=[place])
            case "SUBPATTERN" | "ATOMIC_GROUP":
                part = self.sequence(inside(name, argument))
            case "BRANCH":
                part = self._branch([list(way) for way in argument[1]])
            case "GROUPREF_EXISTS":
                part = self._branch([list(argument[1]), list(argument[2] or ())])
            case "GROUPREF":
                # What stood in a group before may be anything, of any length.
                place = self._place((op, argument))
                self.automaton.join([place], [place])
                part = _Part(empty=1, first=[place], last=[place])
            case _:
                if name in {"ASSERT", "ASSERT_NOT"}:
                    self.apart.append((inside(name, argument), not (self.automaton.masks or self._repeated)))
                part = _Part(empty=1, first=[], last=[])
        return part

    def _place(self, item: Item) -> int:
        return self.automaton.place(self._alphabet.mask(item), item)

    def _branch(self, ways: list[list[Any]]) -> _Part:
        parts = [self.sequence(way) for way in ways]
        if any(part.empty for part in parts):
            self.automaton.may_leave_out([place for part in parts for place in part.first], 1.0)
        taken = 0
        for part in parts:
            self.automaton.may_leave_out([place for place in part.first if self.automaton.masks[place] & taken], 1.0)
            for place in part.first:
                taken |= self.automaton.masks[place]
        return _Part(
            min(sum(part.empty for part in parts), _WAYS),
            [place for part in parts for place in part.first],
            [place for part in parts for place in part.last],
        )

    def _repeat(self, least: int, most: int, body: list[Any]) -> _Part:
        if most == 0:
            return _Part(empty=1, first=[], last=[])
        before = len(self.automaton.masks)
        self._repeated += 1
        part = self.sequence(body)
        self._repeated -= 1
        size = len(self.automaton.masks) - before
        bounded = most != _parser.MAXREPEAT
        if most == 1 or (bounded and not part.empty and size * most <= _COPIES):
            return self._copies(least, most, body, part)
        if part.empty and (part.empty > 1 or part.first):
            # Each time that it has to come, or may, it can be nothing instead, in so many ways.
            times = most if bounded else least
            self.automaton.free += times * log2(part.empty + bool(part.first))
        self.automaton.join(part.last, part.first)
        return _Part(_skipped(least, most, part), part.first, part.last)

    def _copies(self, least: int, most: int, body: list[Any], part: _Part) -> _Part:
        """So many times the same, the last of them perhaps not."""
        first, last, ends = list(part.first), list(part.last), list(part.last) if least <= 1 else []
        if most > least:
            self.automaton.may_leave_out(part.first, log2(most - least + 1))
        for number in range(2, most + 1):
            copy = self.sequence(body)
            self.automaton.join(last, copy.first)
            last = copy.last
            if number >= least:
                ends += last
        return _Part(_skipped(least, most, part), first, ends)


def _skipped(least: int, most: int, part: _Part) -> int:
    """In how many ways a repetition takes nothing: by not coming at all, by coming as nothing, and by doing so once more."""
    return min(part.empty + (least == 0 or (part.empty > 0 and most > 1)), _WAYS)
