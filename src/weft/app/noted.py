"""The local service as commands use it: what changes a run, or how things are set up, is an entry of the audit log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weft.app.local import LocalService
from weft.app.parts import load
from weft.core.owner import LOCAL

if TYPE_CHECKING:  # types only, see `weft.app.parts`
    from weft.app.auditing.trail import Trail
    from weft.app.automation.desk import NewAutomation
    from weft.app.automation.written import Manner, Synced
    from weft.app.service import NewFork
    from weft.engine.answering import NewSignal
    from weft.store.automations import Automation


class NotedService(LocalService):
    """Acts are those of the user of this machine; each has been done when it is noted."""

    async def signal(self, run_id: str, signal: NewSignal) -> bool:
        """See `Service.signal`."""
        done = await super().signal(run_id, signal)
        await self._note("run.signal", f"run/{run_id}", {"name": signal.name})
        return done

    async def cancel(self, run_id: str, *, reason: str = "") -> bool:
        """See `Service.cancel`."""
        done = await super().cancel(run_id, reason=reason)
        await self._note("run.cancel", f"run/{run_id}", {"reason": reason[:200]})
        return done

    async def fork(
        self,
        run_id: str,
        *,
        at: str | None = None,
        before: str | None = None,
        changes: Mapping[str, str],
        new: NewFork | None = None,
    ) -> str:
        """See `Service.fork`."""
        made = await super().fork(run_id, at=at, before=before, changes=changes, new=new)
        await self._note("run.fork", f"run/{made}", {"of": run_id})
        return made

    async def promote(self, run_id: str) -> None:
        """See `Service.promote`."""
        await super().promote(run_id)
        await self._note("run.promote", f"run/{run_id}")

    async def discard(self, run_id: str) -> list[str]:
        """See `Service.discard`."""
        gone = await super().discard(run_id)
        await self._note("run.discard", f"run/{run_id}", {"runs": len(gone)})
        return gone

    async def delete(self, run_id: str) -> list[str]:
        """See `Service.delete`."""
        gone = await super().delete(run_id)
        await self._note("run.delete", f"run/{run_id}", {"runs": len(gone)})
        return gone

    def forget_plans(self, key: str | None = None, *, expired: bool = False) -> list[str]:
        """See `Service.forget_plans`."""
        gone = super().forget_plans(key, expired=expired)
        self._note_later("plan.invalidate", "plans", {"removed": len(gone)})
        return gone

    def accept_tools(self, file: Path, server: str, tools: Sequence[str]) -> list[str]:
        """See `Service.accept_tools`."""
        accepted = super().accept_tools(file, server, tools)
        self._note_later("tools.accept", f"server/{server}", {"tools": accepted[:100]})
        return accepted

    async def add_automation(self, new: NewAutomation) -> Automation:
        """See `Service.add_automation`."""
        made = await super().add_automation(new)
        await self._note("automation.add", f"automation/{made.name}", {"kind": made.kind})
        return made

    async def sync_automations(self, path: Path, how: Manner | None = None) -> Synced:
        """See `Service.sync_automations`."""
        synced = await super().sync_automations(path, how)
        await self._note("automation.sync", "automations", {"file": path.name})
        return synced

    async def pause_automation(self, name: str, *, paused: bool) -> Automation:
        """See `Service.pause_automation`."""
        changed = await super().pause_automation(name, paused=paused)
        await self._note("automation.pause" if paused else "automation.resume", f"automation/{name}")
        return changed

    async def remove_automation(self, name: str) -> None:
        """See `Service.remove_automation`."""
        await super().remove_automation(name)
        await self._note("automation.remove", f"automation/{name}")

    async def _note(self, act: str, target: str, data: Mapping[str, Any] | None = None) -> None:
        await self._trail.note(self._trail.entry(LOCAL.principal, act, target, data, tenant=LOCAL.tenant))

    def _note_later(self, act: str, target: str, data: Mapping[str, Any]) -> None:
        entry = self._trail.entry(LOCAL.principal, act, target, data, tenant=LOCAL.tenant)
        self._trail.later(entry, soon=True)

    @cached_property
    def _trail(self) -> Trail:
        trail: Trail = load("trail").Trail(self.journal, load("clock").SystemClock(), self._settings.home)
        return trail
