"""The report about what a workflow uses and this version does not run."""

from __future__ import annotations

from pathlib import Path

from weft.app.artifacts import safe_name, write_file
from weft.core.errors import Problem, UnsupportedError


def write_report(folder: Path, file: Path, error: UnsupportedError) -> Path:
    """Write ``<name>-unsupported.md`` into `folder`, anew each time, and return where it is.

    Raises:
        StorageError: the folder refuses.
    """
    name = str(error.ids.get("workflow") or file.stem)
    target = folder / safe_name(name, "-unsupported.md")
    write_file(folder, target, _report(file, error).encode())
    return target


def _report(file: Path, error: UnsupportedError) -> str:
    lines = [
        f"# What keeps {file.name} from running",
        "",
        f"{error.message}. The file is right; this version of Weft does not run everything that it uses.",
        "",
        "| place | pointer | reason | what to do |",
        "| --- | --- | --- | --- |",
        *(_row(problem) for problem in error.problems if problem.severity == "error"),
    ]
    return "\n".join(lines) + "\n"


def _row(problem: Problem) -> str:
    place = problem.place
    line = "" if place.line is None else f"line {place.line}"
    cells = (line, f"`{place.pointer or '/'}`", problem.message, problem.fix)
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
