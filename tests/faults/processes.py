"""Starting and reading the worker processes of fault tests."""

from __future__ import annotations

import os
from pathlib import Path

from tests.processes import PIPE, Started, start

ROOT = Path(__file__).parents[2]


def spawn(home: Path, *arguments: str, **env: str) -> Started:
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH", "")])
    return start(
        [home, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path, **env},
        stdout=PIPE,
        stderr=PIPE,
        module="tests.faults.worker",
    )


def line(process: Started) -> str:
    """The next line that it prints; its complaints when there is none."""
    assert process.stdout is not None
    said = process.stdout.readline().strip()
    assert said, process.communicate()[1]
    return said


def end(process: Started, *, timeout: float = 60) -> str:
    """What else it prints, once it has ended."""
    out, err = process.communicate(timeout=timeout)
    assert "Traceback" not in err, err
    return out.strip()
