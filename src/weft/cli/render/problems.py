"""Problems as a compiler prints them: place, message, the line itself with a mark under it, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TextIO

from weft.cli.terminal import clean, paint
from weft.core.errors import Problem

_MAX_BYTES = 16 * 1024 * 1024
_WIDTH = 100
_COLOURS = {"error": "bold red", "warning": "bold yellow"}


def problem_lines(problem: Problem, stream: TextIO) -> Iterator[str]:
    """The lines that say `problem`."""
    label = paint(f"{problem.severity}:", _COLOURS.get(problem.severity, "bold"), stream)
    where = paint(clean(str(problem.place)), "bold", stream)
    yield f"{where}  {label} {clean(problem.message)}  {paint(f'[{problem.rule}]', 'dim', stream)}".strip()
    yield from _excerpt(problem, stream)
    if problem.fix:
        yield f"  {paint('fix:', 'bold', stream)} {clean(problem.fix)}"


def summary(problems: Iterable[Problem], stream: TextIO) -> str:
    """One line that counts them."""
    found = list(problems)
    errors = sum(problem.severity == "error" for problem in found)
    parts = [_count(errors, "error")] if errors else []
    if rest := len(found) - errors:
        parts.append(_count(rest, "warning"))
    return paint(", ".join(parts), "bold", stream)


def _excerpt(problem: Problem, stream: TextIO) -> Iterator[str]:
    place = problem.place
    if place.file is None or place.line is None:
        return
    lines = _source(place.file)
    if not 0 < place.line <= len(lines):
        return
    line, column = clean(lines[place.line - 1].replace("\t", " ")), (place.column or 1) - 1
    # A long line is cut so that the mark stays in sight.
    start = max(0, column - _WIDTH // 2) if len(line) > _WIDTH else 0
    number, edge = str(place.line), paint("|", "dim", stream)
    yield f"  {paint(number, 'dim', stream)} {edge} {line[start : start + _WIDTH]}"
    if place.column is not None:
        yield f"  {' ' * len(number)} {edge} {' ' * (column - start)}{paint('^', 'bold', stream)}"


def _source(file: str) -> list[str]:
    try:
        path = Path(file).absolute()
        found = path.stat()
        return _lines(path, found.st_mtime_ns, found.st_size)
    except OSError:
        return []


@lru_cache(maxsize=8)
def _lines(path: Path, _changed: int, _size: int) -> list[str]:
    """The lines of a file as it was at this time: one with many problems is read once, and a changed one anew."""
    with path.open("rb") as source:
        return source.read(_MAX_BYTES).decode(errors="replace").splitlines()


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
