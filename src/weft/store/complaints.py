"""What SQLite complains of, as errors that say what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from weft.core.errors import StorageError, WeftError


def busy(error: sqlite3.Error) -> bool:
    """Whether another program holds the file."""
    return (getattr(error, "sqlite_errorname", "") or "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def in_our_words(error: sqlite3.Error, path: Path | str) -> WeftError:
    """What SQLite complains of, as an error that says what to do."""
    text = str(error)
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith("SQLITE_FULL") or "disk is full" in text:
        return StorageError(f"the disk that holds {path} is full", fix="free some space, then `weft resume` the run")
    if busy(error):
        return StorageError(
            f"{path} is locked by another program",
            fix="close the program that has the database open for writing, then `weft resume` the run",
        )
    if name.startswith("SQLITE_READONLY") or "readonly" in text:
        return StorageError(f"{path} is read-only", fix="point WEFT_HOME at a folder that you may write to")
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return StorageError(
            f"{path} is damaged ({text})", fix="restore it from a backup, or move it away and start a new one"
        )
    if name.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN")):
        return StorageError(
            f"cannot read or write {path} ({text})", fix="check the disk, its free space and its rights"
        )
    return StorageError(f"the database {path} refused: {text}", fix="run `weft doctor`")


@contextmanager
def translated(path: Path | str) -> Iterator[None]:
    """Raise `in_our_words` instead of what SQLite raises, also when SQLAlchemy has wrapped it."""
    try:
        yield
    except Exception as error:  # what is not the database's goes on as it is
        cause = getattr(error, "orig", error)
        if isinstance(cause, sqlite3.Error):
            raise in_our_words(cause, path) from error
        if isinstance(cause, UnicodeDecodeError):
            # Text of the file, or a complaint that quotes it, is no text: SQLite's module stumbles over it.
            damaged = sqlite3.DatabaseError("text in it is broken")
            damaged.sqlite_errorname = "SQLITE_CORRUPT"
            raise in_our_words(damaged, path) from error
        raise
