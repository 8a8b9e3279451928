"""What ends a process that takes more memory than it may: the kernel where the machine allows a group for it, else a watcher of ours."""

from __future__ import annotations

import os
import resource
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

from tests.processes import Started

_MOUNTED = Path("/sys/fs/cgroup")


def bounded(process: Started, more: int) -> Group | Watcher:
    """From now on the process ends when it takes so many bytes `more`: by the best that this machine allows."""
    try:
        return Group(process, more)
    except OSError:
        return Watcher(process, more)


class Group:
    """A memory control group of the kernel's, of either version: when it is full, the kernel kills what is in it."""

    def __init__(self, process: Started, more: int) -> None:
        above, unified = _above()
        self._folder = above / f"weft-{os.getpid()}-{process.pid}"
        self._folder.mkdir()
        try:
            # What a process has already stays with the group that it took it in.
            if unified:
                self._write("memory.max", more)
                self._write("memory.oom.group", 0)
                with suppress(OSError):
                    self._write("memory.swap.max", 0)
            else:
                self._write("memory.limit_in_bytes", more)
                with suppress(OSError):
                    self._write("memory.memsw.limit_in_bytes", more)
            self._write("cgroup.procs", process.pid)
        except BaseException:
            self._folder.rmdir()
            raise
        self._counts = self._folder / ("memory.events" if unified else "memory.oom_control")

    @property
    def kills(self) -> int:
        """How many processes were killed for it."""
        lines = (line.split() for line in self._counts.read_text().splitlines())
        return int(dict(lines)["oom_kill"])

    def close(self) -> None:
        """Remove the group; nothing may live in it any more."""
        began = time.monotonic()
        while True:
            try:
                self._folder.rmdir()
            except OSError:
                # What was killed a moment ago is still on its way out.
                if time.monotonic() - began > 30:
                    raise
                time.sleep(0.02)
            else:
                return

    def _write(self, name: str, value: int) -> None:
        # What is not there is not made: a folder in which the kernel puts no files is none of its groups.
        with (self._folder / name).open("r+") as file:
            file.write(str(value))


class Watcher:
    """Looks at the memory of a process a hundred times a second, and kills it as the kernel would."""

    def __init__(self, process: Started, more: int) -> None:
        self._process = process
        self._most = _resident(process) + more
        self._over = threading.Event()
        self.kills = 0
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        with suppress(OSError):
            while not self._over.wait(0.01):
                if _resident(self._process) > self._most:
                    os.kill(self._process.pid, signal.SIGKILL)
                    self.kills += 1
                    return

    def close(self) -> None:
        """Watch no more."""
        self._over.set()
        self._thread.join()


def _resident(process: Started) -> int:
    return int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * resource.getpagesize()


def _above() -> tuple[Path, bool]:
    """Where a group can be made: below our own with version 1; beside it with 2, where what has processes has no groups inside.

    Raises:
        OSError: nowhere.
    """
    own = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, kinds, path = line.split(":", 2)
        own |= dict.fromkeys(kinds.split(","), path.lstrip("/"))
    if "memory" in own:
        return _MOUNTED / "memory" / own["memory"], False
    here = _MOUNTED / own.get("", "")
    for above in here.parents:
        if "memory" in (above / "cgroup.subtree_control").read_text().split():
            return above, True
        if above == _MOUNTED:
            break
    raise FileNotFoundError("no group has memory to give")
