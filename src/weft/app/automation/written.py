"""Schedules and triggers that stand in workflow files, and making the journal say what the files say."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from weft.app.automation.desk import Desk, NewAutomation
from weft.app.automation.rules import written
from weft.app.service import AS_WRITTEN, ModelChoice
from weft.core.errors import ConflictError, InputError, SpecError
from weft.spec.files import SUFFIXES, read_source
from weft.spec.load import load
from weft.spec.tree import Map
from weft.store import automations as store
from weft.store.automations import Automation
from weft.store.sql import Transaction

MAX_FILES = 2_000
"""Files below one folder that are looked at."""
MAX_DEPTH = 6
Work = Callable[[Transaction], None]
"""A part of a transaction."""
_KEYS = ("schedule", "triggers")
_SKIPPED = frozenset({"node_modules", "__pycache__", "artifacts"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """What files do not say: where artifacts go, which models are used, and whether a changed workflow starts anything."""

    out: Path = Path("artifacts")
    choice: ModelChoice = AS_WRITTEN
    pin: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """What has become of the automations of some files."""

    added: list[Automation] = field(default_factory=list)
    changed: list[Automation] = field(default_factory=list)
    unchanged: list[Automation] = field(default_factory=list)
    removed: list[Automation] = field(default_factory=list)


async def sync(desk: Desk, path: Path, how: Manner | None = None) -> Synced:
    """Add, change and remove automations until they are as the file at `path` says, or every file below that folder.

    Only what an earlier call has made of the same files is changed or removed. Whatever is paused stays so.

    Raises:
        SpecError: a file has problems, or cannot be read and has automations.
        InputError: a rule is wrong, an input is missing, or a file alone says nothing of when it runs.
        ConflictError: two files use one name, or it belongs to another automation.
    """
    synced, works = _differences(desk, path, how or Manner())
    if works:
        await desk.apply(works)
    return synced


def _differences(desk: Desk, path: Path, how: Manner) -> tuple[Synced, list[Work]]:
    """What files say and the journal does not, and what makes it do so."""
    found = desk.all()
    place = path.resolve()
    folder = place.is_dir()
    ours = {one.name: one for one in found if one.request.get("written") and _covers(place, one, folder=folder)}
    known = {Path(one.request["file"]) for one in ours.values()}
    files = [file for file in _files(place) if _speaks(file, must=file in known)] if folder else [place]
    wanted: dict[str, Automation] = {}
    for file in files:
        for made in _automations(desk, file, how):
            if made.name in wanted:
                raise _taken(made, wanted[made.name])
            wanted[made.name] = made
    if not folder and not wanted and not ours:
        raise InputError(
            f"a schedule has either a cron expression or a length, and {path} has neither `schedule` nor `triggers`",
            fix="give --cron or --every, or write `schedule` in the file",
        )
    others = {one.name: one for one in found if one.name not in ours}
    return _compared(wanted, ours, others)


def _compared(
    wanted: dict[str, Automation], ours: dict[str, Automation], others: dict[str, Automation]
) -> tuple[Synced, list[Work]]:
    synced = Synced()
    works: list[Work] = []
    for name in sorted(ours.keys() - wanted.keys()):
        synced.removed.append(ours[name])
        works.append(store.remove(name))
    for name, made in sorted(wanted.items()):
        if name in others:
            raise _taken(made, others[name])
        old = ours.get(name)
        if old is None:
            synced.added.append(made)
            works.append(store.add(made))
        elif _same(old, made):
            synced.unchanged.append(old)
        else:
            new = replace(
                made, paused=old.paused, next_at=None if old.paused else made.next_at, created_at=old.created_at
            )
            synced.changed.append(new)
            # Of another kind, it is another automation: what the old one has seen says nothing of what this one will see.
            same_kind = old.kind == made.kind
            works += [store.change(new)] if same_kind else [store.remove(name), store.add(new)]
    return synced, works


def _automations(desk: Desk, file: Path, how: Manner) -> Iterator[Automation]:
    for _pointer, one in load(file).automations():
        yield desk.ready(
            NewAutomation(
                rule=written(one, file.parent),
                file=file,
                name=one.name or "",
                variables=one.inputs,
                out=how.out,
                choice=how.choice,
                pin=how.pin,
                written=True,
            )
        )


def _same(old: Automation, new: Automation) -> bool:
    """Whether both say the same; when a rule began to count is no part of what it says."""
    return (
        old.kind == new.kind
        and {**old.rule, "since": 0} == {**new.rule, "since": 0}
        and dict(old.request) == dict(new.request)
    )


def _covers(place: Path, one: Automation, *, folder: bool) -> bool:
    file = Path(one.request["file"])
    return file.is_relative_to(place) if folder else file == place


def _speaks(file: Path, *, must: bool) -> bool:
    """Whether the file says when it runs. One that cannot be read does not, unless it `must`: it has automations already.

    Raises:
        SpecError: it must and cannot be read, which is no reason to forget what it said.
    """
    try:
        root = read_source(file).root
    except SpecError:
        if must:
            raise
        return False
    return isinstance(root, Map) and any(key in root.entries for key in _KEYS)


def _taken(made: Automation, by: Automation) -> ConflictError:
    return ConflictError(
        f"{made.request['file']} makes {made.name!r}, and there is one of that name for {by.request['file']}",
        fix="give one of them another name, or remove the other one",
    )


def _files(folder: Path) -> Iterator[Path]:
    count = 0
    for top, folders, names in os.walk(folder, followlinks=False):
        here = Path(top)
        deep = len(here.relative_to(folder).parts) >= MAX_DEPTH
        folders[:] = [] if deep else sorted(one for one in folders if not one.startswith(".") and one not in _SKIPPED)
        for name in sorted(names):
            if name.endswith(SUFFIXES) and not name.startswith("."):
                count += 1
                if count > MAX_FILES:
                    raise InputError(
                        f"there are more than {MAX_FILES:,} files below {folder}",
                        fix="name a folder with the workflows alone",
                    )
                yield here / name
