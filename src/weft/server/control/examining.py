"""Looking into runs: what one waits for, whether its journal is whole, how its agents thought, and how two runs differ."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from weft.core.clock import iso
from weft.plan.codec import plan_hash, to_json
from weft.server.control import etags
from weft.server.control.pages import Page, Paging, cut
from weft.server.control.routes import MAX_ID, UNCHANGED, At, RunId, errors, own_run, routes
from weft.server.control.runs import Reader
from weft.server.wording import said_to

api = routes("runs")


class WakeSource(BaseModel):
    """One thing that can move a run on. `fix` says what a person can do."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"kind": "gate", "text": "a gate asks anybody: Publish?", "path": "/review", "fix": "decide it"}
        }
    )

    kind: str
    text: str
    path: str = ""
    due: str | None = Field(default=None, description="When it comes by itself.")
    fix: str = ""


class Why(BaseModel):
    """What an open run waits for; nothing when it has ended."""

    status: str
    sources: list[WakeSource]


class RowFlaw(BaseModel):
    """A field of a run's row that is not what the events say: `stored` is what the row has, `told` what event `seq` says."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "field": "status",
                "at": "",
                "stored": "completed",
                "told": "failed",
                "seq": 14,
                "kind": "run.failed",
            }
        }
    )

    field: str
    at: str = Field(default="", description="A JSON pointer to the part that differs, where it is not the whole field.")
    stored: str
    told: str
    seq: int
    kind: str


class Verified(BaseModel):
    """What the proof of a run found. `bad_seq` is the first event that is not what was appended."""

    model_config = ConfigDict(json_schema_extra={"example": {"intact": True, "events": 14, "erased": 0}})

    intact: bool
    events: int
    bad_seq: int | None = None
    reason: str = ""
    erased: int = Field(default=0, description="Events whose content was erased; the chain still holds.")
    row: list[RowFlaw] = Field(default_factory=list, description="What of the run's row is not as its events say.")
    unproven: list[str] = Field(
        default_factory=list, description="Fields of the row of which the events say nothing that can be read."
    )


class RunPlan(BaseModel):
    """The plan of a run."""

    workflow: str
    plan_hash: str
    plan: dict[str, Any]


class IterationView(BaseModel):
    """One request to a model within a step: what it thought and said, and the tools that it called with what it learned."""

    path: str
    agent: str
    iteration: int
    thought: str = ""
    said: str = ""
    actions: list[dict[str, Any]]
    shortened: bool = Field(default=False, description="The conversation was shortened before it.")


class IterationPage(Page[IterationView]):
    """Some iterations of the agents of a run, in order."""


class DiffQuery(Paging):
    """What a run is compared with."""

    other: str = Field(min_length=1, max_length=MAX_ID, description="The id of the other run.")
    all: bool = Field(default=False, description="Also what is the same.")


class DiffLine(BaseModel):
    """One path in both runs; the empty path is the runs themselves."""

    path: str
    change: Literal["same", "changed", "only-first", "only-second"]
    first: dict[str, Any] | None = None
    second: dict[str, Any] | None = None


class DiffPage(Page[DiffLine]):
    """Two runs side by side, path by path. Times make no difference."""

    first: str
    second: str
    same: int = Field(description="How many paths are the same.")
    different: int = Field(description="How many are not.")


class Replayed(BaseModel):
    """What a replay found. `derived` of the `events` came out of the plan again; the rest was taken as recorded."""

    model_config = ConfigDict(json_schema_extra={"example": {"same": True, "events": 14, "derived": 4}})

    same: bool
    events: int
    derived: int
    first_difference: dict[str, Any] | None = None


@api.get("/{run_id}/why", responses=errors(404))
async def why(run_id: RunId, by: Reader, host: At, request: Request) -> Why:
    """What a run is waiting for, and what can be done about it."""
    run = own_run(host, run_id, by)
    found = await asyncio.to_thread(host.service.why, run_id)
    agent = request.headers.get("user-agent", "")
    sources = [
        WakeSource(
            kind=one.kind,
            text=one.text,
            path=one.path,
            due=None if one.due is None else iso(one.due),
            fix=said_to(agent, one.fix),
        )
        for one in found
    ]
    return Why(status=run.status, sources=sources)


@api.get("/{run_id}/verify", responses=errors(404))
async def verify(run_id: RunId, by: Reader, host: At) -> Verified:
    """Prove a run: whether every event is what was appended, and its row what the events say."""
    own_run(host, run_id, by)
    found = await asyncio.to_thread(host.service.verify, run_id)
    return Verified(
        intact=found.intact,
        events=found.events,
        bad_seq=found.bad_seq,
        reason=found.reason,
        erased=found.erased,
        row=[RowFlaw(**asdict(flaw)) for flaw in found.row],
        unproven=list(found.unproven),
    )


@api.get("/{run_id}/plan", responses=errors(404, 409))
async def plan(run_id: RunId, by: Reader, host: At) -> RunPlan:
    """The plan that a run was started with, as data."""
    own_run(host, run_id, by)
    made = await asyncio.to_thread(host.service.plan_of, run_id)
    return RunPlan(workflow=made.workflow, plan_hash=plan_hash(made), plan=to_json(made))


@api.get("/{run_id}/trace", responses={**UNCHANGED, **errors(404)})
async def trace(run_id: RunId, by: Reader, host: At, request: Request, response: Response) -> dict[str, Any]:
    """The trace of a run as spans with parents, secrets out."""
    run = own_run(host, run_id, by)
    etags.check(request, response, run.id, run.head_seq)
    return dict(await asyncio.to_thread(host.service.trace, run_id))


@api.get("/{run_id}/reasoning", responses={**UNCHANGED, **errors(404)})
async def reasoning(
    run_id: RunId,
    query: Annotated[Paging, Query()],
    by: Reader,
    host: At,
    request: Request,
    response: Response,
) -> IterationPage:
    """How the agents of a run came to their answers: thought, action and observation, secrets out."""
    run = own_run(host, run_id, by)
    etags.check(request, response, run.id, run.head_seq)
    shown, more = cut(await asyncio.to_thread(host.service.reasoning, run_id), query)
    return IterationPage(items=[IterationView(**one.as_json()) for one in shown], next=more)


@api.get("/{run_id}/diff", responses=errors(404))
async def diff(run_id: RunId, query: Annotated[DiffQuery, Query()], by: Reader, host: At) -> DiffPage:
    """Compare a run with another one: status, value, consumption and duration of each path."""
    own_run(host, run_id, by)
    own_run(host, query.other, by)
    lines = await asyncio.to_thread(host.service.diff, run_id, query.other)
    unlike = [line for line in lines if line.change != "same"]
    shown, more = cut(lines if query.all else unlike, query)
    return DiffPage(
        first=run_id,
        second=query.other,
        same=len(lines) - len(unlike),
        different=len(unlike),
        items=[DiffLine(**line.as_json()) for line in shown],
        next=more,
    )


@api.post("/{run_id}/replay", responses=errors(404, 409))
async def replay(run_id: RunId, by: Reader, host: At) -> Replayed:
    """Walk a run's plan again over its journal, performing nothing, and see whether the same events come out."""
    own_run(host, run_id, by)
    found = await host.service.replay(run_id)
    first = None if found.difference is None else found.difference.as_json()
    return Replayed(same=first is None, events=found.events, derived=found.derived, first_difference=first)
