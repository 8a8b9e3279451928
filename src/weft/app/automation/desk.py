"""Adding automations, pausing and removing them, and asking what they will do."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from weft.app.automation.rules import FileTrigger, HookTrigger, Rule, RunTrigger, Schedule, check, read, shifted, times
from weft.app.documents import prepare
from weft.app.service import AS_WRITTEN, ModelChoice
from weft.core.clock import Clock, iso
from weft.core.errors import InputError
from weft.core.owner import LOCAL, Owner
from weft.plan.codec import plan_hash
from weft.store import automations as store
from weft.store.automations import Automation
from weft.store.journal import Journal
from weft.store.sql import Transaction

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_KINDS: Mapping[type[Rule], str] = {
    Schedule: "schedule",
    FileTrigger: "file",
    RunTrigger: "run",
    HookTrigger: "webhook",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAutomation:
    """What an automation starts, and by which rule. With `pin`, it refuses to start a workflow that has changed since.

    One that is `written` comes from the file itself, and follows it.
    """

    rule: Rule
    file: Path
    name: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict)
    out: Path = Path("artifacts")
    choice: ModelChoice = AS_WRITTEN
    workdir: Path | None = None
    pin: bool = False
    written: bool = False


class Desk:
    """Changes automations of one tenant. Workers hear of it at once.

    What `owner` adds starts runs that are theirs.
    """

    def __init__(self, journal: Journal, clock: Clock, owner: Owner = LOCAL) -> None:
        self._journal = journal
        self._clock = clock
        self._owner = owner

    async def add(self, new: NewAutomation) -> Automation:
        """Keep a new automation, once its rule and its workflow are known to be good.

        Raises:
            SpecError: the workflow has problems.
            InputError: the rule is wrong, or an input is missing.
            ConflictError: there is an automation of this name.
        """
        made = self.ready(new)
        await self._journal.writer.submit(store.add(made))
        self._journal.inbox.ring()
        return made

    def ready(self, new: NewAutomation) -> Automation:
        """The automation that `new` would be, once its rule and its workflow are known to be good. Nothing is kept.

        Raises:
            SpecError: the workflow has problems.
            InputError: the rule is wrong, or an input is missing.
        """
        now = self._clock.micros()
        rule, given = self._ready(new.rule, now)
        prepared = prepare(new.file, {**given, **new.variables}, new.choice, session="", at=iso(now))
        name = new.name or prepared.plan.workflow
        if not _NAME.fullmatch(name):
            raise InputError(
                f"{name!r} cannot be the name of an automation", fix="give a --name of letters, digits, dots and dashes"
            )
        return Automation(
            name=name,
            kind=_KINDS[type(rule)],
            rule=rule.model_dump(mode="json"),
            request=_stored(new, plan_hash(prepared.plan) if new.pin else "", self._owner),
            tenant=self._owner.tenant,
            next_at=_first(rule, now),
            created_at=now,
        )

    async def apply(self, works: Sequence[Callable[[Transaction], None]]) -> None:
        """Do what `works` say in one transaction: all of it or nothing. Workers hear of it.

        Raises:
            ConflictError: an automation of a name that is to be added was made meanwhile.
            NotFoundError: one that is to be changed has gone meanwhile.
        """

        def work(connection: Transaction) -> None:
            for one in works:
                one(connection)

        await self._journal.writer.submit(work)
        self._journal.inbox.ring()

    def all(self) -> list[Automation]:
        """Every automation, by name."""
        return self._journal.automations.of_kind(tenant=self._owner.tenant)

    async def pause(self, name: str, *, paused: bool) -> Automation:
        """Pause an automation, or let it go on from now: times and ends that fell into the pause are not made up for.

        Raises:
            NotFoundError: there is none of this name.
        """
        found = self._journal.automations.get(name, tenant=self._owner.tenant)
        if found.paused == paused:
            return found
        now = self._clock.micros()
        rule = read(found.kind, found.rule)
        if isinstance(rule, RunTrigger) and not paused:
            rule = rule.model_copy(update={"since": now})
        changed = replace(
            found,
            paused=paused,
            next_at=None if paused else _first(rule, now),
            rule=rule.model_dump(mode="json"),
        )
        await self._journal.writer.submit(store.set_paused(changed))
        self._journal.inbox.ring()
        return changed

    async def remove(self, name: str) -> None:
        """Forget an automation; runs that it has started stay.

        Raises:
            NotFoundError: there is none of this name.
        """
        await self._journal.writer.submit(store.remove(name, tenant=self._owner.tenant))
        self._journal.inbox.ring()

    def upcoming(self, name: str, count: int) -> list[int]:
        """The next times of a schedule, in microseconds, its jitter included.

        Raises:
            NotFoundError: there is none of this name.
            InputError: it is no schedule.
        """
        found = self._journal.automations.get(name, tenant=self._owner.tenant)
        rule = read(found.kind, found.rule)
        if not isinstance(rule, Schedule):
            raise InputError(
                f"{name!r} is a trigger: nobody knows when it fires", fix="`weft schedules list` shows schedules"
            )
        return [shifted(rule, name, at) for at in islice(times(rule, self._clock.micros()), count)]

    def _ready(self, rule: Rule, now: int) -> tuple[Rule, dict[str, str]]:
        """`rule` checked and complete, and stand-ins for the variables that it will fill."""
        if isinstance(rule, Schedule):
            return check(rule.model_copy(update={"since": now})), {}
        if isinstance(rule, FileTrigger):
            folder = Path(rule.folder).resolve()
            if not folder.is_dir():
                raise InputError(f"there is no folder {str(folder)!r}", fix="make it first, or name another one")
            return rule.model_copy(update={"folder": str(folder)}), {rule.variable: str(folder / "example")}
        if isinstance(rule, HookTrigger):
            return rule, {rule.variable: "{}"}
        assert isinstance(rule, RunTrigger)
        return rule.model_copy(update={"since": now}), {"run": "", "status": "completed", "response": "example"}


def _first(rule: Rule, now: int) -> int | None:
    return next(times(rule, now)) if isinstance(rule, Schedule) else None


def _stored(new: NewAutomation, pinned: str, owner: Owner) -> dict[str, Any]:
    choice = {
        name: value
        for name in ("provider", "model", "base_url", "offline")
        if (value := getattr(new.choice, name)) not in (None, False)
    }
    return {
        "file": str(new.file.resolve()),
        "variables": dict(new.variables),
        "out": str(new.out.resolve()),
        **({"choice": choice} if choice else {}),
        **({"workdir": str(new.workdir.resolve())} if new.workdir else {}),
        **({"plan_hash": pinned} if pinned else {}),
        **({"principal": owner.principal} if owner.principal != LOCAL.principal else {}),
        **({"written": True} if new.written else {}),
    }
