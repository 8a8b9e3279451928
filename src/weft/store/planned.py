"""Drafts of plans that were made before: one small file each, so that any process can take, list and remove them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from weft.core.canonical import dumps, strict_loads
from weft.core.errors import InputError, MismatchError, StorageError

_KEY = re.compile(r"[0-9a-f]{64}")
_LARGEST = 1_000_000
DRAFTS = "plans"
"""Where they are in ``WEFT_HOME``."""
KEPT = 1_000
"""Drafts that are kept; the oldest make room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One draft. `key` follows from the request, the cards and the version of the planner; times are in microseconds."""

    key: str
    request: str
    workflow: str
    draft: Mapping[str, Any]
    made: int
    expires: int
    by: str

    def as_json(self) -> dict[str, Any]:
        """The entry as plain data."""
        return asdict(self)


class Box(Protocol):
    """Seals what a file is to hold, under the file's name."""

    def closed(self, name: str, plain: bytes) -> bytes:
        """`plain` as the file is to hold it."""

    def opened(self, name: str, held: bytes) -> bytes:
        """What a file holds, sealed or not."""


class PlannedDrafts:
    """The drafts in a folder. They are sealed in a `box` where the store is."""

    def __init__(self, folder: Path, box: Box | None = None) -> None:
        self._folder = folder
        self._box = box

    def find(self, key: str, at: int) -> Kept | None:
        """The draft under `key`, unless it has expired at that time or cannot be read."""
        kept = self._read(self._folder / f"{key}.json")
        return kept if kept is not None and kept.key == key and kept.expires > at else None

    def keep(self, kept: Kept) -> None:
        """Store a draft.

        Raises:
            StorageError: the folder refuses.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            ready = self._folder / f"{kept.key}.{os.getpid()}.new"
            data = dumps(kept.as_json())
            ready.write_bytes(data if self._box is None else self._box.closed(kept.key, data))
            ready.replace(self._folder / f"{kept.key}.json")
            files = self._files()
            for file in sorted(files, key=_age)[: max(0, len(files) - KEPT)]:
                file.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(
                f"{self._folder} cannot be written: {error.strerror}", fix="free space or correct its permissions"
            ) from error

    def all(self) -> list[Kept]:
        """Every draft, the newest first."""
        found = filter(None, map(self._read, self._files()))
        return sorted(found, key=lambda kept: (-kept.made, kept.key))

    def remove(self, key: str | None = None, *, expired_at: int | None = None) -> list[str]:
        """Remove the draft whose key begins with `key`, those that have expired at a time, or all; the keys of what is gone.

        Raises:
            InputError: `key` is the beginning of several or none.
        """
        kept = self.all()
        if key is not None:
            kept = [one for one in kept if one.key.startswith(key)]
            if len(kept) != 1:
                what = "no plan has" if not kept else f"{len(kept)} plans have"
                raise InputError(f"{what} a key that begins with {key!r}", fix="`weft plans list` shows the keys")
        elif expired_at is not None:
            kept = [one for one in kept if one.expires <= expired_at]
        for one in kept:
            (self._folder / f"{one.key}.json").unlink(missing_ok=True)
        return [one.key for one in kept]

    def _files(self) -> list[Path]:
        if not self._folder.is_dir():
            return []
        return [file for file in self._folder.glob("*.json") if _KEY.fullmatch(file.stem)]

    def _read(self, file: Path) -> Kept | None:
        # One that is sealed and does not open is as good as none: it can be made again.
        with suppress(OSError, ValueError, TypeError, RecursionError, MismatchError, StorageError):
            if file.stat().st_size <= _LARGEST:
                data = file.read_bytes()
                kept = Kept(**strict_loads(data if self._box is None else self._box.opened(file.stem, data)))
                return kept if isinstance(kept.draft, dict) and isinstance(kept.expires, int) else None
        return None


def _age(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0
