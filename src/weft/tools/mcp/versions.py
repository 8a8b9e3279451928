"""Every version of every tool description that was seen on this machine, and which of them a person accepted."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from weft.core.errors import NotFoundError, StorageError
from weft.tools.mcp.descriptor import Descriptor
from weft.tools.mcp.server import Server

_KEPT = 10


class Versions:
    """The store below a folder: one file a server, named for what it is, whatever workflows call it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def see(self, server: Server, tools: Sequence[Descriptor], *, at: str) -> list[str]:
        """Remember these descriptions; returns the names of tools that used to be described differently.

        What is seen of a tool for the first time counts as accepted, a later version does not.
        """
        changed: list[str] = []
        with self._changing(server) as known:
            for tool in tools:
                versions = known.setdefault(tool.name, [])
                if versions and versions[-1]["digest"] == tool.digest:
                    continue
                if versions:
                    changed.append(tool.name)
                before = next((one for one in versions if one["digest"] == tool.digest), None)
                if before is not None:
                    versions.remove(before)
                entry = {"digest": tool.digest, "at": at, "accepted": not versions, "descriptor": tool.as_json()}
                versions.append(before or entry)
                del versions[:-_KEPT]
        return changed

    def accepted(self, server: Server, tool: Descriptor) -> bool:
        """Whether a person has accepted this version."""
        return any(one["digest"] == tool.digest and one["accepted"] for one in self._read(server).get(tool.name, ()))

    def open_changes(self, server: Server) -> dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]]:
        """Tools whose latest version is not accepted: the last accepted description, and the latest."""
        found = {}
        for name, versions in self._read(server).items():
            if versions and not versions[-1]["accepted"]:
                good = next((one for one in reversed(versions) if one["accepted"]), versions[0])
                found[name] = (good["descriptor"], versions[-1]["descriptor"])
        return found

    def accept(self, server: Server, names: Sequence[str]) -> list[str]:
        """Accept the latest versions of these tools, or of all; returns their names.

        Raises:
            NotFoundError: one of them has not been seen.
        """
        done = []
        with self._changing(server) as known:
            missing = [name for name in names if name not in known]
            if missing:
                raise NotFoundError(
                    f"{server.shown} has no tool {missing[0]!r} that was seen here",
                    fix=f"seen are: {', '.join(sorted(known)) or 'none'}",
                )
            for name in names or known:
                if not known[name][-1]["accepted"]:
                    known[name][-1]["accepted"] = True
                    done.append(name)
        return done

    def _path(self, server: Server) -> Path:
        return self._folder / f"{server.identity}.json"

    def _read(self, server: Server) -> dict[str, list[dict[str, Any]]]:
        try:
            found: dict[str, list[dict[str, Any]]] = json.loads(self._path(server).read_bytes())
            return found
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise StorageError(
                f"{self._path(server)} cannot be read: {error}", fix="remove it; descriptions are then seen anew"
            ) from error

    @contextmanager
    def _changing(self, server: Server) -> Iterator[dict[str, list[dict[str, Any]]]]:
        """What is known of a server, written back when it has changed; processes take turns."""
        path = self._path(server)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StorageError(f"{self._folder} cannot be written: {error}", fix="check WEFT_HOME") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            known = self._read(server)
            before = json.dumps(known)
            yield known
            after = json.dumps(known)
            if after != before:
                new = path.with_suffix(".new")
                new.write_text(after, encoding="utf-8")
                new.chmod(0o600)
                new.replace(path)
        except OSError as error:
            raise StorageError(f"{path} cannot be written: {error}", fix="check WEFT_HOME") from error
        finally:
            os.close(lock)
