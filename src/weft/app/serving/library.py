"""What is served: the workflows that were registered, those in the folders of the settings, and the agents in them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from time import monotonic
from typing import Any, Literal

from weft.app.atomic import LABEL
from weft.app.serving.copies import copy_of, folder_for_new
from weft.app.serving.inputs import input_schema, main_input
from weft.app.serving.trust import Trust
from weft.core.errors import InputError, NotFoundError, PolicyError, SpecError, WeftError
from weft.spec.files import SUFFIXES
from weft.spec.load import check_text, load
from weft.spec.model.workflow import Workflow
from weft.spec.suggest import did_you_mean
from weft.store.journal import Journal
from weft.store.workflows import Registered, register, unregister

MAX_SOURCE = 1_000_000
"""Characters of the text of a workflow."""
_FILES, _DEPTH = 1_000, 6
_LOOK_S = 0.5
"""So long the names in the folders are as they were found. A name that is not among them has the folders looked at again."""
_WARY = Trust()
_SKIPPED = frozenset({"node_modules", "__pycache__", "artifacts"})


@dataclass(frozen=True, kw_only=True)
class Published:
    """One thing that can be asked: a workflow, or one agent of a workflow (``workflow/agent``).

    `version` is that of a registered workflow, 0 for one in a folder.
    """

    name: str
    kind: Literal["workflow", "agent"]
    file: Path
    workflow: Workflow
    agent: str = ""
    version: int = 0
    hash: str = ""
    changed_at: int = 0
    """Microseconds since the epoch."""

    @property
    def description(self) -> str:
        """What it is good for, in the words of its file."""
        if not self.agent:
            return self.workflow.description
        agent = self.workflow.inline_agents()[self.agent]
        words = agent.prompt or (agent.card.description if agent.card else "")
        return words.strip().split("\n", 1)[0][:200]

    @cached_property
    def input_schema(self) -> Mapping[str, Any]:
        """What it takes, as a JSON Schema."""
        return input_schema(self.workflow, agent=self.agent)

    @property
    def main_input(self) -> str | None:
        """The input that a plain message fills."""
        return main_input(self.workflow, agent=bool(self.agent))


@dataclass(frozen=True, slots=True)
class _Known:
    """A file as it was last read: its time and size, and the workflow in it or what is wrong."""

    stamp: tuple[int, int]
    workflow: Workflow | None
    error: WeftError | None


def _nobody(what: str, file: Path) -> None:
    """Nobody wants to know what has become of a file."""


class Library:
    """Finds what is served. Files are read again when they change; a registered workflow goes over a file of its name.

    `told` hears of files in the folders that were ``added``, ``changed`` or ``removed`` since they were looked at first. What
    workflows that others than the user of this machine registered may do, `trust` says.
    """

    def __init__(
        self,
        journal: Journal,
        home: Path,
        folders: tuple[Path, ...],
        *,
        told: Callable[[str, Path], object] = _nobody,
        trust: Trust = _WARY,
    ) -> None:
        self._journal = journal
        self._trust = trust
        self._home = home
        self._folders = folders
        self._told = told
        self._files: dict[Path, _Known] = {}
        self._scanned: dict[str, Path] = {}
        self._fresh_until = 0.0
        self._registered: dict[tuple[str, str], Workflow] = {}

    def all(self, *, tenant: str = "local") -> list[Published]:
        """Everything that can be asked, by name."""
        found: dict[str, Published] = {}
        for one in self._workflows(tenant):
            found[one.name] = one
            if not _is_atomic(one.workflow):
                found |= {agent.name: agent for agent in _agents(one)}
        return [found[name] for name in sorted(found)]

    def broken(self) -> dict[Path, WeftError]:
        """Files in the folders that hold no workflow that can be served, and why."""
        list(self._in_folders())
        return {path: known.error for path, known in self._files.items() if known.error is not None}

    def get(self, name: str, version: int | None = None, *, tenant: str = "local") -> Published:
        """What is served under `name`.

        Raises:
            NotFoundError: nothing is.
            PolicyError: it is registered and may not do what it says.
        """
        if version is not None:
            return self._published(self._journal.workflows.get(name, version, tenant=tenant))
        found = self._named(name, tenant)
        if found is None:
            known = {one.name: one for one in self.all(tenant=tenant)}
            if name not in known:
                hint = "register a workflow, or serve a folder of them"
                fix = did_you_mean(name, known, noun="names") if known else hint
                raise NotFoundError(f"nothing is served under the name {name!r}", fix=fix)
            found = known[name]
        return found

    def _named(self, name: str, tenant: str) -> Published | None:
        """What is served under `name`, as far as it can be told without looking at everything."""
        kept = self._journal.workflows.newest(name, tenant=tenant)
        if kept is not None:
            try:
                return self._published(kept)
            except PolicyError:
                # It is there, and whoever asks for it is to know what it may not do.
                raise
            except WeftError:
                pass  # written by a version that understood it
        owner, _, agent = name.rpartition("/")
        if owner and (whole := self._named(owner, tenant)) is not None:
            served = agent in whole.workflow.agents and not _is_atomic(whole.workflow)
            return replace(whole, name=name, kind="agent", agent=agent) if served else None
        return self._in_scan(name)

    def _in_scan(self, name: str) -> Published | None:
        """The workflow of this name in the folders, by the latest look at them if that was just now and the file is as it was."""
        path = self._scanned.get(name) if monotonic() < self._fresh_until else None
        before = self._files.get(path) if path is not None else None
        if path is None or before is None or self._read(path) is not before:
            return None
        return _from_file(path, before)

    def versions(self, name: str, *, tenant: str = "local") -> list[Registered]:
        """The registered versions of a workflow, the newest first."""
        return self._journal.workflows.versions(name, tenant=tenant)

    async def register(
        self, source: str, *, note: str = "", principal: str = "local", at: int, tenant: str = "local"
    ) -> Published:
        """Keep a new version of the workflow that `source` is, and serve it.

        Raises:
            SpecError: it has problems.
            InputError: it is too long.
        """
        if len(source) > MAX_SOURCE:
            raise InputError(f"a workflow may have {MAX_SOURCE} characters", fix="split it into several")
        # In a thread, for a long text takes its time and others are served meanwhile.
        report = await asyncio.to_thread(check_text, source, "workflow.yaml", folder=folder_for_new(self._home))
        wrong = [problem for problem in report.problems if problem.severity == "error"] + list(report.unsupported)
        if report.workflow is None or wrong:
            first = wrong[0]
            raise SpecError(first.message, fix=first.fix, place=first.place, problems=wrong)
        self._trust.demand(report.workflow, tenant, principal)
        kept = await self._journal.writer.submit(
            register(report.workflow.name, source, note=note, principal=principal, at=at, tenant=tenant)
        )
        return self._published(kept)

    async def unregister(self, name: str, *, tenant: str = "local") -> int:
        """Serve a registered workflow no more; how many versions there were. Runs of it keep their plans."""
        gone: int = await self._journal.writer.submit(unregister(name, tenant=tenant))
        return gone

    def _workflows(self, tenant: str) -> Iterator[Published]:
        yield from self._in_folders()
        for kept in self._journal.workflows.latest(tenant=tenant):
            try:
                yield self._published(kept)
            except WeftError:
                continue  # written by a version that understood it; `versions` still shows its text

    def _published(self, kept: Registered) -> Published:
        file = self._written(kept)
        key = (kept.tenant, kept.hash)
        workflow = self._registered.get(key)
        if workflow is None:
            if len(self._registered) >= _FILES:
                self._registered.clear()
            workflow = self._registered[key] = load(file)
        self._trust.demand(workflow, kept.tenant, kept.principal)
        return Published(
            name=kept.name,
            kind="workflow",
            file=file,
            workflow=workflow,
            version=kept.version,
            hash=kept.hash,
            changed_at=kept.created_at,
        )

    def _written(self, kept: Registered) -> Path:
        """The file that holds a registered version: runs are started from files, each version from one of its own."""
        return copy_of(self._home, kept.tenant, kept.hash, kept.source)

    def _in_folders(self) -> Iterator[Published]:
        until, scanned = monotonic() + _LOOK_S, dict[str, Path]()
        paths = [path for folder in self._folders for path in _yaml_files(folder)]
        for gone in self._files.keys() - set(paths):
            del self._files[gone]
            self._told("removed", gone)
        for path in paths:
            known = self._read(path)
            if known is not None and (one := _from_file(path, known)) is not None:
                scanned[one.name] = path
                yield one
        self._scanned, self._fresh_until = scanned, until

    def _read(self, path: Path) -> _Known | None:
        try:
            stat = path.stat()
        except OSError:
            return None
        stamp = (stat.st_mtime_ns, stat.st_size)
        known = before = self._files.get(path)
        if known is None or known.stamp != stamp:
            try:
                known = _Known(stamp, load(path), None)
            except WeftError as error:
                known = _Known(stamp, None, error)
            if before is not None or self._fresh_until:
                self._told("added" if before is None else "changed", path)
            self._files[path] = known
        return known


def _from_file(path: Path, known: _Known) -> Published | None:
    """The workflow in a file, if it holds one that can be served."""
    if known.workflow is None:
        return None
    return Published(
        name=known.workflow.name,
        kind="agent" if _is_atomic(known.workflow) else "workflow",
        file=path,
        workflow=known.workflow,
        changed_at=known.stamp[0] // 1_000,
    )


def _agents(one: Published) -> Iterator[Published]:
    """The agents of a workflow as things to ask by themselves."""
    for agent in one.workflow.agents:
        yield replace(one, name=f"{one.name}/{agent}", kind="agent", agent=agent)


def _is_atomic(workflow: Workflow) -> bool:
    """Whether the workflow stands for its only agent."""
    labels = workflow.metadata.labels if workflow.metadata else {}
    return labels.get(LABEL) == "atomic" and len(workflow.agents) == 1


def _yaml_files(folder: Path) -> Iterator[Path]:
    count = 0
    for top, folders, names in os.walk(folder, followlinks=False):
        deep = len(Path(top).relative_to(folder).parts) >= _DEPTH
        folders[:] = [] if deep else sorted(one for one in folders if not one.startswith(".") and one not in _SKIPPED)
        for name in sorted(names):
            if name.endswith(SUFFIXES) and not name.startswith(".") and count < _FILES:
                count += 1
                yield Path(top) / name
