"""The file of notes: entries appended whole by many processes, each found again by the key of its step."""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from weft.core.canonical import dumps
from weft.core.errors import StorageError, ToolError
from weft.tools.builtin.jail import open_file, open_to_append

_TAIL = 8 * 1024
"""Bytes that are read for each of the last entries; ours are shorter."""
_HEADING = re.compile(r"(?m)^(?=## )")
_MARK = re.compile(r"(?m)^<!-- weft:[0-9a-f]{1,64} -->\n?")
_BLOCK = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Notebook:
    """A file of notes below a folder: Markdown, or one JSON object a line. `last` is how many entries a step is given."""

    file: str
    last: int
    as_json: bool

    def entry(self, key: str, at: str, facts: Mapping[str, Any]) -> bytes:
        """An entry with the key of its step; `facts` are agent, step, input, tools and outcome."""
        if self.as_json:
            return dumps({"time": at, **facts, "key": key}) + b"\n"
        lines = [
            f"## [{at}] — Agent: {facts['agent']} (Step {facts['step']})",
            "",
            f"- **Input**: {facts['input']}",
            f"- **Tools used**: {facts['tools']}",
            f"- **Outcome**: {facts['outcome']}",
            f"<!-- weft:{key} -->",
            "",
        ]
        return "\n".join(lines).encode(errors="replace") + b"\n"

    def append(self, folder: Path, entry: bytes) -> None:
        """Append an entry, whole.

        Raises:
            PolicyError: the file is not in `folder`.
            StorageError: it cannot be written.
        """
        with self._locked(folder) as file:
            end = file.seek(0, os.SEEK_END)
            # What a power cut may have left of somebody's entry must not run into this one.
            if end and _byte_before(file, end) != b"\n":
                entry = b"\n" + entry
            try:
                written = file.write(entry)
                os.fsync(file.fileno())
            except OSError as error:
                raise self._failed(error.strerror or "it cannot be written") from error
            if written != len(entry):
                raise self._failed("the disk is full")

    def has(self, folder: Path, key: str) -> bool:
        """Whether the entry with this key is there. Raises as `append`."""
        mark = f'"key":"{key}"' if self.as_json else f"<!-- weft:{key} -->"
        wanted, rest = mark.encode(), b""
        with self._locked(folder) as file:
            file.seek(0)
            while block := file.read(_BLOCK):
                if wanted in rest + block:
                    return True
                rest = block[-len(wanted) :]
        return False

    def latest(self, folder: Path) -> str:
        """The last entries as text, the latest last.

        Raises:
            PolicyError: the file is not in `folder`.
        """
        try:
            with open_file(folder, self.file) as file:
                # Writers append whole entries under a lock, and readers wait for them.
                fcntl.flock(file, fcntl.LOCK_SH)
                room = _TAIL * self.last
                file.seek(max(0, os.fstat(file.fileno()).st_size - room))
                text = file.read(room).decode(errors="replace")
        except ToolError:
            return ""
        entries = (
            _json_entries(text) if self.as_json else [one for one in _HEADING.split(text) if one.startswith("## ")]
        )
        return "\n\n".join(_MARK.sub("", entry).strip() for entry in entries[-self.last :])

    @contextmanager
    def _locked(self, folder: Path) -> Iterator[BinaryIO]:
        try:
            with open_to_append(folder, self.file) as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield file
        except ToolError as error:
            raise self._failed(error.message) from error

    def _failed(self, why: str) -> StorageError:
        return StorageError(
            f"the notes in {self.file!r} cannot be written: {why}",
            fix="name a file in the working folder that may be written, under context_policy.notes.file",
        )


def _byte_before(file: BinaryIO, end: int) -> bytes:
    file.seek(end - 1)
    return file.read(1)


def _json_entries(text: str) -> list[str]:
    entries = []
    for line in text.splitlines():
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            entries.append(dumps({name: value for name, value in found.items() if name != "key"}).decode())
    return entries
