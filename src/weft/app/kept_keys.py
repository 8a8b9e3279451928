"""Keys that this home makes for itself when they are first needed: files that their owner alone may read."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from weft.core.errors import StorageError


def kept(file: Path, make: Callable[[], bytes]) -> bytes:
    """What is in `file`, which is made first where there is none; the first of several processes wins.

    Raises:
        StorageError: it can be neither read nor made.
    """
    with suppress(FileNotFoundError):
        return file.read_bytes()
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = file.with_name(f".{file.name}.{os.getpid()}.part")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as written:
            written.write(make())
            written.flush()
            os.fsync(written.fileno())
        try:
            # A link never replaces a file.
            os.link(part, file)
        except FileExistsError:
            pass
        finally:
            part.unlink()
        return file.read_bytes()
    except OSError as error:
        raise StorageError(
            f"cannot make {file}: {error.strerror or error}", fix="point WEFT_HOME at a folder that you may write to"
        ) from error
