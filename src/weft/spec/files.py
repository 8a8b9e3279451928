"""Reading a document: its bytes, its encoding, its syntax."""

from __future__ import annotations

import os
from pathlib import Path
from stat import S_ISREG

from weft.core.errors import Place, SpecError
from weft.spec.json_tree import parse_json
from weft.spec.reads import noted
from weft.spec.tree import DocumentError, Source, refused
from weft.spec.yaml_tree import parse_yaml

MAX_BYTES = 10_000_000
SUFFIXES = (".yaml", ".yml", ".json")


def read_text(path: Path, *, max_bytes: int = MAX_BYTES) -> str:
    """The text of a file.

    Raises:
        SpecError: it is missing, unreadable, larger than `max_bytes`, or not UTF-8.
    """
    name = str(path)
    noted(path)
    try:
        with open(path, "rb", opener=_at_once) as file:
            data = file.read(max_bytes + 1) if S_ISREG(os.fstat(file.fileno()).st_mode) else None
    except FileNotFoundError:
        raise _error(name, "there is no such file", "check the path") from None
    except IsADirectoryError:
        raise _error(name, "this is a folder", "name a file in it") from None
    except OSError as error:
        raise _error(name, f"the file cannot be read: {error.strerror}", "check that you may read it") from None
    if data is None:
        raise _error(name, "this is no regular file", "name a file; a pipe or a device is not read")
    if len(data) > max_bytes:
        raise _error(
            name, f"the file is larger than {max_bytes // 1_000_000} MB", "move large texts to files of their own"
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _error(name, f"not UTF-8: byte 0x{data[error.start]:02x}", "save the file as UTF-8", line=line) from None


def parse(text: str, name: str, *, on: bool = False) -> Source:
    """The tree of a document; a `name` that ends in ``.json`` is read as JSON, any other as YAML.

    With `on`, what is wrong with a single value or key is among the `faults` of the tree and the rest is read on.

    Raises:
        SpecError: `text` cannot be parsed.
    """
    faults: list[DocumentError] = []
    try:
        if len(text) > MAX_BYTES:
            raise DocumentError("too-large", f"more than {MAX_BYTES // 1_000_000} MB", "move large texts to files")
        root = (parse_json if name.lower().endswith(".json") else parse_yaml)(text, faults)
    except DocumentError as error:
        raise refused(name, *faults, error) from None
    if faults and not on:
        raise refused(name, *faults)
    return Source(file=name, root=root, faults=tuple(faults))


def read_source(path: Path, *, on: bool = False) -> Source:
    """The tree of a file; `on` as for `parse`.

    Raises:
        SpecError: the suffix is not one of `SUFFIXES`, or the file cannot be read or parsed.
    """
    if path.suffix.lower() not in SUFFIXES and not path.is_dir():
        fix = f"a workflow file ends in {', '.join(SUFFIXES)}"
        raise _error(str(path), f"unknown kind of file {path.suffix or path.name!r}", fix)
    return parse(read_text(path), str(path), on=on)


def _at_once(path: str, flags: int) -> int:
    """Open without waiting for somebody at the other end of a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _error(name: str, message: str, fix: str, line: int | None = None) -> SpecError:
    place = Place(file=name, line=line)
    return refused(name, DocumentError("file", message, fix, place.line))
