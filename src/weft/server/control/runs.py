"""Runs: start, list, show, follow, cancel."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import StreamingResponse

from weft.app.serving.tails import Frame
from weft.app.serving.turns import Turn
from weft.core.clock import iso
from weft.core.errors import NotFoundError
from weft.server import sse
from weft.server.caller import Caller, caller_of
from weft.server.rooms import Rooms
from weft.store.runs import Run

By = Annotated[Caller, Depends(caller_of)]


class StartRun(BaseModel):
    """What a run is started with."""

    model_config = ConfigDict(extra="forbid")

    workflow: str = Field(min_length=1, max_length=300, description="A workflow, or an agent as `workflow/agent`.")
    version: int | None = Field(default=None, ge=1, description="A registered version; the newest by default.")
    inputs: dict[str, Any] = Field(default_factory=dict, description="The inputs by name.")
    session: str = Field(default="", max_length=200, description="The conversation that the run belongs to.")


class RunView(BaseModel):
    """One run. Times are ISO 8601."""

    id: str
    workflow: str
    status: str
    session: str
    inputs: dict[str, Any]
    outputs: Any = None
    error: dict[str, Any] | None = None
    usage: dict[str, Any]
    events: int
    created_at: str
    updated_at: str


def view(run: Run) -> RunView:
    """A run as the API shows it."""
    return RunView(
        id=run.id,
        workflow=run.workflow,
        status=run.status,
        session=run.session,
        inputs=run.inputs,
        outputs=run.outputs,
        error=run.error,
        usage=run.usage.as_json(),
        events=run.head_seq,
        created_at=iso(run.created_at),
        updated_at=iso(run.updated_at),
    )


def router(rooms: Rooms) -> APIRouter:
    """The routes of runs."""
    api = APIRouter(prefix="/runs", tags=["runs"])
    host = rooms.host

    def own(run_id: str, caller: Caller) -> Run:
        """The run, if it is the caller's tenant's; what is not theirs is not there."""
        run = host.journal.runs.get(run_id)
        if run.tenant != caller.tenant:
            raise NotFoundError(f"there is no run {run_id!r}", run=run_id)
        return run

    @api.post("", status_code=202)
    async def start(
        body: StartRun, by: By, response: Response, key: Annotated[str, Header(alias="Idempotency-Key")] = ""
    ) -> RunView:
        """Start a run. With an `Idempotency-Key`, the same request again within a day is answered with the same run."""
        target = host.library.get(body.workflow, body.version, tenant=by.tenant)
        turn = Turn(
            target=target, inputs=body.inputs, session=body.session, owner=by.owner, choice=host.choice, key=key
        )
        begun = await host.begin(turn)
        response.headers["Location"] = f"/api/v1/runs/{begun.run_id}"
        response.status_code = 202 if begun.first else 200
        return view(host.journal.runs.get(begun.run_id))

    @api.get("/{run_id}")
    async def show(run_id: str, by: By) -> RunView:
        """One run."""
        return view(own(run_id, by))

    @api.get("/{run_id}/stream")
    async def stream(
        run_id: str,
        by: By,
        after: Annotated[int, Query(ge=0)] = 0,
        last: Annotated[int | None, Header(alias="Last-Event-ID", ge=0)] = None,
    ) -> StreamingResponse:
        """What has happened to a run and what comes, as Server-Sent Events, until it ends."""
        own(run_id, by)
        return sse.response(_frames(run_id, max(after, last or 0)))

    async def _frames(run_id: str, after: int) -> AsyncGenerator[bytes]:
        async with aclosing(host.tails.follow(run_id, after=after)) as frames:
            async for frame in frames:
                yield encoded(f"run/{run_id}", frame)

    @api.post("/{run_id}/cancel")
    async def cancel(run_id: str, by: By) -> RunView:
        """Cancel a run, whoever drives it."""
        own(run_id, by)
        await host.cancel(run_id, principal=by.principal)
        return view(host.journal.runs.get(run_id))

    return api


def encoded(topic: str, frame: Frame) -> bytes:
    """A frame as one event of a stream; encoded once for all readers. A delta has no id: it cannot be resumed from."""
    if frame.form is None:
        envelope = {"seq": frame.seq, "topic": topic, "type": frame.type, "at": frame.at}
        data = frame.data if frame.delta else {"path": frame.path, **_payload(frame.data)}
        body = json.dumps({**envelope, "data": data}, ensure_ascii=False, separators=(",", ":")).encode()
        frame.form = sse.encode(body, event=frame.type, id_="" if frame.delta else str(frame.seq))
    return frame.form


def _payload(data: Any) -> dict[str, Any]:
    return data if isinstance(data, dict) else {"value": data}
