"""The performer of artifacts: files that a run leaves in its output folder, and nowhere else.

A write is a step: what is to be written is announced by its hash, durably, then a temporary file is written, synced and renamed.
So a file that this run wrote is known as its own after any crash, and somebody else's is never overwritten silently.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from weft.core.canonical import sha256
from weft.core.errors import InputError, Place, PolicyError, StorageError
from weft.core.event import Event
from weft.engine.port import Done, StepContext
from weft.plan.nodes import Block, Call, Plan, Sequence
from weft.plan.template import render

MAX_BYTES = 64 * 1024 * 1024
_NAME_BYTES = 200
_UNSAFE = re.compile(r"[^\w.-]+")

TraceOf = Callable[[Plan, list[Event]], Mapping[str, Any]]


class ArtifactPerformer:
    """Performs ``artifact`` calls. `trace_of` makes the trace of a run from its events so far."""

    derived = True

    def __init__(self, trace_of: TraceOf) -> None:
        self._trace_of = trace_of

    async def perform(self, call: Call, scope: Mapping[str, Any], context: StepContext) -> Done:
        """Render path and content and write the file; the value holds ``path``, ``bytes`` and ``sha256``.

        Raises:
            TemplateError: the path or the content cannot be rendered.
            PolicyError: the path leaves the output folder.
            StorageError: a file that this run did not write is in the way, or the disk refuses.
        """
        if call.input.get("trace"):
            trace = self._trace_of(context.plan, context.events())
            scope = {**scope, "TRACE": json.dumps(trace, indent=2, ensure_ascii=False)}
        relative = safe_relative(render(call.input["path"], scope), context.path)
        content = render(call.input["from"], scope).encode(errors="replace")
        if len(content) > MAX_BYTES:
            raise InputError(
                f"the artifact {str(relative)!r} has {len(content)} bytes, more than {MAX_BYTES}",
                fix="write less into one file",
                place=Place(path=context.path),
            )
        folder = Path(str(context.options.get("out") or "artifacts"))
        target, digest = folder / relative, sha256(content)
        announced = {"path": str(relative), "sha256": digest, "bytes": len(content)}

        async def write(_: StepContext) -> Done:
            if not context.options.get("force"):
                self._refuse_foreign(target, digest, str(relative), context)
            write_file(folder, target, content)
            return Done({"path": str(relative), "file": str(target), "bytes": len(content), "sha256": digest})

        value = await context.step(
            f"write[{digest[:12]}]", write, type="artifact", target=str(relative), input=announced
        )
        return Done(value)

    async def check(self, call: Call, scope: Mapping[str, Any], context: StepContext) -> Done | None:
        """Writing the same file again changes nothing, so there is nothing to find out."""
        del call, scope, context
        return None

    def _refuse_foreign(self, target: Path, digest: str, relative: str, context: StepContext) -> None:
        if not os.path.lexists(target):
            return
        # Whatever is larger than an artifact may be is none of ours, and is not read.
        there = sha256(target.read_bytes()) if target.is_file() and target.stat().st_size <= MAX_BYTES else ""
        own = {digest} | {
            event.data["input"]["sha256"]
            for event in context.events()
            if event.kind == "step.started"
            and event.data.get("type") == "artifact"
            and (event.data.get("input") or {}).get("path") == relative
        }
        if there not in own:
            raise StorageError(
                f"{target} exists already, and this run did not write it",
                fix="choose another folder with --out, or overwrite it with --force",
                place=Place(path=context.path),
            )


def room_for(plan: Plan, folder: Path) -> None:
    """See to it, before anything is performed, that the artifacts of `plan` can have their folder.

    Raises:
        StorageError: something else stands in its place.
    """
    body = plan.root.body if isinstance(plan.root, Block) else plan.root
    last = body.children[-1] if isinstance(body, Sequence) and body.children else None
    if not (isinstance(last, Call) and last.name.startswith("$artifact")):
        return
    there = next(each for each in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(each))
    if not there.is_dir():
        raise StorageError(f"{there} is no folder that artifacts can be written into", fix="choose one with --out")


def safe_relative(text: str, path: str = "") -> Path:
    """`text` as a path below the output folder, each part reduced to letters, digits, ``_``, ``.`` and ``-``.

    Raises:
        PolicyError: it is absolute, climbs out, or is empty.
    """
    parts = [part for part in text.strip().replace("\\", "/").split("/") if part not in ("", ".")]
    if not parts or ".." in parts or text.strip().startswith(("/", "\\")) or re.match(r"^[A-Za-z]:", text.strip()):
        raise PolicyError(
            f"the artifact path {text!r} does not stay in the output folder",
            fix="use a relative path without '..'",
            place=Place(path=path),
        )
    return Path(*map(safe_name, parts))


def safe_name(text: str, ending: str = "") -> str:
    """`text` as the name of one file: letters, digits, ``_``, ``.`` and ``-``, short enough for any disk, and then `ending`."""
    return _UNSAFE.sub("_", text).encode()[: _NAME_BYTES - len(ending)].decode(errors="ignore") + ending


def write_file(folder: Path, target: Path, content: bytes) -> None:
    """Write `content` to `target` below `folder` so that the file is there whole or not at all, even after power loss.

    Raises:
        PolicyError: a symbolic link leads out of `folder`.
        StorageError: the disk refuses.
    """
    temporary: str | None = None
    try:
        # Looked at before folders are made, or they would be made wherever a link leads.
        if not target.parent.resolve().is_relative_to(folder.resolve()):
            raise PolicyError(
                f"{target.parent} leads out of the output folder {folder}", fix="remove the symbolic link"
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:100]}.")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)
        Path(temporary).replace(target)
        directory = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except (OSError, RuntimeError) as error:  # a ring of symbolic links is a RuntimeError in some versions of Python
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise StorageError(
            f"cannot write {target}: {getattr(error, 'strerror', None) or error}",
            fix="choose a folder that you may write to with --out, or free some space",
        ) from error
