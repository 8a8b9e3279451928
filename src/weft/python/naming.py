"""How a workflow in a Python file is named: ``file.py:name``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_NAMED = re.compile(r"(.+\.py)(?::([^:/\\]*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Named:
    """A name in a Python file; an empty one when none is given."""

    file: Path
    name: str

    def __str__(self) -> str:
        return f"{self.file}:{self.name}"


def named(path: Path) -> Named | None:
    """What ``file.py:name`` names; None for any other file."""
    found = _NAMED.fullmatch(str(path))
    return Named(Path(found[1]), found[2] or "") if found else None


def folder_of(file: Path) -> Path:
    """The folder below which the code of a run of `file` stands."""
    target = named(file)
    return (target.file if target else file).resolve().parent
