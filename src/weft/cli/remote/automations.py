"""Schedules, triggers and kept plans of a service."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from weft.app.automation.desk import NewAutomation
from weft.app.automation.rules import FileTrigger, RunTrigger, Schedule
from weft.app.automation.written import Manner, Synced
from weft.app.service import AS_WRITTEN
from weft.cli.remote.lines import Lines
from weft.cli.remote.records import automation_of, firing_of, kept_of
from weft.client.given.schedules import AddSchedule
from weft.client.given.triggers import AddTrigger
from weft.core.clock import from_iso
from weft.core.errors import InputError, NotFoundError
from weft.store.automations import Automation, Firing
from weft.store.planned import Kept

_PAGE = 200
_OUT = Path("artifacts")


class RemoteAutomations:
    """What `Service` asks of what starts runs by itself. `name_of` makes a workflow known to the service."""

    def __init__(self, lines: Lines, name_of: Callable[[Path], tuple[str, int | None]]) -> None:
        self._client = lines.client
        self._name_of = name_of

    def automations(self, *kinds: str) -> list[Automation]:
        """See `Service.automations`."""
        found = [] if kinds and "schedule" not in kinds else list(self._client.schedules.list(limit=_PAGE))
        if kinds != ("schedule",):
            found += self._client.triggers.list(limit=_PAGE)
        return [automation_of(one) for one in found if not kinds or one.kind in kinds]

    def automation(self, name: str) -> tuple[Automation, list[Firing]]:
        """See `Service.automation`."""
        try:
            view = self._client.schedules.show(name)
        except NotFoundError:
            view = self._client.triggers.show(name)
        # The view says of its own what lists say, and its firings.
        return automation_of(view), [firing_of(name, one) for one in view.firings]

    async def add_automation(self, new: NewAutomation) -> Automation:
        """See `Service.add_automation`."""
        if new.choice != AS_WRITTEN or new.out != _OUT:
            raise InputError(
                "a service says itself which models it uses and where it keeps files",
                fix="leave --provider, --model, --base-url, --offline and --out out",
            )
        rule = new.rule
        workflow, _ = self._name_of(new.file)
        if isinstance(rule, Schedule):
            schedule: AddSchedule = {"workflow": workflow, "name": new.name, "inputs": new.variables, "pin": new.pin}
            schedule |= {"cron": rule.cron, "every_s": rule.every, "tz": rule.tz, "overlap": rule.overlap}
            schedule |= {"catch_up_s": rule.catch_up_s, "jitter_s": rule.jitter_s}
            return automation_of(self._client.schedules.add(**schedule))
        trigger: AddTrigger = {"workflow": workflow, "name": new.name, "inputs": new.variables, "pin": new.pin}
        if isinstance(rule, FileTrigger):
            trigger["on_file"] = {
                "folder": rule.folder,
                "pattern": rule.pattern,
                "settle_s": rule.settle_s,
                "variable": rule.variable,
            }
        elif isinstance(rule, RunTrigger):
            trigger["on_run"] = {"workflow": rule.workflow, "statuses": rule.statuses}
        return automation_of(self._client.triggers.add(**trigger))

    async def sync_automations(self, path: Path, how: Manner | None = None) -> Synced:
        """Refused: what files say is made active where they are."""
        del path, how
        raise InputError(
            "what workflow files say of when they run is made active where the files are",
            fix="do it on the machine of the service, or give --cron or --every",
        )

    async def pause_automation(self, name: str, *, paused: bool) -> Automation:
        """See `Service.pause_automation`."""
        group = self._client.schedules if self._is_schedule(name) else self._client.triggers
        return automation_of(group.pause(name) if paused else group.resume(name))

    async def remove_automation(self, name: str) -> None:
        """See `Service.remove_automation`."""
        (self._client.schedules if self._is_schedule(name) else self._client.triggers).remove(name)

    def upcoming(self, name: str, count: int) -> list[int]:
        """See `Service.upcoming`."""
        if count > _PAGE:
            raise InputError(f"a service tells {_PAGE} times at most", fix=f"ask for {_PAGE} or fewer")
        return [from_iso(at) for at in self._client.schedules.next(name, count=count).times]

    def kept_plans(self) -> list[Kept]:
        """See `Service.kept_plans`."""
        return [kept_of(one) for one in self._client.plans.list(limit=_PAGE)]

    def forget_plans(self, key: str | None = None, *, expired: bool = False) -> list[str]:
        """See `Service.forget_plans`."""
        if key is not None:
            return self._client.plans.invalidate(key=key).removed
        return (
            self._client.plans.invalidate(expired=True) if expired else self._client.plans.invalidate(all=True)
        ).removed

    def _is_schedule(self, name: str) -> bool:
        return self.automation(name)[0].kind == "schedule"
