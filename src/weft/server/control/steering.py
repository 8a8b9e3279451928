"""Acting on runs: resume, fork, do again, promote, discard, signal."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from weft.app.auditing.acts import run_discard, run_fork, run_promote, run_resume, run_signal
from weft.app.hosting import Host
from weft.core.errors import ConflictError
from weft.core.ids import uuid7
from weft.engine.answering import NewSignal
from weft.server.caller import Caller
from weft.server.control.routes import MAX_ID, PREFIX, At, RunId, errors, own_run, routes
from weft.server.control.run_views import RunView, run_view
from weft.server.control.runs import Gone, Writer

api = routes("runs")
Path = Annotated[str, StringConstraints(min_length=1, max_length=1_000)]
MAX_CHANGES = 100
Changes = Annotated[
    dict[Path, Annotated[str, StringConstraints(max_length=200_000)]],
    Field(
        max_length=MAX_CHANGES,
        description="New values, as texts: of the run (`topic`) or of a recorded step (`/draft.response`).",
    ),
]


class Resuming(BaseModel):
    """How a run goes on."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"settle": {"/pay": "no"}}})

    reopen: bool = Field(default=False, description="Also when it has failed or was cancelled.")
    settle: dict[Path, Literal["yes", "no"]] = Field(
        default_factory=dict, max_length=MAX_CHANGES, description="Of steps in doubt: whether they happened."
    )


class Forking(BaseModel):
    """Where and how a run is forked. `at` is the end of a step, or the number of an event; where it stands by default."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"at": "/draft", "set": {"topic": "snow"}}})

    at: Path | int | None = None
    set: Changes = Field(default_factory=dict)
    drive: bool = Field(default=True, description="Make it go at once; else only a `resume` does.")


class Rerunning(BaseModel):
    """From which step on a run is done again."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"step": "/draft"}})

    step: Path
    set: Changes = Field(default_factory=dict)
    drive: bool = Field(default=True, description="Make it go at once; else only a `resume` does.")


class SendSignal(BaseModel):
    """A signal. Sent again under the same key, it counts once."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"name": "paid", "data": {"amount": 12}, "key": "invoice-7"}}
    )

    name: str = Field(min_length=1, max_length=MAX_ID)
    data: Any = None
    key: str | None = Field(default=None, min_length=1, max_length=MAX_ID)


class SignalSent(BaseModel):
    """Whether a signal was new."""

    model_config = ConfigDict(json_schema_extra={"example": {"name": "paid", "key": "invoice-7", "new": True}})

    name: str
    key: str
    new: bool


@api.post("/{run_id}/resume", status_code=202, responses=errors(404, 409))
async def resume(run_id: RunId, by: Writer, host: At, body: Resuming | None = None) -> RunView:
    """Make a run go on where it stopped; one that a live process drives goes on anyway."""
    given = body or Resuming()
    run = own_run(host, run_id, by)
    if run.status == "completed":
        raise ConflictError("the run is completed", fix="start a new one, or fork it", run=run_id)
    if run.ended and not given.reopen:
        raise ConflictError(f"the run has ended ({run.status})", fix="say `reopen` to have it go on", run=run_id)
    if host.draining:
        raise ConflictError("the service is about to stop", fix="ask again in a moment")

    async def going() -> None:
        await host.service.resume(run_id, reopen=given.reopen, settle=given.settle)
        if not run.driven:
            host.go_on(run_id, reopen=given.reopen and run.ended)

    act = run_resume(run_id, reopen=given.reopen, settled=given.settle)
    await host.trail.act(by.owner, act, going())
    return run_view(host.journal.runs.get(run_id))


@api.post("/{run_id}/fork", status_code=201, responses=errors(404, 409))
async def fork(run_id: RunId, by: Writer, host: At, response: Response, body: Forking | None = None) -> RunView:
    """Start a new run that shares the past of this one; it costs the same however long that past is."""
    given = body or Forking()
    own_run(host, run_id, by)
    at = None if given.at is None else str(given.at)
    made = await _forked(host, by, run_id, host.fork(run_id, at=at, changes=given.set))
    return _going(host, response, made, drive=given.drive)


@api.post("/{run_id}/rerun", status_code=201, responses=errors(404, 409))
async def rerun(run_id: RunId, body: Rerunning, by: Writer, host: At, response: Response) -> RunView:
    """Do a run again from a step on, as a new run that shares what came before it."""
    own_run(host, run_id, by)
    made = await _forked(host, by, run_id, host.fork(run_id, before=body.step, changes=body.set))
    return _going(host, response, made, drive=body.drive)


async def _forked(host: Host, by: Caller, of: str, work: Awaitable[str]) -> str:
    return await host.trail.act(by.owner, run_fork(of), work, told=partial(run_fork, of))


def _going(host: Host, response: Response, run_id: str, *, drive: bool) -> RunView:
    if drive:
        host.go_on(run_id)
    response.headers["Location"] = f"{PREFIX}/runs/{run_id}"
    return run_view(host.journal.runs.get(run_id))


@api.post("/{run_id}/promote", responses=errors(404))
async def promote(run_id: RunId, by: Writer, host: At) -> RunView:
    """Make a run the current one of its line: the run that it and its siblings were forked from, and all of those."""
    own_run(host, run_id, by)
    await host.trail.act(by.owner, run_promote(run_id), host.service.promote(run_id))
    return run_view(host.journal.runs.get(run_id), current=True)


@api.post("/{run_id}/discard", responses=errors(404, 409))
async def discard(run_id: RunId, by: Writer, host: At) -> Gone:
    """Drop a fork and the runs that it has started, for good. Refused while it is driven or others build on it."""
    own_run(host, run_id, by)
    told = partial(run_discard, run_id)
    gone = await host.trail.act(by.owner, told(), host.service.discard(run_id), told=told)
    return Gone(gone=gone)


@api.post("/{run_id}/signal", status_code=202, responses=errors(404, 409))
async def signal(run_id: RunId, body: SendSignal, by: Writer, host: At) -> SignalSent:
    """Send a signal to a run, which keeps it until a step waits for it."""
    own_run(host, run_id, by)
    key = body.key or uuid7()
    sent = NewSignal(name=body.name, data=body.data, key=key, by=by.principal)
    new = await host.trail.act(by.owner, run_signal(run_id, body.name), host.signal(run_id, sent))
    return SignalSent(name=body.name, key=key, new=new)
