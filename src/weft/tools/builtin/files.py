"""Reading files of the working folder."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import Field

from weft.tools.builtin.jail import open_file, open_folder, walk
from weft.tools.builtin.text import decode, refuse_binary
from weft.tools.port import ToolContext

_MOST_BYTES = 1024 * 1024
_ENTRIES = 100_000

Lines = Annotated[int, Field(ge=1, le=10_000)]
Bytes = Annotated[int, Field(ge=1, le=_MOST_BYTES)]


def file_read(context: ToolContext, path: str, encoding: str = "utf-8") -> str:
    """Read a text file of the working folder, up to 1 MiB.

    Args:
        context: What the call may use.
        path: Path of the file, relative to the working folder.
        encoding: Text encoding of the file.
    """
    with open_file(context.workdir, path) as file:
        size = os.fstat(file.fileno()).st_size
        data = file.read(_MOST_BYTES)
        complete = not file.read(1)
    text = decode(data, encoding, path, complete=complete)
    return (
        text if complete else f"{text}\n[cut here: the first {len(data)} of {size} bytes; grep and tail reach the rest]"
    )


def head(context: ToolContext, path: str, lines: Lines = 10, bytes_limit: Bytes | None = None) -> str:
    """Read the first lines of a text file of the working folder.

    Args:
        context: What the call may use.
        path: Path of the file, relative to the working folder.
        lines: How many lines.
        bytes_limit: Read no more than so many bytes.
    """
    limit = bytes_limit or _MOST_BYTES
    with open_file(context.workdir, path) as file:
        data = file.read(limit)
        more = bool(file.read(1))
    refuse_binary(data, path)
    found = data.split(b"\n", lines)
    if len(found) > lines:
        return _text(b"\n".join(found[:lines]) + b"\n")
    return _text(data) + (f"\n[cut here: at {limit} bytes]" if more else "")


def tail(context: ToolContext, path: str, lines: Lines = 10, bytes_limit: Bytes | None = None) -> str:
    """Read the last lines of a text file of the working folder.

    Args:
        context: What the call may use.
        path: Path of the file, relative to the working folder.
        lines: How many lines.
        bytes_limit: Read no more than so many bytes.
    """
    limit = bytes_limit or _MOST_BYTES
    with open_file(context.workdir, path) as file:
        start = max(0, os.fstat(file.fileno()).st_size - limit)
        file.seek(start)
        data = file.read(limit)
    refuse_binary(data, path)
    ended = data.endswith(b"\n")
    found = data.removesuffix(b"\n").rsplit(b"\n", lines)
    whole = len(found) > lines or start == 0
    text = _text(b"\n".join(found[-lines:]) + (b"\n" if ended else b""))
    return text if whole else f"[cut here: the last {limit} bytes]\n{text}"


def list_files(
    context: ToolContext,
    path: str = ".",
    pattern: Annotated[str, Field(max_length=200)] = "*",
    max_results: Annotated[int, Field(ge=1, le=5000)] = 500,
) -> str:
    """List the files below a folder of the working folder, with their sizes in bytes. Hidden files are left out.

    Args:
        context: What the call may use.
        path: The folder, relative to the working folder.
        pattern: Only files whose name or path matches, such as *.md or docs/*.txt.
        max_results: List no more than so many.
    """
    found: list[str] = []
    with open_folder(context.workdir, path) as folder:
        for count, (relative, name, inner) in enumerate(walk(folder)):
            if count >= _ENTRIES or len(found) >= max_results:
                found.append(f"[cut here: after {len(found)} files]")
                break
            shown = str(PurePosixPath(path) / relative)
            if fnmatchcase(name, pattern) or fnmatchcase(shown, pattern):
                found.append(f"{shown}  {os.stat(name, dir_fd=inner, follow_symlinks=False).st_size}")
    return "\n".join(found) or "no files"


def _text(data: bytes) -> str:
    return data.decode(errors="replace")
