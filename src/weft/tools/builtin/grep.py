"""Searching files of the working folder."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from pydantic import Field

from weft.core.errors import ToolError, WeftError
from weft.tools.builtin.jail import is_folder, open_file, open_folder, open_in, walk
from weft.tools.builtin.text import is_binary, refuse_binary
from weft.tools.port import ToolContext

_MATCHER = Path(__file__).with_name("matcher.py")
_TIME_S = 5.0
_FILES = 2000
_FILE_BYTES = 4 * 1024 * 1024
_ALL_BYTES = 16 * 1024 * 1024
_LINE = 500

_Text = tuple[str, str]


def grep(
    context: ToolContext,
    pattern: Annotated[str, Field(min_length=1, max_length=1000)],
    path: str = ".",
    context_lines: Annotated[int, Field(ge=0, le=50)] = 3,
    ignore_case: bool = False,
    max_matches: Annotated[int, Field(ge=1, le=1000)] = 100,
) -> str:
    """Search a text file, or every text file below a folder, for lines that match a regular expression.

    Matching lines are shown as path:line:text, lines around them as path-line-text.

    Args:
        context: What the call may use.
        pattern: A Python regular expression, searched for in each line.
        path: File or folder, relative to the working folder.
        context_lines: How many lines to show before and after each match.
        ignore_case: Whether upper and lower case are the same.
        max_matches: Stop after so many matching lines.
    """
    texts, notes = _one(context, path) if not is_folder(context.workdir, path) else _many(context, path)
    matches = _matches(pattern, ignore_case, max_matches, [text for _, text in texts])
    if not matches:
        return "\n".join(["no line matches", *notes])
    if len(matches) >= max_matches:
        notes.append(f"[cut here: after {max_matches} matches]")
    return "\n".join([*_shown(texts, matches, context_lines), *notes])


def search(
    context: ToolContext,
    query: Annotated[str, Field(min_length=1, max_length=1000)],
    path: str = ".",
    is_regex: bool = False,
    ignore_case: bool = True,
    max_matches: Annotated[int, Field(ge=1, le=1000)] = 50,
) -> str:
    """Search a text file, or every text file below a folder, for lines that hold a text. Shown as path:line:text.

    Args:
        context: What the call may use.
        query: The text to look for.
        path: File or folder, relative to the working folder.
        is_regex: Whether the query is a Python regular expression.
        ignore_case: Whether upper and lower case are the same.
        max_matches: Stop after so many matching lines.
    """
    pattern = query if is_regex else re.escape(query)
    return grep(context, pattern, path, context_lines=0, ignore_case=ignore_case, max_matches=max_matches)


def _one(context: ToolContext, path: str) -> tuple[list[_Text], list[str]]:
    with open_file(context.workdir, path) as file:
        data = file.read(_ALL_BYTES)
        more = bool(file.read(1))
    refuse_binary(data, path)
    notes = [f"[only the first {_ALL_BYTES} bytes were searched]"] if more else []
    return [(path, data.decode(errors="replace"))], notes


def _many(context: ToolContext, path: str) -> tuple[list[_Text], list[str]]:
    texts: list[_Text] = []
    total, skipped = 0, 0
    with open_folder(context.workdir, path) as folder:
        for count, (relative, name, inner) in enumerate(walk(folder)):
            if count >= _FILES or total >= _ALL_BYTES:
                return texts, [f"[not every file was searched: stopped after {count} files; search a smaller folder]"]
            shown = str(PurePosixPath(path) / relative)
            try:
                with open_in(inner, name, shown) as file:
                    data = file.read(_FILE_BYTES + 1)
            except (WeftError, OSError):
                skipped += 1
                continue
            if len(data) > _FILE_BYTES:
                skipped += 1
            elif not is_binary(data):
                total += len(data)
                texts.append((shown, data.decode(errors="replace")))
    return texts, [f"[{skipped} files were left out: larger than {_FILE_BYTES} bytes or unreadable]"] if skipped else []


def _matches(pattern: str, ignore_case: bool, limit: int, texts: list[str]) -> list[tuple[int, int]]:
    question = {"pattern": pattern, "ignore_case": ignore_case, "limit": limit, "texts": texts}
    try:
        # Isolated, without site packages, without our environment: it starts fast and knows no secrets.
        done = subprocess.run(  # noqa: S603 -- our own program, nothing from outside on its command line
            [sys.executable, "-I", "-S", str(_MATCHER)],
            input=json.dumps(question).encode(),
            capture_output=True,
            timeout=_TIME_S,
            check=False,
            env={},
        )
    except subprocess.TimeoutExpired as error:
        raise ToolError(
            f"the search took longer than {_TIME_S:g} s", fix="use a simpler pattern or search fewer files"
        ) from error
    except OSError as error:
        raise ToolError(f"the search could not be started: {error.strerror}", fix="try again later") from error
    if done.returncode:
        raise ToolError("the search took more memory or time than it may", fix="use a simpler pattern")
    answer: dict[str, Any] = json.loads(done.stdout)
    if "error" in answer:
        raise ToolError(f"the pattern is not a regular expression: {answer['error']}", fix="correct the pattern")
    return [(place, line) for place, line in answer["matches"]]


def _shown(texts: list[_Text], matches: list[tuple[int, int]], around: int) -> list[str]:
    by_text: dict[int, list[int]] = {}
    for place, line in matches:
        by_text.setdefault(place, []).append(line)
    out: list[str] = []
    for place, hits in by_text.items():
        path, text = texts[place]
        lines = text.removesuffix("\n").split("\n")
        wanted = sorted({n for hit in hits for n in range(max(0, hit - around), min(len(lines), hit + around + 1))})
        marked, last = set(hits), -1
        for number in wanted:
            if around and out and number - 1 != last:
                out.append("--")
            mark = ":" if number in marked else "-"
            shown = lines[number].rstrip("\r")
            out.append(f"{path}{mark}{number + 1}{mark}{shown if len(shown) <= _LINE else shown[:_LINE] + '…'}")
            last = number
    return out
