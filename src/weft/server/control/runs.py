"""Runs: start, list, show, read and follow their events, cancel, delete."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import Annotated, Any

from fastapi import Depends, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import StreamingResponse

from weft.app.asof import as_it_was
from weft.app.auditing.acts import run_delete
from weft.app.hosting import Host
from weft.app.serving.frames import Frame
from weft.app.serving.turns import Turn
from weft.app.view import RunView as Tree
from weft.engine.fold import fold
from weft.server import sse
from weft.server.caller import Caller
from weft.server.control import etags
from weft.server.control.bodies import Bodies
from weft.server.control.pages import Paging, Time, cursor, micros, place
from weft.server.control.routes import (
    MAX_ID,
    MAX_INT,
    PREFIX,
    UNCHANGED,
    At,
    RunId,
    allowed,
    answer,
    errors,
    own_run,
    routes,
    sent,
    written,
)
from weft.server.control.run_views import (
    EventPage,
    RunDetail,
    RunItem,
    RunPage,
    RunView,
    Status,
    event_view,
    run_facts,
    run_view,
    usage_view,
)
from weft.store.listing import RunFilter
from weft.store.runs import Run

api = routes("runs")
Reader = Annotated[Caller, Depends(allowed("runs:read"))]
Starter = Annotated[Caller, Depends(allowed("runs:start"))]
Writer = Annotated[Caller, Depends(allowed("runs:write"))]
MAX_TEXT = 2_000
_SHORT = 200
"""Events that are read at once: the way to a thread and back would cost more than they do."""
_EVENT = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "The number of an event; a delta has none."},
        "event": {"type": "string", "description": "What happened, such as `step.completed`, or `delta`."},
        "data": {"type": "string", "contentMediaType": "application/json", "description": "The envelope."},
    },
    "required": ["event", "data"],
}
"""One event of a stream, as its fields."""
EVENTS: dict[str, Any] = {
    "description": "Server-Sent Events; the data of each is an envelope `{seq, topic, type, at, data}`.",
    "content": {"text/event-stream": {"schema": _EVENT}},
}
"""What a stream answers, as OpenAPI says it."""


class StartRun(BaseModel):
    """What a run is started with."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"workflow": "brief", "inputs": {"text": "Rain fell. The river rose."}}},
    )

    workflow: str = Field(min_length=1, max_length=300, description="A workflow, or an agent as `workflow/agent`.")
    version: int | None = Field(
        default=None, ge=1, le=MAX_INT, description="A registered version; the newest by default."
    )
    inputs: dict[str, Any] = Field(default_factory=dict, description="The inputs by name.")
    session: str = Field(default="", max_length=MAX_ID, description="The conversation that the run belongs to.")
    queued: bool = Field(default=False, description="Only put it into the queue, where a worker takes it up.")


class RunQuery(Paging):
    """Which runs."""

    status: list[Status] = Field(default_factory=list, max_length=7, description="Of one of these; any by default.")
    workflow: str | None = Field(default=None, max_length=300)
    session: str | None = Field(default=None, max_length=MAX_ID)
    parent: str | None = Field(default=None, max_length=MAX_ID, description="Those that this run has started.")
    forked_from: str | None = Field(
        default=None, max_length=MAX_ID, description="Those that share the past of this run."
    )
    children: bool = Field(default=False, description="Also runs that other runs have started.")
    since: Time = Field(default=None, description="Created then or later.")
    until: Time = Field(default=None, description="Created before then.")
    id: str | None = Field(default=None, max_length=MAX_ID, description="Part of the id.")
    before: str | None = Field(
        default=None, min_length=1, max_length=MAX_ID, description="Only those older than the run with this id."
    )
    inputs: bool = Field(default=False, description="Also what each was given.")

    def which(self) -> RunFilter:
        """The filter in the words of the store."""
        return RunFilter(
            statuses=tuple(self.status),
            workflow=self.workflow,
            session=self.session,
            parent=self.parent,
            base=self.forked_from,
            children=self.children,
            since=micros(self.since),
            until=micros(self.until),
            text=self.id,
        )


