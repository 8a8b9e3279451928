"""Which files a document was made of, so that it need not be read again while they stay as they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

Stamp = tuple[int, int, int]
"""Of a file or folder: when it was changed, in nanoseconds, its size, and which one it is."""

_NONE: Stamp = (0, 0, 0)
_SEEN: ContextVar[dict[Path, Stamp] | None] = ContextVar("seen", default=None)


def stamp(path: Path) -> Stamp:
    """What changes with the content of a file, or with the names in a folder; all zeros where there is none."""
    try:
        found = path.stat()
    except OSError:
        return _NONE
    return found.st_mtime_ns, found.st_size, found.st_ino


def noted(path: Path) -> None:
    """Say that a file or a folder is about to be read."""
    seen = _SEEN.get()
    if seen is not None:
        seen.setdefault(path.absolute(), stamp(path))


@contextmanager
def watched() -> Iterator[dict[Path, Stamp]]:
    """What is read meanwhile, each with its stamp from before it was read."""
    seen: dict[Path, Stamp] = {}
    token = _SEEN.set(seen)
    try:
        yield seen
    finally:
        _SEEN.reset(token)
