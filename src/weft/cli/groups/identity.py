"""``weft users``, ``weft keys`` and ``weft link``: who may use the service of this machine."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import Annotated, Any

import typer

from weft.app.auditing.acts import Act, key_create, key_revoke, user_change, user_create
from weft.app.parts import load
from weft.cli.deskwork import LOCAL, Desk, Tenant, at_desk, print_rows
from weft.cli.options import AsJson
from weft.cli.render.figures import when
from weft.cli.terminal import clean, say, say_json, tell
from weft.core.clock import SystemClock, iso
from weft.core.settings import load_settings
from weft.store.identity import Key, User

Name = Annotated[str, typer.Argument(metavar="USER", help="The id of the user.", show_default=False)]
Role = Annotated[
    str,
    typer.Option("--role", metavar="ROLE", help="admin, developer, operator, approver or viewer.", show_default=False),
]


def add_user(name: Name, role: Role, tenant: Tenant = LOCAL, as_json: AsJson = False) -> None:
    """Make a user, or give one another role and let them in again."""

    async def make(desk: Desk) -> User:
        found = desk.identity.user(name, tenant=tenant)
        if found is None:
            making = desk.identity.add_user(name, name, role, tenant=tenant)
            return await desk.act(tenant, user_create(name, role), making)
        changing = desk.identity.change_user(replace(found, role=role, disabled=False))
        return await desk.act(tenant, user_change(name, {"role": role, "disabled": False}), changing)

    made = at_desk(make)
    if as_json:
        say_json(_user(made))
        return
    say(f"{clean(made.id)} is {made.role} in {clean(tenant)}.")


def disable_user(name: Name, tenant: Tenant = LOCAL, as_json: AsJson = False) -> None:
    """Let a user in no more: their keys, tokens and sessions count no more from this moment."""

    async def change(desk: Desk) -> User:
        found = desk.journal.identities.user(name, tenant=tenant)
        changing = desk.identity.change_user(replace(found, disabled=True))
        return await desk.act(tenant, user_change(name, {"disabled": True}), changing)

    changed = at_desk(change)
    if as_json:
        say_json(_user(changed))
        return
    say(f"{clean(changed.id)} may not come in any more.")


def list_users(tenant: Tenant = LOCAL, as_json: AsJson = False) -> None:
    """List the users of a tenant."""

    async def look(desk: Desk) -> list[User]:
        return desk.identity.users(tenant=tenant)

    found = at_desk(look)
    if as_json:
        say_json({"users": [_user(one) for one in found]})
        return
    print_rows(("USER", "ROLE", "DISABLED"), [(one.id, one.role, "yes" if one.disabled else "") for one in found])


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
    tenant: Tenant = LOCAL,
    as_json: AsJson = False,
) -> None:
    """Make a key for a user. It is printed this once, and only its hash is kept."""

    async def make(desk: Desk) -> tuple[Key, str]:
        making = desk.identity.new_key(name, label, role, days=days, rights=right or (), tenant=tenant)
        told = partial(_created, name, role)
        return await desk.act(tenant, key_create(name, role), making, told=told)

    key, shown = at_desk(make)
    if as_json:
        say_json(_key(key) | {"key": shown})
        return
    tell("Keep it: it is not shown again.")
    say(shown)


def revoke_key(
    key: Annotated[str, typer.Argument(metavar="KEY", help="The id of the key.", show_default=False)],
    tenant: Tenant = LOCAL,
    as_json: AsJson = False,
) -> None:
    """Take a key back; it counts no more from this moment."""

    async def revoke(desk: Desk) -> None:
        await desk.act(tenant, key_revoke(key), desk.identity.revoke(key, tenant=tenant))

    at_desk(revoke)
    if as_json:
        say_json({"revoked": key})
        return
    say(f"{clean(key)} counts no more.")


def list_keys(tenant: Tenant = LOCAL, as_json: AsJson = False) -> None:
    """List the keys of a tenant, the newest first; none of them can be read."""

    async def look(desk: Desk) -> list[Key]:
        return desk.journal.identities.keys(tenant=tenant)

    found = at_desk(look)
    if as_json:
        say_json({"keys": [_key(one) for one in found]})
        return
    print_rows(
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

    async def making(desk: Desk) -> None:
        await desk.act(LOCAL, Act("link.create", "service"), asyncio.sleep(0))

    at_desk(making)
    if as_json:
        say_json({"url": url, "for_s": cookies.LINK_S})
        return
    say(url)


def _created(user: str, role: str, made: tuple[Key, str]) -> Act:
    return key_create(user, role, made[0].id)


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
