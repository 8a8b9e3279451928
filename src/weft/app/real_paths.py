"""Real paths: what a run is started with names its files by them."""

from __future__ import annotations

import os
from pathlib import Path
from time import monotonic

_KEPT_S, _MOST = 1.0, 256


class RealPaths:
    """Resolves paths. Where a folder really is, it asks the system once in a second, for many runs begin in few folders."""

    def __init__(self) -> None:
        self._folders: dict[str, tuple[float, str]] = {}

    def of(self, path: Path) -> str:
        """What `path` is without links and dots."""
        folder, _, name = str(path).rpartition("/")
        if not folder.startswith("/") or name in {"", ".."} or os.path.islink(path):  # noqa: PTH114 -- at each start of a run
            return os.path.realpath(path)
        return f"{self._real(folder).rstrip('/')}/{name}"

    def _real(self, folder: str) -> str:
        now = monotonic()
        until, real = self._folders.get(folder, (0.0, ""))
        if now >= until:
            real = os.path.realpath(folder)
            if len(self._folders) >= _MOST:
                self._folders.clear()
            self._folders[folder] = (now + _KEPT_S, real)
        return real
