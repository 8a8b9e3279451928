"""What connects a process with the database, and can be cut: a network of its own where the machine allows one, else a relay."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.faults.processes import ROOT, spawn
from tests.faults.relay import Relay


def cable(url: str, number: int) -> Cable | Link:
    """The best that this machine allows."""
    try:
        return Link(url, number)
    except (OSError, subprocess.CalledProcessError):
        return Cable(url)


class Cable:
    """A relay: when it is cut, what is sent is taken and never arrives."""

    def __init__(self, url: str) -> None:
        self._relay = Relay(url)

    def spawn(self, home: Path, *arguments: str, **env: str):
        return spawn(home, *arguments, **env, JOURNAL=self._relay.url)

    def cut(self) -> None:
        self._relay.cut()

    def mend(self) -> None:
        self._relay.mend()

    def close(self) -> None:
        self._relay.close()


class Link:
    """A network namespace with one link to this machine's: when it is cut, the link is down."""

    def __init__(self, url: str, number: int) -> None:
        name = f"weft{os.getpid() % 10_000}-{number}"
        self._name, self._here = name, f"{name}h"
        net = f"10.{200 + os.getpid() % 50}.{number % 256}"
        self._ip("netns", "add", name)
        try:
            self._ip("link", "add", self._here, "type", "veth", "peer", "name", "eth0", "netns", name)
            self._ip("addr", "add", f"{net}.1/24", "dev", self._here)
            self._ip("link", "set", self._here, "up")
            self._ip("-n", name, "addr", "add", f"{net}.2/24", "dev", "eth0")
            self._ip("-n", name, "link", "set", "eth0", "up")
            self._relay = Relay(url, f"{net}.1")
        except BaseException:
            self._ip("netns", "del", name)
            raise

    def spawn(self, home: Path, *arguments: str, **env: str) -> subprocess.Popen[str]:
        path = os.pathsep.join([str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH", "")])
        return subprocess.Popen(
            ["ip", "netns", "exec", self._name, sys.executable, "-m", "tests.faults.worker", str(home), *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": path, **env, "JOURNAL": self._relay.url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def cut(self) -> None:
        self._ip("link", "set", self._here, "down")

    def mend(self) -> None:
        self._ip("link", "set", self._here, "up")

    def close(self) -> None:
        self._relay.close()
        self._ip("netns", "del", self._name)

    def _ip(self, *arguments: str) -> None:
        subprocess.run(["ip", *arguments], check=True, capture_output=True)
