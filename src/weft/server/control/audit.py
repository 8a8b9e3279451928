"""The audit log: who did what, and what was denied."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from weft.app.auditing.acts import Act
from weft.app.auditing.proof import lines
from weft.core.clock import iso
from weft.core.errors import NotFoundError
from weft.server.caller import Caller
from weft.server.control.pages import Page, Paging, Time, cursor, micros, place
from weft.server.control.routes import MAX_ID, MAX_INT, At, allowed, routes
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
                "hash": "c5d1fa1bf1a7ac23ae1b2ac1d3a3d6cb3ef8ee7b16d0eb4f6b8d6a1c7b0d9f21",
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
    hash: str = Field(description="Of the entry with what stands before it: see the page about the audit log.")


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
                hash=one.hash,
            )
            for one in shown
        ],
        next=cursor(shown[-1].seq) if len(found) > query.limit else None,
    )


@api.get(
    "/export",
    name="export",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}},
)
async def export(by: Reader, host: At, after: Annotated[int, Query(ge=0, le=MAX_INT)] = 0) -> StreamingResponse:
    """The whole log as JSON Lines, the oldest entry first, with its signed head as the last line. The export is itself an entry."""

    async def begun() -> None:
        # What is wrong with `after` is said before the answer begins.
        if after and host.journal.audit.hash_of(by.tenant, after) is None:
            raise NotFoundError(f"there is no entry {after} in the audit log", fix="take a number that the list shows")

    await host.trail.act(by.owner, Act("audit.export", "audit", {"after": after}), begun())
    found = lines(host.journal.audit, by.tenant, after=after)
    first = next(found)
    whole = (line + b"\n" for part in ((first,), found) for line in part)
    return StreamingResponse(whole, media_type="application/octet-stream")
