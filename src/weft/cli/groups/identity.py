"""``weft users``, ``weft keys`` and ``weft link``: who may use the service of this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Annotated, Any, TypeVar

import typer
from rich.table import Table

from weft.app.auditing.trail import Trail
from weft.app.identity import Identity
from weft.app.local import LocalService
from weft.app.parts import load
from weft.cli.options import AsJson
from weft.cli.render.consoles import console
from weft.cli.render.figures import when
from weft.cli.terminal import clean, say, say_json, tell
from weft.core.clock import SystemClock, iso
from weft.core.settings import Settings, load_settings
from weft.store.identity import Key, User
from weft.store.journal import Journal

Tenant = Annotated[str, typer.Option("--tenant", metavar="ID", help="Whose.")]
Name = Annotated[str, typer.Argument(metavar="USER", help="The id of the user.", show_default=False)]
Role = Annotated[
    str,
    typer.Option("--role", metavar="ROLE", help="admin, developer, operator, approver or viewer.", show_default=False),
]
Made = TypeVar("Made")
_LOCAL = "local"


def add_user(name: Name, role: Role, tenant: Tenant = _LOCAL, as_json: AsJson = False) -> None:
    """Make a user, or give one another role and let them in again."""

    async def make(desk: _Desk) -> User:
        found = desk.identity.user(name, tenant=tenant)
        if found is None:
            made = await desk.identity.add_user(name, name, role, tenant=tenant)
        else:
            made = await desk.identity.change_user(replace(found, role=role, disabled=False))
        await desk.note("user.create" if found is None else "user.change", f"user/{name}", {"role": role}, tenant)
        return made

    made = _at_desk(make)
    if as_json:
        say_json(_user(made))
        return
    say(f"{clean(made.id)} is {made.role} in {clean(tenant)}.")


def disable_user(name: Name, tenant: Tenant = _LOCAL, as_json: AsJson = False) -> None:
    """Let a user in no more: their keys, tokens and sessions count no more from this moment."""

    async def change(desk: _Desk) -> User:
        found = desk.journal.identities.user(name, tenant=tenant)
        changed = await desk.identity.change_user(replace(found, disabled=True))
        await desk.note("user.change", f"user/{name}", {"disabled": True}, tenant)
        return changed

    changed = _at_desk(change)
    if as_json:
        say_json(_user(changed))
        return
    say(f"{clean(changed.id)} may not come in any more.")


def list_users(tenant: Tenant = _LOCAL, as_json: AsJson = False) -> None:
    """List the users of a tenant."""

    async def look(desk: _Desk) -> list[User]:
        return desk.identity.users(tenant=tenant)

    found = _at_desk(look)
    if as_json:
        say_json({"users": [_user(one) for one in found]})
        return
    _print(("USER", "ROLE", "DISABLED"), [(one.id, one.role, "yes" if one.disabled else "") for one in found])


def add_key(
    name: Name,
    role: Role,
    label: Annotated[str, typer.Option("--name", metavar="TEXT", help="Where it is used.")] = "key",
    days: Annotated[
        int | None,
        typer.Option("--days", metavar="N", min=1, max=3_650, help="Days until it is over.", show_default=False),
    ] = None,
    right: Annotated[
        list[str] | None,
        typer.Option(
            "--right", metavar="RIGHT", help="It may do no more than this; may be repeated.", show_default=False
        ),
    ] = None,
    tenant: Tenant = _LOCAL,
    as_json: AsJson = False,
) -> None:
    """Make a key for a user. It is printed this once, and only its hash is kept."""

    async def make(desk: _Desk) -> tuple[Key, str]:
        key, shown = await desk.identity.new_key(name, label, role, days=days, rights=right or (), tenant=tenant)
        await desk.note("key.create", f"key/{key.id}", {"user": name}, tenant)
        return key, shown

    key, shown = _at_desk(make)
    if as_json:
        say_json(_key(key) | {"key": shown})
        return
    tell("Keep it: it is not shown again.")
    say(shown)


def revoke_key(
    key: Annotated[str, typer.Argument(metavar="KEY", help="The id of the key.", show_default=False)],
    tenant: Tenant = _LOCAL,
    as_json: AsJson = False,
) -> None:
    """Take a key back; it counts no more from this moment."""

    async def revoke(desk: _Desk) -> None:
        await desk.identity.revoke(key, tenant=tenant)
        await desk.note("key.revoke", f"key/{key}", {}, tenant)

    _at_desk(revoke)
    if as_json:
        say_json({"revoked": key})
        return
    say(f"{clean(key)} counts no more.")


def list_keys(tenant: Tenant = _LOCAL, as_json: AsJson = False) -> None:
    """List the keys of a tenant, the newest first; none of them can be read."""

    async def look(desk: _Desk) -> list[Key]:
        return desk.journal.identities.keys(tenant=tenant)

    found = _at_desk(look)
    if as_json:
        say_json({"keys": [_key(one) for one in found]})
        return
    _print(
        ("KEY", "USER", "NAME", "ROLE", "UNTIL", "REVOKED"),
        [
            (
                one.id,
                one.principal,
                one.name,
                one.role,
                "" if one.expires_at is None else when(one.expires_at),
                "" if one.revoked_at is None else when(one.revoked_at),
            )
            for one in found
        ],
    )


def link(as_json: AsJson = False) -> None:
    """Print an address that signs a browser in as the user of this machine: once, within ten minutes."""
    settings = load_settings()
    server = settings.server
    cookies = load("cookies")
    base = settings.server_url or server.public_url or f"http://{server.host}:{server.port}"
    url = f"{base.rstrip('/')}/auth/link?code={cookies.new_link(cookies.Sealed(settings.home, SystemClock()))}"
    if as_json:
        say_json({"url": url, "for_s": cookies.LINK_S})
        return
    say(url)


class _Desk:
    """Where users and keys are made, and that it was done is noted."""

    def __init__(self, settings: Settings, journal: Journal) -> None:
        clock = SystemClock()
        self.journal = journal
        self.identity = Identity(journal, clock)
        self._trail = Trail(journal, clock, settings.home)

    async def note(self, act: str, target: str, data: dict[str, Any], tenant: str) -> None:
        await self._trail.note(self._trail.entry(_LOCAL, act, target, data, tenant=tenant))


def _at_desk(work: Callable[[_Desk], Awaitable[Made]]) -> Made:
    async def whole() -> Made:
        settings = load_settings()
        service = LocalService(settings)
        try:
            return await work(_Desk(settings, service.journal))
        finally:
            await service.close()

    return asyncio.run(whole())


def _user(one: User) -> dict[str, Any]:
    return {"id": one.id, "name": one.name, "role": one.role, "disabled": one.disabled, "tenant": one.tenant}


def _key(one: Key) -> dict[str, Any]:
    return {
        "id": one.id,
        "user": one.principal,
        "name": one.name,
        "role": one.role,
        "rights": one.rights.split(),
        "tenant": one.tenant,
        "created_at": iso(one.created_at),
        "expires_at": None if one.expires_at is None else iso(one.expires_at),
        "revoked_at": None if one.revoked_at is None else iso(one.revoked_at),
    }


def _print(titles: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*map(clean, row))
    console().print(table)
