"""Feature flags: what can be switched while the service runs."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from pydantic import BaseModel, ConfigDict, Field

from weft.app.auditing.acts import Act
from weft.app.flags import FLAGS, Flag
from weft.core.clock import iso
from weft.server.caller import Caller
from weft.server.control.routes import At, Name, allowed, errors, routes
from weft.store.flags import SetFlag

api = routes("flags")
Reader = Annotated[Caller, Depends(allowed("flags:read"))]
Editor = Annotated[Caller, Depends(allowed("flags:write"))]


class NewValue(BaseModel):
    """What a flag is to say; null for what it says by default."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra={"example": {"value": False}})

    value: bool | Annotated[int, Field(ge=-(2**53), le=2**53)] | None


class FlagView(BaseModel):
    """One flag: its type, what it says now and by default, and who has set it."""

    name: str
    about: str
    type: str
    value: bool | int
    default: bool | int
    set_by: str | None = None
    set_at: str | None = None


def _view(flag: Flag, given: SetFlag | None) -> FlagView:
    return FlagView(
        name=flag.name,
        about=flag.about,
        type=flag.type.__name__,
        value=flag.default if given is None else given.value,
        default=flag.default,
        set_by=None if given is None else given.principal,
        set_at=None if given is None else iso(given.updated_at),
    )


@api.get("", name="list")
async def list_flags(by: Reader, host: At) -> list[FlagView]:
    """Every flag."""
    return [_view(flag, given) for flag, given in host.flags.all(tenant=by.tenant)]


@api.put("/{name}", name="set", responses=errors(404))
async def set_flag(name: Name, body: NewValue, by: Editor, host: At) -> FlagView:
    """Have a flag say something else, at once and without a restart."""
    setting = host.flags.set(name, body.value, principal=by.principal, tenant=by.tenant)
    await host.trail.act(by.owner, Act("flag.set", f"flag/{name}", {"value": body.value}), setting)
    given = {flag.name: one for flag, one in host.flags.all(tenant=by.tenant)}[name]
    return _view(FLAGS[name], given)
