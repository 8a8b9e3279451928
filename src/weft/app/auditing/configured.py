"""With which settings a resident process of a home starts: an entry of the audit log says which are others than the last time."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from weft.app.auditing.acts import Act
from weft.app.auditing.trail import Trail
from weft.core.errors import StorageError
from weft.core.owner import LOCAL, Owner
from weft.core.settings import Settings, fingerprints
from weft.store.journal import Journal

_FILE = "settings.seen"
_FILES = ("identity.public_key", "server.tls_cert", "server.tls_key", "server.tls_clients")
"""Settings whose files say who comes in: another content is a change, too."""
_MOST = 1_048_576


def note_settings(settings: Settings, journal: Journal, trail: Trail, process: str) -> None:
    """Note which settings differ from those that `process` (``up``, ``worker``…) had when it was last started from this home.

    The names are noted, and no value. What is kept for the next time are hashes under a key of the home's own. The first time
    the settings that somebody has set are named.

    Raises:
        StorageError: what is kept cannot be written.
    """
    file = settings.home / "secrets" / _FILE
    seen = _read(file)
    key = str(seen.get("key") or secrets.token_hex(32))
    now = fingerprints(settings, bytes.fromhex(key)) | _contents(settings)
    every = seen.get("processes")
    processes: dict[str, Any] = every if isinstance(every, dict) else {}
    before = processes.get(process)
    if isinstance(before, dict):
        # A setting that a newer version brings has changed nothing as long as nobody sets it.
        changed = {name for name, was in now.items() if before.get(name, was) != was}
        changed |= {name for name in settings.sources if name in now and name not in before}
        facts: dict[str, Any] = {"process": process}
    else:
        changed, facts = set(settings.sources), {"process": process, "first": True}
    if changed or "first" in facts:
        trail.later(
            trail.of(LOCAL, Act("settings.change", "settings", {**facts, "settings": sorted(changed)})), soon=True
        )
        # Noted twice rather than never, whatever happens now.
        journal.writer.drain()
    if before != now:
        _write(file, {"key": key, "processes": {**processes, process: now}})


def note_certificate(trail: Trail, taken: bool) -> None:
    """Note that the files of the certificate have changed while the service runs, and whether the new ones were taken up."""
    act = Act("settings.change", "settings", {"process": "up", "settings": ["server.tls_cert (content)"]})
    trail.later(trail.of(LOCAL, act, outcome="done" if taken else "failed"), soon=True)


def note_file(trail: Trail, what: str, file: Path) -> None:
    """Note that a file in a folder of the service was ``added``, ``changed`` or ``removed`` while it runs; who did that nobody knows."""
    act = Act("workflow.change", f"workflow/{file.name}", {"what": what})
    trail.later(trail.of(Owner(principal="weft"), act))


def _contents(settings: Settings) -> dict[str, str]:
    """A hash of what is in each of the files."""
    found = {}
    for name in _FILES:
        group, _, inner = name.partition(".")
        path: Path | None = getattr(getattr(settings, group), inner)
        with suppress(OSError):  # whoever needs the file says that it is not there
            found[f"{name} (content)"] = "" if path is None else _hash(path)
    return found


def _hash(path: Path) -> str:
    with path.open("rb") as opened:
        return sha256(opened.read(_MOST)).hexdigest()


def _read(file: Path) -> Mapping[str, Any]:
    with suppress(OSError, ValueError):  # nothing is known then, and the entry says so
        read = json.loads(file.read_bytes())
        if isinstance(read, dict) and isinstance(bytes.fromhex(str(read.get("key"))), bytes):
            return read
    return {}


def _write(file: Path, seen: Mapping[str, Any]) -> None:
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as written:
            json.dump(seen, written)
        part.replace(file)
    except OSError as error:
        raise StorageError(
            f"cannot write {file}: {error.strerror or error}", fix="point WEFT_HOME at a folder that you may write to"
        ) from error
