"""What an engine does for runs that have children, and for children that have parents."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol

from weft.core.clock import Clock, iso
from weft.core.errors import ConflictError, MismatchError, NotFoundError
from weft.core.owner import LOCAL, Owner
from weft.engine.children import Account, Birth, folded, on_cancel
from weft.engine.driven import Driven
from weft.engine.ending import RunResult, as_it_ended
from weft.engine.patience import around_limit, inside
from weft.plan.nodes import Plan
from weft.plan.scope import initial_scope
from weft.store.journal import Journal


class Drives(Protocol):
    """An engine."""

    async def start(  # noqa: D102 -- as the engine says
        self,
        plan: Plan,
        scope: Mapping[str, Any],
        *,
        inputs: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        owner: Owner = LOCAL,
        birth: Birth | None = None,
    ) -> str: ...

    async def drive(self, run_id: str) -> RunResult:  # noqa: D102 -- as the engine says
        ...

    async def cancel(self, run_id: str, *, reason: str = "") -> bool:  # noqa: D102 -- as the engine says
        ...


class Family:
    """Implements `weft.engine.children.Household` for one engine; `drive` and `active` are what it keeps to itself."""

    def __init__(
        self,
        engine: Drives,
        journal: Journal,
        drive: Callable[..., Awaitable[RunResult]],
        active: Mapping[str, Driven],
        clock: Clock,
    ) -> None:
        self.accounts: dict[str, Account] = {}
        self.parents: dict[str, str] = {}
        self._engine = engine
        self._journal = journal
        self._drive = drive
        self._active = active
        self._clock = clock
        self._loose: set[asyncio.Task[RunResult]] = set()

    async def bear(self, plan: Plan, inputs: Mapping[str, Any], options: Mapping[str, Any], birth: Birth) -> None:
        """See `Household.bear`."""
        above = self._journal.runs.get(birth.parent)
        owner = Owner(above.tenant, above.principal, above.session)
        scope = initial_scope(plan, inputs, session_id=above.session, started_at=iso(self._clock.micros()))
        await self._engine.start(plan, scope, inputs=inputs, options=options, birth=birth, owner=owner)

    async def drive_child(self, run_id: str, *, reopen: bool, account: Account) -> RunResult:
        """See `Household.drive_child`."""
        self.accounts[run_id] = account
        try:
            return await self._drive(run_id, reopen=reopen)
        finally:
            del self.accounts[run_id]

    async def stop_child(self, run_id: str, reason: str) -> None:
        """See `Household.stop_child`."""
        if driven := self._active.get(run_id):
            driven.cancel(reason)
        else:
            await self._engine.cancel(run_id, reason=reason)

    def let_go_on(self, drive: asyncio.Task[RunResult]) -> None:
        """See `Household.let_go_on`."""
        self._loose.add(drive)
        drive.add_done_callback(self._forget)

    async def cancel_children(self, run_id: str, reason: str) -> None:
        """Cancel the children of a run that nobody drives, those excepted that are to go on without it."""
        for child in self._journal.runs.children(run_id):
            if not child.ended and on_cancel(self._journal, child.id) == "cancel":
                await self._engine.cancel(child.id, reason=reason)

    async def wake_parent(self, run_id: str) -> None:
        """A run has ended: make its parent go on, unless somebody else does."""
        parent = self.parents.pop(run_id, None)
        if parent is None:
            return
        self._journal.inbox.ring()
        if driven := self._active.get(parent):
            driven.waiting.ring()
            return
        run = self._journal.runs.get(parent)
        if run.status == "waiting" and not run.driven:
            with suppress(ConflictError, MismatchError, NotFoundError):  # its row says that it is due
                await self._engine.drive(parent)

    def through(self, run_id: str) -> str | None:
        """The run above `run_id` that is to be driven so that this one goes on, if that is so.

        It has let go of what is below it, and has a time limit that counts what is done there and not what people take. That only its
        own journal can say.
        """
        found = None
        run = self._journal.runs.get(run_id)
        while run.parent is not None and not run.ended:
            try:
                above = self._journal.runs.get(run.parent)
            except NotFoundError:
                break
            path = next((str(wait["path"]) for wait in above.waits if wait.get("run") == run.id), None)
            if above.status != "waiting" or above.driven or path is None:
                break
            limits = [str(wait.get("path", "")) for wait in above.waits if wait.get("kind") == "limit"]
            if any(inside(path, around_limit(limit)) for limit in limits):
                found = above.id
            run = above
        return found

    async def drive_through(self, above: str, run_id: str) -> RunResult | None:
        """Have `run_id` driven by the run `above` it; how that ended, or None when it was not driven by it."""
        before = self._journal.runs.get(run_id).epoch
        with suppress(ConflictError, MismatchError, NotFoundError):  # then it is driven by itself
            await self._engine.drive(above)
        run = self._journal.runs.get(run_id)
        if run.epoch == before or run.driven:
            return None
        return as_it_ended(run_id, await folded(self._journal, run))

    def _forget(self, drive: asyncio.Task[RunResult]) -> None:
        self._loose.discard(drive)
        # Read, so that asyncio does not complain; its journal says how it ended.
        drive.cancelled() or drive.exception()
