"""Columns: lines of separated values, found in a text and written as the rows of a table."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence

_MARKS = ("\t", ";", ",")
_LEAST = 3
"""Lines from which on equal columns are a table: its head and two rows."""
_CELL = 60


def as_rows(lines: Sequence[str]) -> Iterator[str]:
    """`lines`, with each run of separated values as rows between bars; everything else as it is."""
    place = 0
    while place < len(lines):
        mark = next((mark for mark in _MARKS if _values(lines[place], mark)), None)
        end = place if mark is None else _end(lines, place, mark)
        if mark is None or end - place < _LEAST:
            end = max(end, place + 1)
            yield from lines[place:end]
        else:
            rows = csv.reader(lines[place:end], delimiter=mark)
            yield ""
            yield from ("| " + " | ".join(cell.strip().replace("|", "/") for cell in row) + " |" for row in rows)
            yield ""
        place = end


def is_table(lines: Sequence[str]) -> bool:
    """Whether all of `lines` are separated values with the same columns."""
    return len(lines) > 1 and any(_values(lines[0], m) and _end(lines, 0, m) == len(lines) for m in _MARKS)


def _end(lines: Sequence[str], start: int, mark: str) -> int:
    """Where the run of lines with the columns of the first one ends."""
    columns = _values(lines[start], mark)
    end = start
    while end < len(lines) and _values(lines[end], mark) == columns:
        end += 1
    return end


def _values(line: str, mark: str) -> int:
    """How many values `mark` separates in `line`; 0 when the line is rather text: a mark of prose has a space behind it."""
    if mark not in line or "|" in line or (mark != "\t" and f"{mark} " in line) or line[0] in " \t>#-*":
        return 0
    try:
        (row,) = csv.reader([line], delimiter=mark, strict=True)
    except (csv.Error, ValueError):
        return 0
    return len(row) if len(row) > 1 and all(len(cell) <= _CELL for cell in row) else 0
