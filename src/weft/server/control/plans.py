"""Kept plans: those that were made for a request and are used again for the same one."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from weft.app.auditing.acts import plans_forget
from weft.app.hosting import Host
from weft.core.clock import exact_iso
from weft.core.errors import InputError
from weft.core.owner import LOCAL
from weft.server.caller import Caller
from weft.server.control.pages import Page, Paging, cut
from weft.server.control.routes import At, allowed, routes
from weft.store.planned import Kept

api = routes("plans")
Reader = Annotated[Caller, Depends(allowed("plans:read"))]
Writer = Annotated[Caller, Depends(allowed("plans:write"))]


class KeptPlan(BaseModel):
    """A plan that was made for a request."""

    key: str
    workflow: str
    request: str
    by: str = Field(description="Who made it: the rules, or an agent.")
    draft: dict[str, Any]
    made_at: str
    expires_at: str


class KeptPlanPage(Page[KeptPlan]):
    """Some kept plans, the newest first."""


class Invalidating(BaseModel):
    """Which plans: the one whose key begins so, those that have expired, or all."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"expired": True}})

    key: str | None = Field(default=None, min_length=1, max_length=64)
    expired: bool = False
    all: bool = False


class Invalidated(BaseModel):
    """The keys of what is gone."""

    removed: list[str]


@api.get("", name="list")
async def list_plans(query: Annotated[Paging, Query()], by: Reader, host: At) -> KeptPlanPage:
    """The plans that are used again for the same request, the newest first."""
    shown, more = cut(await asyncio.to_thread(_kept, host, by), query)
    return KeptPlanPage(items=[_view(one) for one in shown], next=more)


@api.post("/invalidate")
async def invalidate(body: Invalidating, by: Writer, host: At) -> Invalidated:
    """Remove plans, so that the next run with the same request makes a new one."""
    if (body.key is not None) + body.all + body.expired != 1:
        raise InputError("say which plans", fix="give a key, `expired` or `all`")
    if by.tenant != LOCAL.tenant:
        return Invalidated(removed=[])
    going = asyncio.to_thread(host.service.forget_plans, body.key, expired=body.expired)
    return Invalidated(removed=await host.trail.act(by.owner, plans_forget(), going, told=plans_forget))


def _kept(host: Host, by: Caller) -> list[Kept]:
    """The plans of the caller: those of the home belong to its one tenant."""
    return host.service.kept_plans() if by.tenant == LOCAL.tenant else []


def _view(one: Kept) -> KeptPlan:
    return KeptPlan(
        key=one.key,
        workflow=one.workflow,
        request=one.request,
        by=one.by,
        draft=dict(one.draft),
        made_at=exact_iso(one.made),
        expires_at=exact_iso(one.expires),
    )
