"""Logs of commands: what is logged goes to standard error as the settings say, files into one folder of the home."""

from __future__ import annotations

from pathlib import Path

from weft.app.parts import load
from weft.app.tracing import new_redactor
from weft.telemetry.logs import configure


def start(level: str, style: str) -> None:
    """Send what Weft logs at `level` or above to standard error, as ``text`` or ``json``."""
    configure(level=level, style="json" if style == "json" else "text", redactor=new_redactor())


def folder() -> Path:
    """The folder of log files, made when it is not there.

    Raises:
        InputError: the settings are wrong.
        OSError: it cannot be made.
    """
    home: Path = load("settings").load_settings().home
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = home / "logs"
    made.mkdir(mode=0o700, exist_ok=True)
    return made
