"""Who drives: a lock that dies with its process.

Each engine holds one file lock for as long as it lives; a run's row names the driver. Another process that finds the name asks
the kernel whether the lock is still held: no heartbeat, no time-out, no guess.
"""

from __future__ import annotations

import fcntl
import math
import os
from pathlib import Path

from weft.core.errors import StorageError


class FileDrivers:
    """The drivers that share one journal. `folder` is None for a journal in memory, which only this process can drive."""

    held_until = math.inf
    """A file lock is not lost by a process that is frozen."""
    gaps = 0

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._held: dict[str, int | None] = {}

    def enter(self, driver: str) -> None:
        """Hold the lock of `driver` until `leave`, or until this process dies."""
        if self._folder is None:
            self._held[driver] = None
            return
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(self._file(driver), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StorageError(
                f"cannot use {str(self._folder)!r}: {error.strerror}",
                fix="point WEFT_HOME at a folder that you may write to",
            ) from error
        fcntl.flock(fd, fcntl.LOCK_EX)
        self._held[driver] = fd

    def leave(self, driver: str) -> None:
        """Let go of the lock of `driver`."""
        fd = self._held.pop(driver, None)
        if fd is not None:
            self._file(driver).unlink(missing_ok=True)
            os.close(fd)

    def alive(self, driver: str | None) -> bool:
        """Whether the process behind `driver` still lives."""
        if driver is None:
            return False
        if driver in self._held:
            return True
        if self._folder is None:
            return False
        try:
            fd = os.open(self._file(driver), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StorageError(
                f"cannot see whether {self._file(driver)} is held: {error.strerror}",
                fix="check the rights of the folder and the number of open files",
            ) from error
        try:
            # Shared, so that two processes that ask at once do not take each other for the driver.
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
        self._file(driver).unlink(missing_ok=True)
        return False

    def _file(self, driver: str) -> Path:
        assert self._folder is not None
        return self._folder / f"{driver}.lock"
