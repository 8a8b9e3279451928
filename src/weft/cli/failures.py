"""How a command fails: one message that says what happened and what to do, one exit code, and no traceback."""

from __future__ import annotations

import sys
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from weft.app.tracing import new_redactor
from weft.cli import logs
from weft.cli.render.problems import problem_lines, summary
from weft.cli.terminal import clean, paint, say_json, tell
from weft.core.errors import EXIT_CODES, InternalError, SpecError, WeftError

# Typer exports only this one of its usage errors; the class above it is what all of them are.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]


def failed(error: Exception, *, as_json: bool, debug: bool) -> int:
    """Print whatever ended a command and return the exit code that belongs to it."""
    if isinstance(error, WeftError):
        return report(error, as_json=as_json)
    if isinstance(error, _UsageError):
        return usage(error, as_json=as_json)
    return crash(error, as_json=as_json, debug=debug)


def error_json(error: WeftError) -> dict[str, Any]:
    """The error as ``--json`` prints it, secrets out."""
    data: dict[str, Any] = new_redactor().json(error.as_json())
    return data


def error_lines(error: WeftError) -> list[str]:
    """The error for people, secrets out: what, where, and what to do."""
    redact = new_redactor().text
    what, *more = clean(redact(error.message)).splitlines() or [error.code]
    lines = [f"{paint('error:', 'bold red', sys.stderr)} {what}", *more]
    if place := str(error.place):
        lines.append(f"  at {clean(redact(place))}")
    if error.fix:
        lines.append(f"  {paint('fix:', 'bold', sys.stderr)} {clean(redact(error.fix))}")
    return lines


def report(error: WeftError, *, as_json: bool) -> int:
    """Print `error` and return the exit code that belongs to it."""
    if as_json:
        say_json({"error": error_json(error)})
    elif isinstance(error, SpecError) and error.problems:
        for problem in error.problems:
            for line in problem_lines(problem, sys.stderr):
                tell(line)
        tell(summary(error.problems, sys.stderr))
    else:
        for line in error_lines(error):
            tell(line)
    return EXIT_CODES[error.code]


def usage(error: Any, *, as_json: bool) -> int:
    """Print what is wrong with a command line itself."""
    ctx: Any = getattr(error, "ctx", None)
    path = getattr(ctx, "command_path", "weft")
    fix = f"`{path} --help` shows how it is used"
    if ctx is not None and type(error).__name__ == "NoArgsIsHelpError":
        tell(ctx.get_help())
        return EXIT_CODES["input"]
    # What Typer says of a choice has the checker's own words in front.
    message = str(error.format_message()).replace("Value error, ", "").rstrip(".")
    if as_json:
        say_json({"error": {"code": "input", "message": message, "fix": fix}})
    else:
        tell(f"{paint('error:', 'bold red', sys.stderr)} {clean(message)}")
        tell(f"  {paint('fix:', 'bold', sys.stderr)} {fix}")
    return EXIT_CODES["input"]


def crash(error: BaseException, *, as_json: bool, debug: bool) -> int:
    """Print one line about a defect; the traceback goes into a file, or to standard error with `debug`."""
    text = new_redactor().text("".join(traceback.format_exception(error)))
    if debug:
        tell(text)
    kept = _keep(text)
    fix = "this is a defect of Weft: please report it" + (f" with {kept}" if kept else "")
    return report(InternalError(f"{type(error).__name__}: {error}", fix=fix), as_json=as_json)


def _keep(text: str) -> Path | None:
    name = f"crash-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}.log"
    for folder in (logs.folder, lambda: Path(tempfile.mkdtemp(prefix="weft-"))):
        try:
            file = folder() / name
            file.write_text(text, encoding="utf-8", errors="backslashreplace")
        except (OSError, WeftError):
            continue
        return file
    return None
