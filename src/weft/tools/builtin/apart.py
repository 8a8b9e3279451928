"""Programs of ours in processes of their own, which can be stopped whatever they are doing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from weft.core.errors import ToolError

_BIG = 64 * 1024 * 1024


def ask_program(name: str, question: Any, *, seconds: float, what: str) -> Any:
    """The answer, as JSON, of the program `name` of this package to a question as JSON; `what` is what it does, for errors.

    Raises:
        ToolError: it took too long or failed.
    """
    try:
        # Isolated, without site packages, without our environment: it starts fast and knows no secrets.
        done = subprocess.run(  # noqa: S603 -- our own program, nothing from outside on its command line
            [sys.executable, "-I", "-S", str(Path(__file__).with_name(name))],
            input=json.dumps(question).encode(),
            capture_output=True,
            timeout=seconds,
            check=False,
            env={},
        )
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"{what} took longer than {seconds:g} s", fix="ask for less") from error
    except OSError as error:
        raise ToolError(f"{what} could not be started: {error.strerror}", fix="try again later") from error
    if done.returncode or len(done.stdout) > _BIG:
        raise ToolError(f"{what} took more memory or time than it may", fix="ask for less")
    return json.loads(done.stdout)
