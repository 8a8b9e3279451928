"""The letters that make a difference in a pattern, and which of them stand where."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from weft.core.automaton import Growth

Item = tuple[Any, Any]
"""What the reader of patterns says of a place: its kind, and which letters."""


_GENERIC = "aZ09_ \n\t-.é٣中€\0"
_ANY_CASE, _ANY_LINE = re.compile(r"\(\?[a-zA-Z]*i"), re.compile(r"\(\?[a-zA-Z]*s")
"""What turns these flags on, for all of a pattern or a part of it."""
REPEATS = frozenset({"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"})
MANY = 64
"""More loops or choices than this are as many as this."""


class Alphabet:
    """Those of one pattern; `tree` is what Python's own reader makes of it."""

    def __init__(self, text: str, tree: Any) -> None:
        self._ignore_case = _ANY_CASE.search(text) is not None
        self._dot_all = _ANY_LINE.search(text) is not None
        points = {ord(letter) for letter in _GENERIC}
        for point in _points(list(tree)):
            points |= {near for near in (point - 1, point, point + 1) if 0 <= near <= 0x10FFFF}
        self._letters = [chr(point) for point in sorted(points)]

    def mask(self, item: Item) -> int:
        """The letters that a place takes, as bits."""
        return sum(1 << place for place, letter in enumerate(self._letters) if self._takes(item, letter))

    def ways(self, growth: Growth, text: str) -> float:
        """At most so many ways to go over `text`: each link between loops can lie anywhere in a run of letters that both take."""
        letters = set(text)
        takes = [{letter for letter in letters if self._takes(item, letter)} for item in growth.items]

        def all_of(places: frozenset[int]) -> set[str]:
            return set().union(*(takes[place] for place in places))

        best = [1.0] * growth.loops
        for link in growth.links:
            lies = _run(text, all_of(link.before) & all_of(link.behind)) + 1
            if link.begins is not None:
                lies = min(lies, sum(map(text.count, all_of(link.begins))) + 1)
            best[link.later] = max(best[link.later], best[link.earlier] * lies)
        way = _run(text, set().union(*takes)) if growth.loops else 1
        ways: float = max(way, 1) * max(best, default=1.0) * 2.0 ** min(growth.choices, MANY)
        return ways

    def _takes(self, item: Item, letter: str) -> bool:
        forms = {letter, letter.lower(), letter.upper()} if self._ignore_case else {letter}
        return any(self._is(item, form) for form in forms if len(form) == 1)

    def _is(self, item: Item, letter: str) -> bool:
        op, argument = str(item[0]), item[1]
        code = ord(letter)
        match op:
            case "LITERAL" | "NOT_LITERAL":
                found = (code == argument) == (op == "LITERAL")
            case "ANY":
                found = self._dot_all or letter != "\n"
            case "RANGE":
                found = argument[0] <= code <= argument[1]
            case "CATEGORY":
                found = _of_category(str(argument), letter)
            case "IN":
                negated = str(argument[0][0]) == "NEGATE"
                found = negated != any(self._is(one, letter) for one in argument[negated:])
            case _:
                # What stood in a group before may be anything.
                found = True
        return bool(found)


def _run(text: str, letters: set[str]) -> int:
    """The longest part of `text` of these letters alone."""
    others = {ord(letter): " " for letter in set(text)}
    marked = text.translate({**others, **{ord(letter): "x" for letter in letters}})
    return max(map(len, marked.split(" ")))


def _of_category(name: str, letter: str) -> bool:
    kind = name.removeprefix("CATEGORY_")
    found = {
        "DIGIT": letter.isdecimal(),
        "SPACE": letter.isspace(),
        "WORD": letter.isalnum() or letter == "_",
    }[kind.removeprefix("NOT_")]
    return found != kind.startswith("NOT_")


def _points(items: Sequence[Any]) -> Iterator[int]:
    """The code points that a pattern names."""
    for item in items:
        if not isinstance(item, tuple):
            if hasattr(item, "__iter__"):
                yield from _points(list(item))
            continue
        op, argument = str(item[0]), item[1]
        if op in {"LITERAL", "NOT_LITERAL"}:
            yield argument
        elif op == "RANGE":
            yield from argument
        elif op == "IN":
            yield from _points(argument)
        else:
            yield from _points(inside(op, argument))


def inside(op: str, argument: Any) -> list[Any]:
    """The pieces of pattern inside a piece of one."""
    if op in REPEATS:
        return list(argument[2])
    match op:
        case "BRANCH":
            found = [item for way in argument[1] for item in way]
        case "SUBPATTERN":
            found = list(argument[3])
        case "ATOMIC_GROUP":
            found = list(argument)
        case "ASSERT" | "ASSERT_NOT":
            found = list(argument[1])
        case "GROUPREF_EXISTS":
            found = [*argument[1], *(argument[2] or ())]
        case _:
            found = []
    return found
