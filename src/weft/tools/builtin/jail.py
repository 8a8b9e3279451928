"""Opening what lies in the working folder, and nothing else.

A path is walked part by part from an open folder, each part opened relative to the one before and never through a symbolic
link. So there is no moment between a check and a use in which somebody could swap a folder for a link.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from weft.core.errors import PolicyError, ToolError

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
# A pipe or a terminal must not make the open wait, and a device must not become our terminal.
_FILE = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_DEPTH = 32
_MAX_PATH = 4096


@contextmanager
def open_file(workdir: Path, path: str) -> Iterator[BinaryIO]:
    """The regular file at `path` below `workdir`, to be read.

    Raises:
        PolicyError: the path leads out, or through or to a symbolic link, or to something that is no regular file.
        ToolError: there is no such file, or it cannot be read.
    """
    parts = _parts(path)
    if not parts:
        raise ToolError(f"{path!r} is a folder", fix="give the path of a file; `list_files` shows them")
    with open_folder(workdir, "/".join(parts[:-1]) or ".") as folder, open_in(folder, parts[-1], path) as file:
        yield file


@contextmanager
def open_folder(workdir: Path, path: str) -> Iterator[int]:
    """A descriptor of the folder at `path` below `workdir`.

    Raises:
        PolicyError: the path leads out, or through or to a symbolic link.
        ToolError: there is no such folder, or it cannot be opened.
    """
    parts = _parts(path)
    descriptor = _opened(os.fspath(workdir), _FOLDER & ~os.O_NOFOLLOW, None, ".")
    try:
        for part in parts:
            _require(part, descriptor, path, stat.S_ISDIR, "folder")
            inner = _opened(part, _FOLDER, descriptor, path)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def open_in(folder: int, name: str, path: str) -> Iterator[BinaryIO]:
    """The regular file `name` in an open folder; `path` is what to call it. Raises as `open_file`."""
    # Opening a device can have an effect, so what is none is not even opened; what is opened is looked at again.
    _require(name, folder, path, stat.S_ISREG, "regular file")
    descriptor = _opened(name, _FILE, folder, path)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _not_a(path, "regular file")
        yield file


def is_folder(workdir: Path, path: str) -> bool:
    """Whether `path` names a folder below `workdir`. Raises as `open_folder`, but not for what is no folder."""
    parts = _parts(path)
    if not parts:
        return True
    with open_folder(workdir, "/".join(parts[:-1]) or ".") as folder:
        return stat.S_ISDIR(_status(parts[-1], folder, path).st_mode)


def walk(folder: int) -> Iterator[tuple[str, str, int]]:
    """Regular files below an open folder, by name: path relative to it, name, and descriptor of the folder it is in.

    Hidden entries, symbolic links and what lies deeper than 32 folders are left out.
    """
    for top, folders, files, inner in os.fwalk(".", dir_fd=folder, follow_symlinks=False):
        prefix = PurePosixPath(top)
        folders[:] = sorted(n for n in folders if not n.startswith(".")) if len(prefix.parts) < _DEPTH else []
        for name in sorted(files):
            if not name.startswith(".") and _is_regular(name, inner):
                yield str(prefix / name), name, inner


def _parts(path: str) -> tuple[str, ...]:
    if not path or "\0" in path or len(path) > _MAX_PATH:
        raise ToolError("the path is empty, too long or holds a null character", fix="give an ordinary relative path")
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts:
        raise PolicyError(
            f"{path!r} leads out of the working folder", fix="give a path relative to the working folder, without `..`"
        )
    return pure.parts


def _is_regular(name: str, folder: int) -> bool:
    try:
        return stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False


def _require(name: str, folder: int, path: str, kind: Callable[[int], bool], what: str) -> None:
    mode = _status(name, folder, path).st_mode
    if stat.S_ISLNK(mode):
        raise PolicyError(f"{path!r} is or passes a symbolic link", fix="give the path that it points to")
    if not kind(mode):
        raise _not_a(path, what)


def _not_a(path: str, what: str) -> PolicyError:
    return PolicyError(f"{path!r} is not a {what}", fix="only regular files and folders can be read")


def _status(name: str, folder: int, path: str) -> os.stat_result:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        raise _refused(path, error) from error
    except UnicodeEncodeError as error:
        raise ToolError("the path holds characters that no file name has", fix="give an ordinary path") from error


def _opened(name: str, flags: int, folder: int | None, path: str) -> int:
    try:
        return os.open(name, flags, dir_fd=folder)
    except OSError as error:
        raise _refused(path, error) from error


def _refused(path: str, error: OSError) -> ToolError:
    return ToolError(f"cannot open {path!r}: {error.strerror}", fix="`list_files` shows what is there")
