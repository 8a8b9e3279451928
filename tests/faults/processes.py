"""Starting and reading the worker processes of fault tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def spawn(home: Path, *arguments: str, **env: str) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-m", "tests.faults.worker", str(home), *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def line(process: subprocess.Popen[str]) -> str:
    """The next line that it prints; its complaints when there is none."""
    assert process.stdout is not None
    said = process.stdout.readline().strip()
    assert said, process.communicate()[1]
    return said


def end(process: subprocess.Popen[str], *, timeout: float = 60) -> str:
    """What else it prints, once it has ended."""
    out, err = process.communicate(timeout=timeout)
    assert "Traceback" not in err, err
    return out.strip()
