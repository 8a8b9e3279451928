"""A parsed document as a tree that remembers where everything stood."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from weft.core.errors import Place, Problem, SpecError
from weft.spec.scalars import Scalar

Pointer = Sequence[str | int]
MAX_NODES = 200_000
MAX_DEPTH = 100
MAX_KEY = 1_000
MAX_FAULTS = 100


@dataclass(slots=True)
class Leaf:
    """A scalar. Lines and columns count from 1. A `broken` one stands where a value cannot be read."""

    value: Scalar
    line: int
    column: int
    broken: bool = False


@dataclass(slots=True)
class Entry:
    """A key of a map, with the place of the key and the value behind it."""

    key: str
    line: int
    column: int
    value: Branch


@dataclass(slots=True)
class Map:
    """A map; keys are unique."""

    line: int
    column: int
    entries: dict[str, Entry] = field(default_factory=dict)


@dataclass(slots=True)
class List:
    """A list."""

    line: int
    column: int
    items: list[Branch] = field(default_factory=list)


Branch = Leaf | Map | List


class DocumentError(Exception):
    """The text is not a document of this language; `line` and `column` count from 1."""

    def __init__(self, rule: str, message: str, fix: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message)
        self.rule, self.message, self.fix, self.line, self.column = rule, message, fix, line, column


def noted(error: DocumentError, faults: list[DocumentError] | None) -> None:
    """Add `error` to `faults` so that the rest can be read on.

    Raises:
        DocumentError: there is no such list, or it is full.
    """
    if faults is None or len(faults) >= MAX_FAULTS:
        raise error
    faults.append(error)


def plain_data(root: Branch) -> Any:
    """The tree as plain maps, lists and scalars.

    Raises:
        DocumentError: with its aliases spelled out the document has too many values or is nested too deeply.
    """
    budget = iter(range(MAX_NODES))
    return _plain(root, budget, 0)


def _plain(node: Branch, budget: Iterator[int], depth: int) -> Any:
    if next(budget, None) is None:
        raise DocumentError(
            "too-large",
            f"the document has more than {MAX_NODES:,} values once its aliases are spelled out",
            "split it, or use fewer aliases",
            node.line,
            node.column,
        )
    if depth > MAX_DEPTH:
        raise DocumentError(
            "too-deep", f"nested more than {MAX_DEPTH} levels deep", "nest less", node.line, node.column
        )
    if isinstance(node, Leaf):
        return node.value
    if isinstance(node, List):
        return [_plain(item, budget, depth + 1) for item in node.items]
    return {_key(entry): _plain(entry.value, budget, depth + 1) for entry in node.entries.values()}


def _key(entry: Entry) -> str:
    if len(entry.key) > MAX_KEY:
        message = f"a key has more than {MAX_KEY:,} characters"
        raise DocumentError("key", message, "write a shorter one", entry.line, entry.column)
    return entry.key


def to_pointer(pointer: Pointer) -> str:
    """The pointer as text (RFC 6901); the whole document is the empty string."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in pointer)


@dataclass(slots=True)
class Source:
    """A file and its tree; `grafts` are the parts that came from other files, `faults` what could be read past."""

    file: str
    root: Branch
    grafts: dict[tuple[str | int, ...], tuple[Source, tuple[str | int, ...]]] = field(default_factory=dict)
    faults: tuple[DocumentError, ...] = ()

    def place(self, pointer: Pointer) -> Place:
        """Where `pointer` stands; when it does not exist, where its nearest existing parent does."""
        spot = tuple(pointer)
        line, column, found = self._find(spot)
        if found < len(spot):
            for length in range(len(spot), 0, -1):
                if graft := self.grafts.get(spot[:length]):
                    source, base = graft
                    inside = (*base, *spot[length:])
                    if source.has(inside[: len(base) + 1]):
                        return source.place(inside)
        return Place(file=self.file, line=line, column=column, pointer=to_pointer(spot))

    def problem(self, rule: str, pointer: Pointer, message: str, fix: str = "", *, severity: str = "error") -> Problem:
        """A finding about the place of `pointer`."""
        return Problem(rule=rule, message=message, fix=fix, place=self.place(pointer), severity=severity)

    def has(self, pointer: Pointer) -> bool:
        """Whether `pointer` exists in the file itself."""
        return self._find(pointer)[2] == len(pointer)

    def broken(self, place: Place) -> bool:
        """Whether a value stands at `place`, or above it, that cannot be read."""
        if place.file != self.file:
            return False
        node = self.root
        for part in (place.pointer or "").split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            if isinstance(node, Map) and (entry := node.entries.get(key)):
                node = entry.value
            elif isinstance(node, List) and key.isdecimal() and int(key) < len(node.items):
                node = node.items[int(key)]
            else:
                break
        return isinstance(node, Leaf) and node.broken

    def _find(self, pointer: Pointer) -> tuple[int, int, int]:
        """Line, column and how many parts of `pointer` exist."""
        node = self.root
        line, column = node.line, node.column
        for depth, part in enumerate(pointer):
            if isinstance(node, Map) and (entry := node.entries.get(str(part))):
                line, column, node = entry.line, entry.column, entry.value
            elif isinstance(node, List) and isinstance(part, int) and part < len(node.items):
                node = node.items[part]
                line, column = node.line, node.column
            else:
                return line, column, depth
        return line, column, len(pointer)


def as_problem(file: str, error: DocumentError) -> Problem:
    """`error` as one problem of a file."""
    place = Place(file=file, line=error.line, column=error.column)
    return Problem(rule=error.rule, message=error.message, fix=error.fix, place=place)


def refused(file: str, *errors: DocumentError) -> SpecError:
    """`errors` as the error that a user sees."""
    problems = tuple(as_problem(file, error) for error in errors)
    first = problems[0]
    return SpecError(f"{file} cannot be read: {first.message}", fix=first.fix, place=first.place, problems=problems)
