"""The artifacts of runs, read back: what a run says it wrote, and the file, as long as it is still what was written."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from weft.app.artifacts import MAX_BYTES
from weft.core.canonical import sha256
from weft.core.errors import ConflictError, NotFoundError
from weft.store.journal import Journal
from weft.store.runs import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFile:
    """One artifact: its path in the output folder, and what was written. `at` is in microseconds since the epoch."""

    path: str
    size: int
    sha256: str
    at: int
    step: str
    folder: Path

    @property
    def there(self) -> bool:
        """Whether a file of this size is still where it was written."""
        try:
            found = (self.folder / self.path).lstat()
        except OSError:
            return False
        return stat.S_ISREG(found.st_mode) and found.st_size == self.size


def kept_files(journal: Journal, run: Run) -> list[KeptFile]:
    """The artifacts of `run`, by path; of one that was written again, what was written last."""
    found: dict[str, KeptFile] = {}
    for event in journal.events(run.id):
        if event.kind != "step.completed" or "/write[" not in event.path:
            continue
        value = event.data.get("value")
        if isinstance(value, dict) and {"path", "file", "bytes", "sha256"} <= value.keys():
            path = str(value["path"])
            found[path] = KeptFile(
                path=path,
                size=int(value["bytes"]),
                sha256=str(value["sha256"]),
                at=event.at,
                step=event.path.rpartition("/")[0],
                # Of a fork, what the shared past has written is in the folder of that run.
                folder=Path(str(value["file"])).parents[len(Path(path).parts) - 1],
            )
    return [found[path] for path in sorted(found)]


def content(kept: KeptFile) -> bytes:
    """The bytes of an artifact.

    Raises:
        NotFoundError: the file is gone.
        ConflictError: something else is there now.
    """
    target = kept.folder / kept.path
    changed = ConflictError(
        f"{kept.path!r} is not what this run wrote", fix="run it again, or look for the file where you moved it"
    )
    try:
        # A link at any place of the path could lead out of the folder.
        if target.parent.resolve() != kept.folder.resolve() / Path(kept.path).parent:
            raise changed
        handle = os.open(target, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise changed
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        if target.is_symlink():
            raise changed from error
        raise NotFoundError(
            f"the file {kept.path!r} is not there any more", fix="run it again, or restore the folder"
        ) from error
    if sha256(data) != kept.sha256:
        raise changed
    return data
