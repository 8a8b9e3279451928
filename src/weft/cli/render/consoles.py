"""Rich consoles that take texts as they are: no markup, no emoji codes, no guessing of what is a number."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from rich.console import Console

_WIDE = 10_000


class _Console(Console):
    """A console that lets its caller know when nobody reads any more."""

    def on_broken_pipe(self) -> None:
        """Raise what was caught, instead of ending the process."""
        raise BrokenPipeError


def console(stream: TextIO | None = None) -> Console:
    """A console on `stream`, standard output by default. What is no terminal gets lines that nobody cuts."""
    out = stream or sys.stdout
    dumb = os.environ.get("TERM") == "dumb"
    width = None if out.isatty() else _WIDE
    return _Console(
        file=out,
        width=width,
        markup=False,
        emoji=False,
        highlight=False,
        no_color=True if dumb else None,
        soft_wrap=False,
    )
