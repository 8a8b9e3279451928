"""Who there is and who may do what: tenants, users, roles and keys."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import Depends, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from weft.app.auditing import acts
from weft.app.identity import covers
from weft.app.rights import ROLES
from weft.core.clock import iso
from weft.core.errors import NotFoundError, PolicyError
from weft.server.caller import Caller
from weft.server.control.routes import MAX_ID, At, allowed, errors, routes
from weft.store.identity import Key, User

tenants, users, roles, keys = routes("tenants"), routes("users"), routes("roles"), routes("keys")
Reader = Annotated[Caller, Depends(allowed("users:read"))]
Editor = Annotated[Caller, Depends(allowed("users:write"))]
UserId = Annotated[str, Path(min_length=1, max_length=100)]
KeyId = Annotated[str, Path(min_length=1, max_length=MAX_ID)]
_ID = r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,99}$"


class TenantView(BaseModel):
    """One tenant: everything belongs to one."""

    id: str
    name: str


class RoleView(BaseModel):
    """What a role may do; `*` is everything."""

    name: str
    rights: list[str]


class NewUser(BaseModel):
    """A user to make."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"id": "ann", "name": "Ann", "role": "approver"}}
    )

    id: str = Field(pattern=_ID)
    name: str = Field(default="", max_length=200)
    role: str = Field(max_length=50)


class ChangedUser(BaseModel):
    """What is to change of a user."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"role": "developer"}})

    name: str | None = Field(default=None, min_length=1, max_length=200)
    role: str | None = Field(default=None, max_length=50)
    disabled: bool | None = None


class UserView(BaseModel):
    """One user."""

    id: str
    name: str
    role: str
    disabled: bool


class NewKey(BaseModel):
    """A key to make."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"user": "ann", "name": "laptop", "role": "approver", "days": 90}}
    )

    user: str = Field(pattern=_ID)
    name: str = Field(min_length=1, max_length=200, description="Where it is used.")
    role: str = Field(max_length=50, description="That of the user, or a lesser one.")
    rights: list[Annotated[str, Field(max_length=100)]] = Field(
        default=[], max_length=50, description="It may do no more than these; empty for all that its role may."
    )
    days: int | None = Field(default=None, ge=1, le=3_650, description="Days until it is over; none for no end.")


class KeyView(BaseModel):
    """One key. What is shown to the service is `key`: it is told when the key is made, and never again."""

    id: str
    user: str
    name: str
    role: str
    rights: list[str] = Field(description="What it may do at most; empty for all that its role may.")
    created_at: str
    expires_at: str | None = None
    revoked_at: str | None = None
    key: str | None = None


def _user_view(user: User) -> UserView:
    return UserView(id=user.id, name=user.name, role=user.role, disabled=user.disabled)


def _key_view(key: Key, shown: str | None = None) -> KeyView:
    return KeyView(
        id=key.id,
        user=key.principal,
        name=key.name,
        role=key.role,
        rights=key.rights.split(),
        created_at=iso(key.created_at),
        expires_at=None if key.expires_at is None else iso(key.expires_at),
        revoked_at=None if key.revoked_at is None else iso(key.revoked_at),
        key=shown,
    )


def _hold(by: Caller, role: str) -> None:
    """Nobody gives what they have not.

    Raises:
        PolicyError: the role may do what the caller may not.
    """
    if role in ROLES and not covers(by.rights, ROLES[role]):
        raise PolicyError(f"the role {role!r} may do what you may not", fix="ask somebody who may")


@tenants.get("", name="list")
async def list_tenants(by: Reader) -> list[TenantView]:
    """The caller's tenant."""
    return [TenantView(id=by.tenant, name=by.tenant)]


@roles.get("", name="list")
async def list_roles(by: Reader) -> list[RoleView]:
    """Every role, and what it may do."""
    del by
    return [RoleView(name=name, rights=sorted(rights)) for name, rights in ROLES.items()]


@users.get("", name="list")
async def list_users(by: Reader, host: At) -> list[UserView]:
    """The users of the caller's tenant."""
    return [_user_view(one) for one in host.identity.users(tenant=by.tenant)]


@users.post("", status_code=201, name="create", responses=errors(409))
async def create_user(body: NewUser, by: Editor, host: At) -> UserView:
    """Make a user."""

    async def making() -> User:
        _hold(by, body.role)
        return await host.identity.add_user(body.id, body.name, body.role, tenant=by.tenant)

    return _user_view(await host.trail.act(by.owner, acts.user_create(body.id, body.role), making()))


@users.patch("/{user_id}", name="change", responses=errors(404))
async def change_user(user_id: UserId, body: ChangedUser, by: Editor, host: At) -> UserView:
    """Give a user another name or role, or disable them: their keys count no more from that moment."""
    given = {name: value for name, value in body.model_dump().items() if value is not None}

    async def changing() -> User:
        found = host.journal.identities.user(user_id, tenant=by.tenant)
        _hold(by, found.role)
        _hold(by, body.role or found.role)
        return await host.identity.change_user(replace(found, **given))

    return _user_view(await host.trail.act(by.owner, acts.user_change(user_id, given), changing()))


@keys.get("", name="list")
async def list_keys(by: Reader, host: At) -> list[KeyView]:
    """The keys of the caller's tenant, the newest first; none of them can be read."""
    return [_key_view(one) for one in host.journal.identities.keys(tenant=by.tenant)]


@keys.post("", status_code=201, name="create", responses=errors(404))
async def create_key(body: NewKey, by: Editor, host: At) -> KeyView:
    """Make a key. It is shown in this answer alone."""

    async def making() -> tuple[Key, str]:
        _hold(by, body.role)
        return await host.identity.new_key(
            body.user, body.name, body.role, days=body.days, rights=body.rights, tenant=by.tenant
        )

    def told(made: tuple[Key, str]) -> acts.Act:
        return acts.key_create(body.user, body.role, made[0].id)

    key, shown = await host.trail.act(by.owner, acts.key_create(body.user, body.role), making(), told=told)
    return _key_view(key, shown)


@keys.delete("/{key_id}", status_code=204, name="revoke", responses=errors(404))
async def revoke_key(key_id: KeyId, by: Editor, host: At) -> Response:
    """Take a key back."""

    async def revoking() -> None:
        if key_id not in {one.id for one in host.journal.identities.keys(tenant=by.tenant)}:
            raise NotFoundError(f"there is no key {key_id!r}", fix="list the keys to see those there are")
        await host.identity.revoke(key_id, tenant=by.tenant)

    await host.trail.act(by.owner, acts.key_revoke(key_id), revoking())
    return Response(status_code=204)
