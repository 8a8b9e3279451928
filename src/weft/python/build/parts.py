"""Parts of a document that remember the line of Python that made them, so that a problem has a place there."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from weft.core.errors import Place, Problem, SpecError
from weft.spec.tree import MAX_DEPTH, Branch, Entry, Leaf, List, Map, Source

_HERE = str(Path(__file__).parent)
_FAR = 50


class Part(dict[str, Any]):
    """A map of a document, and where it was made."""

    file = ""
    line = 0


def part(fields: Mapping[str, Any]) -> Part:
    """A part of these fields; those that are None were not given."""
    made = Part({name: value for name, value in fields.items() if value is not None})
    made.file, made.line = _caller()
    return made


def source(root: Part) -> Source:
    """The document as the tree that a file would give.

    Raises:
        SpecError: a value has no place in a document.
    """
    return Source(file=root.file, root=_tree(root, root.line, root.file, 0))


def _tree(value: Any, line: int, file: str, depth: int) -> Branch:
    if depth > MAX_DEPTH:
        raise _wrong(f"nested more than {MAX_DEPTH} levels deep", "nest less", file, line)
    if isinstance(value, Part):
        line = value.line if value.file == file else line
    if isinstance(value, Mapping):
        entries = {
            str(key): Entry(str(key), line, 1, _tree(item, line, file, depth + 1)) for key, item in value.items()
        }
        return Map(line, 1, entries)
    if isinstance(value, (list, tuple)):
        return List(line, 1, [_tree(item, line, file, depth + 1) for item in value])
    if value is None or isinstance(value, (str, int, float, bool)):
        return Leaf(value, line, 1)
    raise _wrong(
        f"a {type(value).__name__} is no value of a document", "give texts, numbers, lists and maps", file, line
    )


def _wrong(message: str, fix: str, file: str, line: int) -> SpecError:
    place = Place(file=file, line=line)
    problem = Problem(rule="python", message=message, fix=fix, place=place)
    return SpecError(message, fix=fix, place=place, problems=(problem,))


def _caller() -> tuple[str, int]:
    """The file and the line of whoever builds."""
    frame = sys._getframe(1)  # noqa: SLF001 -- the one way to know the line of a call
    for _ in range(_FAR):
        if not frame.f_code.co_filename.startswith(_HERE) or frame.f_back is None:
            break
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno
