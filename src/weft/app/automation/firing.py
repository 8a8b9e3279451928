"""What automations find to do: the occasions of schedules and triggers, each with the id of the run that it will start."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import translate
from itertools import islice
from pathlib import Path

from weft.app.automation.rules import FileTrigger, HookTrigger, RunTrigger, Schedule, due, read
from weft.core.clock import iso
from weft.core.ids import uuid7
from weft.store.automations import Automation, Firing
from weft.store.journal import Journal
from weft.store.runs import Run

MAX_FILES = 1_000
"""New files that one look into a folder takes up; the rest waits for the next one."""
MAX_BYTES = 4 * 1024**3
"""Files above this size start nothing: their content would have to be read whole to know it again."""
MAX_DEPTH = 8
"""How many runs may have started one another by triggers before it is taken for a circle."""
_LAG = 60_000_000
"""Ends of runs are looked for again so many microseconds back: what processes write need not be seen in the order of its times."""
_CHUNK = 1024 * 1024


@dataclass(slots=True)
class _Seen:
    """A file as a look found it. `noted` is set once the journal has its firing."""

    stamp: tuple[int, int]
    content: str
    noted: bool = False


def run_id_of(automation: Automation, key: str, nominal: int) -> str:
    """The id of the run that an occasion starts: always the same, so that it is started once."""
    seed = f"{automation.tenant}\n{automation.name}\n{automation.created_at}\n{key}"
    digest = hashlib.sha256(seed.encode()).digest()
    return uuid7(millis=nominal // 1_000, entropy=lambda count: digest[:count])


class Occasions:
    """Looks for occasions. What it remembers between looks only saves work: the journal's own rows decide."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._seen: dict[tuple[str, str, int], dict[str, _Seen]] = {}

    def of(self, automation: Automation, now: int) -> tuple[list[Firing], int | None]:
        """The occasions of an automation at `now`, and when a schedule is next due."""
        rule = read(automation.kind, automation.rule)
        if isinstance(rule, Schedule):
            return self._ticks(automation, rule, now)
        if isinstance(rule, FileTrigger):
            return list(islice(self._files(automation, rule, now), MAX_FILES)), None
        if isinstance(rule, HookTrigger):
            return [], None  # the service notes its occasions when they come
        assert isinstance(rule, RunTrigger)
        return list(self._ends(automation, rule, now)), None

    def _ticks(self, automation: Automation, rule: Schedule, now: int) -> tuple[list[Firing], int]:
        assert automation.next_at is not None, "a schedule that is not paused has a next time"
        ticks, next_at = due(rule, automation.name, automation.next_at, now)
        found = []
        for nominal, recent in ticks:
            key = iso(nominal)
            found.append(
                Firing(
                    automation=automation.name,
                    tenant=automation.tenant,
                    key=key,
                    status="due" if recent else "skipped",
                    reason="" if recent else "no worker ran at its time, and it is too long ago to make up for",
                    run_id=run_id_of(automation, key, nominal),
                    nominal=nominal,
                    at=now,
                )
            )
        return found, next_at

    def _files(self, automation: Automation, rule: FileTrigger, now: int) -> Iterator[Firing]:
        folder = Path(rule.folder)
        place = (automation.tenant, automation.name, automation.created_at)
        before = self._seen.get(place, {})
        # What has gone is forgotten: in a busy folder nothing piles up here.
        seen = self._seen[place] = {}
        for name, info in _entries(folder, rule.pattern):
            stamp = (info.st_mtime_ns, info.st_size)
            known = before.get(name)
            if known is None or known.stamp != stamp:
                if 0 <= now / 1_000_000 - info.st_mtime < rule.settle_s:
                    continue
                content = _digest(folder / name, stamp)
                if content is None:
                    continue
                known = _Seen(stamp, content)
            seen[name] = known
            if known.noted:
                continue
            key = f"{name}:{known.content}"
            known.noted = self._journal.automations.known(automation.name, key, tenant=automation.tenant)
            if not known.noted:
                yield Firing(
                    automation=automation.name,
                    tenant=automation.tenant,
                    key=key,
                    status="due",
                    run_id=run_id_of(automation, key, automation.created_at),
                    variables={rule.variable: str(folder / name)},
                    nominal=now,
                    at=now,
                )

    def _ends(self, automation: Automation, rule: RunTrigger, now: int) -> Iterator[Firing]:
        since = self._position(automation, rule)
        for run in self._journal.runs.ended_since(
            rule.workflow, rule.statuses, since, unseen_by=automation.name, tenant=automation.tenant
        ):
            key = f"{run.id}:{run.generation}"
            depth = depth_of(run) + 1
            deep = depth > MAX_DEPTH
            yield Firing(
                automation=automation.name,
                tenant=automation.tenant,
                key=key,
                status="refused" if deep else "due",
                reason=f"{MAX_DEPTH} runs have started one another: this looks like a circle" if deep else "",
                run_id=run_id_of(automation, key, run.updated_at),
                variables={"run": run.id, "status": run.status, "response": _response(run)},
                nominal=run.updated_at,
                at=now,
            )

    def _position(self, automation: Automation, rule: RunTrigger) -> int:
        """From when on ends are looked at again."""
        latest = self._journal.automations.firings(automation.name, limit=1, tenant=automation.tenant)
        return max(rule.since, latest[0].nominal - _LAG if latest else 0)


def depth_of(run: Run) -> int:
    """How many runs have started one another, by triggers, up to this one."""
    found = run.options.get("trigger_depth", 0)
    return found if isinstance(found, int) else 0


def _response(run: Run) -> str:
    outputs = run.outputs if isinstance(run.outputs, dict) else {}
    found = outputs.get("response", "")
    return found if isinstance(found, str) else ""


def _entries(folder: Path, pattern: str) -> Iterator[tuple[str, os.stat_result]]:
    """The regular files of a folder that fit, by name. Links are not followed: they may lead anywhere."""
    fits = re.compile(translate(pattern)).match
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if fits(entry.name))
    except OSError:
        return
    for name in names:
        try:
            info = (folder / name).lstat()
        except OSError:
            continue
        if stat.S_ISREG(info.st_mode) and info.st_size <= MAX_BYTES:
            yield name, info


def _digest(path: Path, stamp: tuple[int, int]) -> str | None:
    """What the content of a file comes down to; None when it changes, goes away or may not be read: a later look may do better."""
    taken = hashlib.sha256()
    try:
        # A name that has become a link or a pipe since it was looked at is neither followed nor waited for.
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:  # noqa: PTH123 -- of a descriptor
            while chunk := file.read(_CHUNK):
                taken.update(chunk)
            after = os.fstat(file.fileno())
    except OSError:
        return None
    return taken.hexdigest()[:32] if (after.st_mtime_ns, after.st_size) == stamp else None