class Shown(BaseModel):
    """How a run is shown."""

    model_config = ConfigDict(extra="forbid")

    at: int | None = Field(default=None, ge=1, le=MAX_INT, description="As it was just after this event.")
    steps: bool = Field(default=True, description="With the tree of its steps.")


class EventQuery(BaseModel):
    """Which events."""

    model_config = ConfigDict(extra="forbid")

    after: int = Field(default=0, ge=0, le=MAX_INT, description="Only those after this one.")
    limit: int = Field(default=100, ge=1, le=200)


class Cancelling(BaseModel):
    """Why a run is cancelled."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"reason": "the question has changed"}})

    reason: str = Field(default="", max_length=MAX_TEXT, description="It is kept in the journal.")


class Gone(BaseModel):
    """What has been removed."""

    model_config = ConfigDict(json_schema_extra={"example": {"gone": ["01a228ef-7d43-7131-b584-c92df5576c90"]}})

    gone: list[str] = Field(description="The ids.")


@api.post(
    "",
    status_code=202,
    responses={200: {"model": RunView, "description": "It was started before."}, **errors(404, 409)},
)
async def start(
    body: StartRun,
    by: Starter,
    host: At,
    response: Response,
    key: Annotated[str, Header(alias="Idempotency-Key", max_length=255)] = "",
) -> RunView:
    """Start a run. With an `Idempotency-Key`, the same request again within a day is answered with the same run."""
    target = host.library.get(body.workflow, body.version, tenant=by.tenant)
    turn = Turn(
        target=target,
        inputs=body.inputs,
        session=body.session,
        owner=by.owner,
        choice=host.choice,
        key=key,
        queued=body.queued,
    )
    begun = await host.begin(turn)
    response.headers["Location"] = f"{PREFIX}/runs/{begun.run_id}"
    response.status_code = 202 if begun.first else 200
    run = host.journal.runs.get(begun.run_id) if begun.run is None else begun.run
    return sent(run_view(run), response)


@api.get("", name="list", responses={**UNCHANGED, **errors(404)})
async def list_runs(
    query: Annotated[RunQuery, Query()], by: Reader, host: At, request: Request, response: Response
) -> RunPage:
    """Runs, the newest first. Forks say what they were forked from."""
    before = place(query.cursor, int, str)
    if before is None and query.before is not None:
        last = own_run(host, query.before, by)
        before = (last.created_at, last.id)
    found = host.journal.runs.search(query.which(), tenant=by.tenant, before=before, limit=query.limit + 1)
    shown = found[: query.limit]
    current = host.journal.forks.promoted()
    facts = [(run.id, run.head_seq, run.status, run.driven, run.id in current) for run in found]
    etags.check(request, response, facts)
    oldest = shown[-1] if len(found) > query.limit else None
    page = RunPage(
        items=[
            RunItem(**run_facts(run, current=run.id in current), inputs=run.inputs if query.inputs else None)
            for run in shown
        ],
        next=None if oldest is None else cursor(oldest.created_at, oldest.id),
    )
    return sent(page, response)


@api.get("/{run_id}", response_model=RunDetail, responses={**UNCHANGED, **errors(404)})
async def show(
    run_id: RunId,
    shown: Annotated[Shown, Query()],
    by: Reader,
    host: At,
    request: Request,
    response: Response,
) -> Any:
    """One run in full: inputs, outputs and the tree of its steps."""
    run = own_run(host, run_id, by)
    current = host.journal.forks.current(run_id) == run_id
    etag = etags.check(request, response, run.id, run.head_seq, run.status, run.driven, run.due, current)
    bodies: Bodies = request.app.state.bodies
    body = bodies.get(etag)
    if body is None:
        read = partial(_detail, host, run, shown, current=current)
        body = written(read() if run.head_seq <= _SHORT else await asyncio.to_thread(read))
        bodies.keep(etag, body)
    return answer(body, response)


def _detail(host: Host, run: Run, shown: Shown, *, current: bool) -> RunDetail:
    events = host.journal.events(run.id)
    state = fold(events if shown.at is None else events[: shown.at])
    if shown.at is not None:
        run, events = as_it_was(run, events, shown.at, state), events[: shown.at]
    tree = Tree(events)
    return RunDetail(
        **run_facts(run, current=current),
        inputs=run.inputs,
        outputs=state.outputs,
        steps=tree.root.as_json().get("steps", []) if shown.steps else [],
        warnings=tree.warnings,
        handoffs=tree.handoffs(),
        milestones=tree.milestones,
        made_plans=tree.made_plans(),
        inherited=usage_view(tree.inherited),
    )


@api.get("/{run_id}/events", responses={**UNCHANGED, **errors(404)})
async def events(
    run_id: RunId,
    query: Annotated[EventQuery, Query()],
    by: Reader,
    host: At,
    request: Request,
    response: Response,
) -> EventPage:
    """The events of a run, the oldest first."""
    run = own_run(host, run_id, by)
    etags.check(request, response, run.id, run.head_seq)
    found = await asyncio.to_thread(host.journal.events, run_id, after=query.after, limit=query.limit)
    more = found and found[-1].seq < run.head_seq
    page = EventPage(items=[event_view(event) for event in found], next=found[-1].seq if more else None)
    return sent(page, response)


@api.get(
    "/{run_id}/stream",
    response_class=StreamingResponse,
    responses={
        200: EVENTS,
        **errors(404),
    },
)
async def stream(
    run_id: RunId,
    by: Reader,
    host: At,
    after: Annotated[int, Query(ge=0, le=MAX_INT, description="Only what comes after this event.")] = 0,
    last: Annotated[int | None, Header(alias="Last-Event-ID", ge=0, le=MAX_INT)] = None,
) -> StreamingResponse:
    """What has happened to a run and what comes, as Server-Sent Events, until it ends."""
    own_run(host, run_id, by)
    return sse.response(_frames(host, run_id, max(after, last or 0)))


async def _frames(host: Host, run_id: str, after: int) -> AsyncGenerator[bytes]:
    async with aclosing(host.tails.follow(run_id, after=after)) as frames:
        async for frame in frames:
            yield encoded(f"run/{run_id}", frame)


@api.post("/{run_id}/cancel", responses=errors(404, 409))
async def cancel(run_id: RunId, by: Writer, host: At, body: Cancelling | None = None) -> RunView:
    """Cancel a run, whoever drives it. One that had ended stays as it is."""
    own_run(host, run_id, by)
    await host.cancel(run_id, reason=body.reason if body else "", principal=by.principal)
    return run_view(host.journal.runs.get(run_id))


@api.delete("/{run_id}", responses=errors(404, 409))
async def delete(run_id: RunId, by: Writer, host: At) -> Gone:
    """Remove a run that has ended, with the runs that it has started. Its artifacts stay."""
    own_run(host, run_id, by)
    told = partial(run_delete, run_id)
    gone = await host.trail.act(by.owner, told(), host.service.delete(run_id), told=told)
    return Gone(gone=gone)


def encoded(topic: str, frame: Frame) -> bytes:
    """A frame as one event of a stream; encoded once for all readers. A delta has no id: it cannot be resumed from."""
    if frame.form is None:
        envelope = {"seq": frame.seq, "topic": topic, "type": frame.type, "at": frame.at}
        data = frame.data if frame.delta else {**_payload(frame.data), "path": frame.path}
        body = json.dumps({**envelope, "data": data}, ensure_ascii=False, separators=(",", ":")).encode()
        frame.form = sse.encode(body, event=frame.type, id_="" if frame.delta else str(frame.seq))
    return frame.form


def _payload(data: Any) -> dict[str, Any]:
    return data if isinstance(data, dict) else {"value": data}
