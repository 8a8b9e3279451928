"""The one way into the audit log."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from weft.app.auditing.acts import Act
from weft.app.auditing.unwritten import Unwritten
from weft.app.parts import load
from weft.core.clock import Clock
from weft.core.errors import PolicyError, WeftError
from weft.core.owner import Owner
from weft.store.audit import Entry, Noted, Sealer, note
from weft.store.journal import Journal
from weft.store.sql import Transaction

Made = TypeVar("Made")


class Trail:
    """Adds entries. Those of one moment share a transaction and a signature; what the journal refuses is tried again for a while."""

    def __init__(self, journal: Journal, clock: Clock, home: Path) -> None:
        self._journal = journal
        self._clock = clock
        self._home = home
        self.unwritten = Unwritten(journal, self._work)
        self._gathered: list[Entry] = []
        self._round: asyncio.Future[None] | None = None
        """What will write the entries that are gathered."""
        self._latest: asyncio.Future[None] | None = None
        self._acts: set[asyncio.Future[Any]] = set()

    def entry(
        self,
        principal: str,
        act: str,
        target: str,
        data: Mapping[str, Any] | None = None,
        *,
        outcome: str = "done",
        tenant: str = "local",
    ) -> Entry:
        """An act of this moment."""
        at = self._clock.micros()
        return Entry(
            tenant=tenant, principal=principal, act=act, target=target, outcome=outcome, data=data or {}, at=at
        )

    async def act(
        self, by: Owner, act: Act, work: Awaitable[Made], *, told: Callable[[Made], Act] | None = None
    ) -> Made:
        """What `work` comes to, with the entry that says so: ``done``, ``denied`` or ``failed``.

        Whoever waits for it may be stopped meanwhile: what was begun is done, and its entry comes. `told` is the act as its
        end shows it.
        """
        whole = asyncio.ensure_future(self._acted(by, act, work, told))
        self._acts.add(whole)
        whole.add_done_callback(self._acts.discard)
        return await asyncio.shield(whole)

    async def _acted(self, by: Owner, act: Act, work: Awaitable[Made], told: Callable[[Made], Act] | None) -> Made:
        try:
            made = await work
        except WeftError as error:
            outcome = "denied" if isinstance(error, PolicyError) else "failed"
            # What went wrong first is what is told, and the entry comes when the journal takes it.
            with suppress(WeftError):
                await self.note(self.of(by, act, outcome=outcome, error=error.code))
            raise
        await self.note(self.of(by, act if told is None else told(made)))
        return made

    def of(self, by: Owner, act: Act, *, outcome: str = "done", **more: Any) -> Entry:
        """The entry for an act of this moment."""
        return self.entry(by.principal, act.name, act.target, {**act.data, **more}, outcome=outcome, tenant=by.tenant)

    async def finish(self) -> None:
        """Wait for the acts that are under way, and for what is to be written."""
        if self._acts:
            await asyncio.wait(set(self._acts))
        await self.unwritten.finish()

    def born(self, by: Owner, act: Act) -> Noted:
        """The entry about an act, for the transaction that makes what it is about."""
        return Noted([self.of(by, act)], self._sealer)

    async def note(self, *entries: Entry) -> None:
        """Add entries; they are durable afterwards. Those that come while others are written share the next round.

        Raises:
            WeftError: the journal refuses them; they are tried again, without anybody waiting for it.
        """
        self._gathered += entries
        if self._round is None:
            self._round = asyncio.ensure_future(self._write_round(self._latest))
            self._latest = self._round
        await asyncio.shield(self._round)

    async def _write_round(self, before: asyncio.Future[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        entries, self._gathered, self._round = self._gathered, [], None
        try:
            await self._journal.writer.submit(self._work(entries))
        except WeftError:
            self.unwritten.add(entries)
            raise

    def later(self, entry: Entry, *, soon: bool = False) -> None:
        """Add an entry without waiting for it, from whatever thread; unless it is to be `soon`, it may wait a moment for others."""
        self.unwritten.add([entry], soon=soon)

    def flush(self) -> None:
        """Hand what waits to the writer."""
        self.unwritten.flush()

    def _work(self, entries: Sequence[Entry]) -> Callable[[Transaction], None]:
        def work(connection: Transaction) -> None:
            note(entries, self._sealer)(connection)

        return work

    @cached_property
    def _sealer(self) -> Sealer:
        # Whoever only reads need not load what signs.
        sealer: Sealer = load("audit-keys").AuditKey(self._home)
        return sealer
