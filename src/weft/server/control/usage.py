"""Usage and costs: what was consumed, summed by day, workflow, agent or model, request by request from the journals."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from weft.app.hosting import Host
from weft.core.clock import iso
from weft.core.errors import InputError
from weft.core.usage import Usage
from weft.server.caller import Caller
from weft.server.control.pages import Page, Paging, Time, cut, micros
from weft.server.control.routes import At, allowed, routes
from weft.server.control.run_views import UsageView, usage_view
from weft.store.consumption import Consumed

api = routes("usage")
Reader = Annotated[Caller, Depends(allowed("usage:read"))]
Group = Literal["day", "workflow", "agent", "model"]
MOST_RUNS = 20_000
_DAY = 86_400_000_000
_LONGEST = 400 * _DAY
_KEYS: Mapping[str, Callable[[Consumed], str]] = {
    "day": lambda one: iso(one.at)[:10],
    "workflow": lambda one: one.workflow,
    "agent": lambda one: one.agent,
    "model": lambda one: one.model,
}


class UsageQuery(Paging):
    """Of which time, and by what it is summed."""

    since: Time = Field(default=None, description="The last 30 days by default.")
    until: Time = None
    by: list[Group] = Field(default=["day"], min_length=1, max_length=4)
    workflow: str | None = Field(default=None, max_length=300, description="Only runs of this one.")


class UsageRow(BaseModel):
    """One sum. Of `day` (UTC), `workflow`, `agent` and `model`, those are there by which it is summed."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "day": "2026-11-29",
                "model": "openai/gpt-4o-mini",
                "runs": 3,
                "usage": {
                    "requests": 7,
                    "input_tokens": 5210,
                    "output_tokens": 903,
                    "tokens": 6113,
                    "cost_usd": "0.0013",
                },
            }
        }
    )

    day: str | None = None
    workflow: str | None = None
    agent: str | None = None
    model: str | None = None
    runs: int
    usage: UsageView


class UsagePage(Page[UsageRow]):
    """Some sums, in the order of what they are summed by.

    Where the price of a request is not known, `cost_usd` is null and `unpriced` counts such requests. `complete` is false when
    there were too many runs to look at all of them: the newest were.
    """

    since: str
    until: str
    total: UsageView
    runs: int = Field(description="Runs that have consumed something.")
    complete: bool


@dataclass(slots=True)
class _Sum:
    usage: Usage = field(default_factory=Usage)
    runs: set[str] = field(default_factory=set)

    def add(self, one: Consumed) -> None:
        self.usage += one.usage
        self.runs.add(one.run_id)


@api.get("", name="sum")
async def consumed(query: Annotated[UsageQuery, Query()], by: Reader, host: At) -> UsagePage:
    """What was consumed in a span of time, and what it cost."""
    now = host.clock.micros()
    until = min(micros(query.until) or now + 1, now + 1)
    since = micros(query.since)
    since = until - 30 * _DAY if since is None else max(since, 0)
    if since > until or until - since > _LONGEST:
        raise InputError("that is no span of time of at most 400 days", fix="give `since` before `until`")
    return await asyncio.to_thread(_sum, host, query, by, since, until)


def _sum(host: Host, query: UsageQuery, by: Caller, since: int, until: int) -> UsagePage:
    journal = host.journal.consumption
    found = journal.runs(since, until, workflow=query.workflow, tenant=by.tenant, limit=MOST_RUNS + 1)
    sums: dict[tuple[str, ...], _Sum] = {}
    whole = _Sum()
    keys = list(dict.fromkeys(query.by))
    for run_id, workflow in found[:MOST_RUNS]:
        for one in journal.of(run_id, workflow, since, until):
            whole.add(one)
            sums.setdefault(tuple(_KEYS[key](one) for key in keys), _Sum()).add(one)
    rows = [
        UsageRow(**dict(zip(keys, names, strict=True)), runs=len(each.runs), usage=usage_view(each.usage))
        for names, each in sorted(sums.items(), key=lambda entry: entry[0])
    ]
    shown, more = cut(rows, query)
    return UsagePage(
        items=shown,
        next=more,
        since=iso(since),
        until=iso(until),
        total=usage_view(whole.usage),
        runs=len(whole.runs),
        complete=len(found) <= MOST_RUNS,
    )
