"""The local service as commands use it: what changes a run, or how things are set up, is an entry of the audit log."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from weft.app.local import LocalService
from weft.app.parts import load
from weft.core.errors import NotFoundError
from weft.core.owner import LOCAL, Owner

if TYPE_CHECKING:  # types only, see `weft.app.parts`
    from weft.app.auditing.acts import Act
    from weft.app.auditing.trail import Trail
    from weft.app.automation.desk import NewAutomation
    from weft.app.automation.worker import Report, Worker
    from weft.app.automation.written import Manner, Synced
    from weft.app.service import NewFork, Settled
    from weft.engine.answering import NewSignal
    from weft.store.automations import Automation
    from weft.tools.mcp.findings import Tried

Made = TypeVar("Made")


class NotedService(LocalService):
    """Acts are those of the user of this machine; on a run they stand in the log of the run's tenant."""

    async def resume(self, run_id: str, *, reopen: bool, settle: Mapping[str, Settled]) -> None:
        """See `Service.resume`."""
        begun = self.journal.runs.get(run_id).status not in {"queued", "completed"}
        work = super().resume(run_id, reopen=reopen, settle=settle)
        if begun:
            work = self._on(run_id, self._acts.run_resume(run_id, reopen=reopen, settled=settle), work)
        await work

    async def signal(self, run_id: str, signal: NewSignal) -> bool:
        """See `Service.signal`."""
        return await self._on(run_id, self._acts.run_signal(run_id, signal.name), super().signal(run_id, signal))

    async def cancel(self, run_id: str, *, reason: str = "") -> bool:
        """See `Service.cancel`."""
        told = partial(self._acts.run_cancel, run_id, reason)
        return await self._on(run_id, told(), super().cancel(run_id, reason=reason), told=told)

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
        told = partial(self._acts.run_fork, run_id)
        work = super().fork(run_id, at=at, before=before, changes=changes, new=new)
        return await self._on(run_id, told(), work, told=told)

    async def promote(self, run_id: str) -> None:
        """See `Service.promote`."""
        await self._on(run_id, self._acts.run_promote(run_id), super().promote(run_id))

    async def discard(self, run_id: str) -> list[str]:
        """See `Service.discard`."""
        told = partial(self._acts.run_discard, run_id)
        return await self._on(run_id, told(), super().discard(run_id), told=told)

    async def delete(self, run_id: str) -> list[str]:
        """See `Service.delete`."""
        told = partial(self._acts.run_delete, run_id)
        return await self._on(run_id, told(), super().delete(run_id), told=told)

    def forget_plans(self, key: str | None = None, *, expired: bool = False) -> list[str]:
        """See `Service.forget_plans`."""
        gone = super().forget_plans(key, expired=expired)
        self._later(self._acts.plans_forget(gone))
        return gone

    async def login(self, file: Path, server: str, show: Callable[[str], Awaitable[None]]) -> Tried:
        """See `Service.login`."""
        return await self._act(self._acts.tools_login(server), super().login(file, server, show))

    def accept_tools(self, file: Path, server: str, tools: Sequence[str]) -> list[str]:
        """See `Service.accept_tools`."""
        accepted = super().accept_tools(file, server, tools)
        self._later(self._acts.tools_accept(server, accepted))
        return accepted

    async def add_automation(self, new: NewAutomation) -> Automation:
        """See `Service.add_automation`."""

        def told(made: Automation) -> Act:
            act: Act = self._acts.automation_add(made.name, made.kind)
            return act

        return await self._act(self._acts.automation_add(new.name), super().add_automation(new), told=told)

    async def sync_automations(self, path: Path, how: Manner | None = None) -> Synced:
        """See `Service.sync_automations`."""

        def told(synced: Synced) -> Act:
            changed = {what: [one.name for one in getattr(synced, what)] for what in ("added", "changed", "removed")}
            act: Act = self._acts.automation_sync(path.name, changed)
            return act

        return await self._act(self._acts.automation_sync(path.name), super().sync_automations(path, how), told=told)

    async def pause_automation(self, name: str, *, paused: bool) -> Automation:
        """See `Service.pause_automation`."""
        return await self._act(
            self._acts.automation_pause(name, paused=paused), super().pause_automation(name, paused=paused)
        )

    async def remove_automation(self, name: str) -> None:
        """See `Service.remove_automation`."""
        await self._act(self._acts.automation_remove(name), super().remove_automation(name))

    def worker(self, *, concurrency: int, report: Report) -> Worker:
        """See `Service.worker`."""
        load("configured").note_settings(self._settings, self.journal, self._trail, "worker")
        return super().worker(concurrency=concurrency, report=report)

    async def close(self) -> None:
        """See `Service.close`."""
        if "_trail" in self.__dict__:
            await self._trail.finish()
        await super().close()

    async def _on(
        self, run_id: str, act: Act, work: Awaitable[Made], *, told: Callable[[Made], Act] | None = None
    ) -> Made:
        """Do something to a run."""
        tenant = LOCAL.tenant
        with suppress(NotFoundError):
            tenant = self.journal.runs.get(run_id).tenant
        by = Owner(tenant, LOCAL.principal)
        return await self._trail.act(by, act, work, told=told)

    async def _act(self, act: Act, work: Awaitable[Made], *, told: Callable[[Made], Act] | None = None) -> Made:
        return await self._trail.act(LOCAL, act, work, told=told)

    def _later(self, act: Act) -> None:
        self._trail.later(self._trail.of(LOCAL, act), soon=True)

    @property
    def _acts(self) -> Any:
        return load("acts")

    @cached_property
    def _trail(self) -> Trail:
        trail: Trail = load("trail").Trail(self.journal, load("clock").SystemClock(), self._settings.home)
        return trail
