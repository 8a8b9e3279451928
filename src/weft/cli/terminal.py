"""What is written to standard output and standard error: results there, everything else here; colour only where it is seen."""

from __future__ import annotations

import json
import os
import re
import sys
from typing import Any, TextIO

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36"}
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def prepare_streams() -> None:
    """Make printing safe whatever the locale, and prompt whoever reads.

    What an encoding lacks is written as an escape, never as a traceback; a program that reads a pipe of ours gets each line
    when it is said, not when a buffer is full. A stream that was closed before we began is one that nobody reads.
    """
    for name, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            # The lowest number that is free: no file of ours gets one that means something else to programs we start.
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), "w" if number else "r", encoding="utf-8"))
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace", line_buffering=True)


def clean(text: str) -> str:
    """`text` without characters that steer a terminal (escape sequences, carriage returns, direction marks)."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


def steers(stream: TextIO) -> bool:
    """Whether `stream` is a terminal whose cursor can be moved."""
    return stream.isatty() and os.environ.get("TERM") not in {"dumb", "unknown"}


def steers_error() -> bool:
    """Whether standard error is such a terminal."""
    return steers(sys.stderr)


def has_colour(stream: TextIO) -> bool:
    """Whether colour may be written to `stream`: it is a terminal that knows it, and ``NO_COLOR`` does not forbid it."""
    return steers(stream) and not os.environ.get("NO_COLOR")


def paint(text: str, style: str, stream: TextIO | None = None) -> str:
    """`text` in a style such as ``"bold red"`` where `stream` (standard output by default) shows it."""
    if not has_colour(stream or sys.stdout):
        return text
    return f"\x1b[{';'.join(_CODES[name] for name in style.split())}m{text}\x1b[0m"


def symbol(fancy: str, plain: str, stream: TextIO | None = None) -> str:
    """`fancy` where the encoding of `stream` has it, else `plain`."""
    try:
        fancy.encode((stream or sys.stdout).encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return plain
    return fancy


def say(text: str = "") -> None:
    """Write a line of the result to standard output."""
    sys.stdout.write(f"{text}\n")


def tell(text: str = "") -> None:
    """Write a line that is not the result to standard error. That it cannot be written stops nothing."""
    try:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
    except OSError:
        let_go(sys.stderr)


def let_go(stream: TextIO) -> None:
    """Point `stream` at nothing, so that the interpreter's own flush at exit finds no broken pipe."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def result(text: str) -> None:
    """Write the result of a run: as it is into a pipe or a file, without control characters on a terminal."""
    say(clean(text) if sys.stdout.isatty() else text)


def as_text(value: Any, *, indent: int | None = 2) -> str:
    """`value` as JSON that the encoding of standard output can carry."""
    wide = (sys.stdout.encoding or "").lower().replace("-", "") in {"utf8", "utf16", "utf32"}
    return json.dumps(value, indent=indent, ensure_ascii=not wide, default=str)


def say_json(value: Any, *, indent: int | None = 2) -> None:
    """Write `value` as JSON to standard output."""
    say(as_text(value, indent=indent))
