"""What commands about users, keys and sessions have in common: where they are kept, and that each act is noted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer
from rich.table import Table

from weft.app.auditing.acts import Act
from weft.app.auditing.trail import Trail
from weft.app.identity import Identity
from weft.app.local import LocalService
from weft.cli.render.consoles import console
from weft.cli.terminal import clean
from weft.core.clock import SystemClock
from weft.core.owner import Owner
from weft.core.settings import Settings, load_settings
from weft.store.journal import Journal

LOCAL = "local"
Tenant = Annotated[str, typer.Option("--tenant", metavar="ID", help="Whose.")]
Made = TypeVar("Made")


class Desk:
    """Where users and keys are made, and that it was done is noted."""

    def __init__(self, settings: Settings, journal: Journal) -> None:
        clock = SystemClock()
        self.journal = journal
        self.identity = Identity(journal, clock)
        self._trail = Trail(journal, clock, settings.home)

    async def act(
        self, tenant: str, act: Act, work: Awaitable[Made], *, told: Callable[[Made], Act] | None = None
    ) -> Made:
        """What `work` comes to, in the name of the user of this machine; it is an entry in the audit log of `tenant`."""
        return await self._trail.act(Owner(tenant, LOCAL), act, work, told=told)


def at_desk(work: Callable[[Desk], Awaitable[Made]]) -> Made:
    """What `work` comes to, done on the journal of this machine."""

    async def whole() -> Made:
        settings = load_settings()
        service = LocalService(settings)
        try:
            return await work(Desk(settings, service.journal))
        finally:
            await service.close()

    return asyncio.run(whole())


def print_rows(titles: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """A table for people."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*map(clean, row))
    console().print(table)
