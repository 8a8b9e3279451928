"""The audit log: who did what, and what was denied."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from weft.core.clock import iso
from weft.server.caller import Caller
from weft.server.control.pages import Page, Paging, Time, cursor, micros, place
from weft.server.control.routes import MAX_ID, At, allowed, routes
from weft.store.audit import AuditFilter

api = routes("audit")
Reader = Annotated[Caller, Depends(allowed("audit:read"))]


class AuditEntry(BaseModel):
    """One act."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "seq": 41,
                "at": "2026-11-29T20:35:57.493Z",
                "principal": "local",
                "act": "gate.decide",
                "target": "run/01a228ef-7d43-7131-b584-c92df5576c90",
                "outcome": "done",
                "data": {"gate": "8a1d6a7f0f3f4a4e9bb0f8a2c0d1e2f3"},
            }
        }
    )

    seq: int
    at: str
    principal: str
    act: str
    target: str
    outcome: str
    data: dict[str, Any]


class AuditPage(Page[AuditEntry]):
    """Some entries, the newest first."""


class AuditQuery(Paging):
    """Which entries. An `act` or `target` that ends in `*` is the beginning of one."""

    principal: str | None = Field(default=None, max_length=MAX_ID)
    act: str | None = Field(default=None, max_length=MAX_ID, examples=["run.*"])
    target: str | None = Field(default=None, max_length=MAX_ID)
    outcome: Literal["done", "denied", "failed"] | None = None
    since: Time = None
    until: Time = None


@api.get("", name="list")
async def list_entries(query: Annotated[AuditQuery, Query()], by: Reader, host: At) -> AuditPage:
    """Who did what, the latest first."""
    which = AuditFilter(
        principal=query.principal,
        act=query.act,
        target=query.target,
        outcome=query.outcome,
        since=micros(query.since),
        until=micros(query.until),
    )
    begun = place(query.cursor, int)
    before = None if begun is None else begun[0]
    found = host.journal.audit.list(which, tenant=by.tenant, before=before, limit=query.limit + 1)
    shown = found[: query.limit]
    return AuditPage(
        items=[
            AuditEntry(
                seq=one.seq,
                at=iso(one.at),
                principal=one.principal,
                act=one.act,
                target=one.target,
                outcome=one.outcome,
                data=dict(one.data),
            )
            for one in shown
        ],
        next=cursor(shown[-1].seq) if len(found) > query.limit else None,
    )
