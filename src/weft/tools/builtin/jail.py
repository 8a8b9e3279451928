"""Opening and writing what lies in the working folder, and nothing else.

A path is walked part by part from an open folder, each part opened relative to the one before and never through a symbolic
link. So there is no moment between a check and a use in which somebody could swap a folder for a link.
"""

from __future__ import annotations

import contextlib
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
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
_APPEND = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
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


def write_file(workdir: Path, path: str, data: bytes, *, overwrite: bool, create_folders: bool, mark: str) -> bool:
    """Write a regular file below `workdir`, as a whole or not at all; False when one is there and is to be kept.

    `mark` names the file that is written first, so that what a crash leaves of it is found by whoever tries again.

    Raises:
        PolicyError: the path leads out, or through or to a symbolic link, or to something that is no regular file.
        ToolError: the folder is not there, or refuses.
    """
    parts = _parts(path)
    if not parts:
        raise ToolError(f"{path!r} is a folder", fix="give the path of a file")
    name, draft = parts[-1], f".{parts[-1][:100]}.{mark}.tmp"
    with _folder_for(workdir, parts, path, create=create_folders) as folder:
        there = _existing(name, folder, path)
        if there is not None and not stat.S_ISREG(there):
            raise _not_a(path, "regular file")
        if there is not None and not overwrite:
            return False
        with contextlib.suppress(FileNotFoundError):
            os.unlink(draft, dir_fd=folder)
        try:
            with os.fdopen(_opened(draft, _NEW, folder, path), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if overwrite:
                os.rename(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
            else:
                # A link is made only where nothing is, whoever else writes at the same moment.
                os.link(draft, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        except FileExistsError:
            return False
        except OSError as error:
            raise _refused(path, error) from error
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(draft, dir_fd=folder)
    return True


@contextmanager
def open_to_append(workdir: Path, path: str) -> Iterator[BinaryIO]:
    """The regular file at `path` below `workdir`, made with its folders when it is not there, to be read and added to.

    Raises:
        PolicyError: the path leads out, or through or to a symbolic link, or to something that is no regular file.
        ToolError: the folder refuses.
    """
    parts = _parts(path)
    if not parts:
        raise ToolError(f"{path!r} is a folder", fix="give the path of a file")
    with _folder_for(workdir, parts, path, create=True) as folder:
        there = _existing(parts[-1], folder, path)
        if there is not None and not stat.S_ISREG(there):
            raise _not_a(path, "regular file")
        with os.fdopen(_opened(parts[-1], _APPEND, folder, path), "r+b", buffering=0) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise _not_a(path, "regular file")
            # Unbuffered, so that one write is one write.
            yield file


@contextmanager
def _folder_for(workdir: Path, parts: tuple[str, ...], path: str, *, create: bool) -> Iterator[int]:
    if create:
        for count in range(1, len(parts)):
            with open_folder(workdir, "/".join(parts[: count - 1]) or ".") as above:
                _make_folder(parts[count - 1], above, path)
    with open_folder(workdir, "/".join(parts[:-1]) or ".") as folder:
        yield folder


def _make_folder(name: str, above: int, path: str) -> None:
    try:
        os.mkdir(name, dir_fd=above)
    except FileExistsError:
        return
    except (OSError, UnicodeEncodeError) as error:
        raise ToolError(
            f"cannot make the folders of {path!r}", fix="give a path in a folder that can be written"
        ) from error


def _existing(name: str, folder: int, path: str) -> int | None:
    """The mode of what has this name, None when nothing has."""
    try:
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return None
    except (OSError, UnicodeEncodeError) as error:
        raise ToolError(f"cannot write {path!r}", fix="give an ordinary path") from error
    if stat.S_ISLNK(mode):
        raise PolicyError(f"{path!r} is or passes a symbolic link", fix="give the path that it points to")
    return mode


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
        return os.open(name, flags, 0o666, dir_fd=folder)
    except OSError as error:
        raise _refused(path, error) from error


def _refused(path: str, error: OSError) -> ToolError:
    return ToolError(f"cannot open {path!r}: {error.strerror}", fix="`list_files` shows what is there")
