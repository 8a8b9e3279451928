"""Commands on a machine without a network, as far as they can tell: in a network namespace with no route to anywhere."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.faults.processes import ROOT

_THEN_COUNT = '"$@"; code=$?; cat /proc/net/snmp >&2; exit $code'
"""The counters of the namespace end with it: whoever was in it reads them."""
_TRIED = (("Ip", "OutNoRoutes"), ("Ip", "OutRequests"), ("Tcp", "ActiveOpens"), ("Udp", "OutDatagrams"))
"""What the kernel counts when something is sent, or would have been if there were a way."""


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended, what it said, and how often the kernel saw it try to reach somebody: None where it was not asked to look."""

    code: int
    out: str
    tried: int | None


def alone(*argv: str, env: Mapping[str, str], cwd: Path) -> Said:
    """Run a command of Weft's without a network. Where the machine allows none to be without it, it has one."""
    command = [sys.executable, "-m", "weft", *argv]
    around = _namespace()
    if around:
        command = [*around, "sh", "-c", _THEN_COUNT, "sh", *command]
    ended = subprocess.run(
        command,
        env={**env, "PYTHONPATH": str(ROOT / "src")},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Said(ended.returncode, ended.stdout + ended.stderr, _tried(ended.stderr) if around else None)


@cache
def _namespace() -> tuple[str, ...]:
    """What makes a namespace here: root may, others where they may be root of one of their own."""
    for how in (("unshare", "--net"), ("unshare", "--map-root-user", "--net")):
        try:
            subprocess.run([*how, "true"], check=True, capture_output=True, timeout=30)
        except (OSError, subprocess.SubprocessError):
            continue
        return how
    return ()


def _tried(counters: str) -> int:
    lines = [line.split() for line in counters.splitlines()]
    # Of each protocol there is a line of names, and one of numbers below it.
    found = {
        (names[0].rstrip(":"), name): int(number)
        for names, numbers in zip(lines, lines[1:], strict=False)
        if names and numbers and names[0] == numbers[0] and names[0] in {"Ip:", "Tcp:", "Udp:"}
        for name, number in zip(names[1:], numbers[1:], strict=True)
    }
    return sum(found[each] for each in _TRIED)
