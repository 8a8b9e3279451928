"""Sessions: conversations with what is served, their turns and branches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Depends, Header, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from weft.app.auditing.acts import Act
from weft.app.hosting import Host
from weft.app.serving.inputs import MAX_TEXT, Message
from weft.app.serving.sessions import SessionTurn
from weft.app.serving.turns import Turn
from weft.core.clock import iso
from weft.core.errors import ConflictError
from weft.core.ids import uuid7
from weft.core.usage import Usage
from weft.server.caller import Caller
from weft.server.control.pages import MOST, Page, Paging, cursor, place
from weft.server.control.routes import MAX_ID, At, allowed, errors, routes
from weft.store.sessions import Session

api = routes("sessions")
User = Annotated[Caller, Depends(allowed("sessions:use"))]
SessionId = Annotated[str, Path(min_length=1, max_length=MAX_ID)]
TurnId = Annotated[str, Path(min_length=1, max_length=MAX_ID, description="The run of a turn.")]
Key = Annotated[str, Header(alias="Idempotency-Key", max_length=MAX_ID)]


class NewSession(BaseModel):
    """A conversation to begin."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"target": "brief", "title": "Notes"}})

    target: str = Field(min_length=1, max_length=300, description="A workflow, or an agent as `workflow/agent`.")
    title: str = Field(default="", max_length=320)


class NewTurn(BaseModel):
    """Something to say in a conversation."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"message": "And what of the weft?"}})

    message: str = Field(min_length=1, max_length=MAX_TEXT)
    inputs: dict[str, Any] = Field(default_factory=dict, description="Further inputs by name.")
    after: str | None = Field(
        default=None, max_length=MAX_ID, description="The turn that it follows, empty for none; the latest by default."
    )
    queue: bool = Field(default=False, description="Wait for a turn that is running instead of being refused.")


class Change(BaseModel):
    """What is to change of a conversation."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"title": "Notes of May"}})

    title: str | None = Field(default=None, min_length=1, max_length=320)
    after: str | None = Field(
        default=None, max_length=MAX_ID, description="The turn to go on after; empty for the beginning."
    )


class TurnView(BaseModel):
    """One turn, which is the run `run`: what was asked and answered after the turn `after`, and what it cost."""

    run: str
    after: str | None = None
    status: str
    asked: str
    answered: str
    usage: dict[str, Any]
    at: str


class SessionView(BaseModel):
    """One conversation; it goes on after the turn `head`."""

    id: str
    target: str
    title: str
    head: str | None = None
    created_at: str
    updated_at: str
    expires_at: str | None = None


class SessionWhole(SessionView):
    """A conversation with the turns that lead to its head, those of its other branches, and what all of them have cost."""

    turns: list[TurnView]
    others: list[TurnView]
    usage: dict[str, Any]


class SessionPage(Page[SessionView]):
    """Some conversations, the latest first."""


class SessionQuery(Paging):
    """Which conversations."""

    target: str | None = Field(default=None, min_length=1, max_length=300)


class Found(BaseModel):
    """Where something was said."""

    session: str
    run: str
    role: str
    text: str
    at: str


def _view(session: Session) -> SessionView:
    return SessionView(
        id=session.id,
        target=session.target,
        title=session.title,
        head=session.head,
        created_at=iso(session.created_at),
        updated_at=iso(session.updated_at),
        expires_at=None if session.expires_at is None else iso(session.expires_at),
    )


def _turn_view(one: SessionTurn) -> TurnView:
    return TurnView(
        run=one.run_id,
        after=one.after,
        status=one.status,
        asked=one.asked,
        answered=one.answered,
        usage=one.usage.as_json(),
        at=iso(one.at),
    )


def _own(host: Host, session_id: str, by: Caller) -> Session:
    """The caller's own session: those of others are not there."""
    return host.journal.sessions.get(session_id, tenant=by.tenant, principal=by.principal)


@api.get("", name="list")
async def list_sessions(query: Annotated[SessionQuery, Query()], by: User, host: At) -> SessionPage:
    """The caller's conversations, the latest first."""
    found = host.journal.sessions.of(
        principal=by.principal,
        tenant=by.tenant,
        target=query.target,
        before=place(query.cursor, int, str),
        limit=query.limit + 1,
    )
    page = found[: query.limit]
    more = len(found) > query.limit
    following = cursor(page[-1].updated_at, page[-1].id) if more else None
    return SessionPage(items=[_view(one) for one in page], next=following)


@api.post("", status_code=201, responses=errors(404))
async def create(body: NewSession, by: User, host: At) -> SessionView:
    """Begin a conversation."""
    target = host.library.get(body.target, tenant=by.tenant)
    return _view(await host.sessions.create(uuid7(), target.name, by.owner, body.title))


@api.get("/search")
async def search(
    by: User,
    host: At,
    words: Annotated[str, Query(min_length=1, max_length=500)],
    limit: Annotated[int, Query(ge=1, le=MOST)] = 50,
) -> list[Found]:
    """What the caller's conversations say that holds all of these words; the last may be the beginning of one."""
    return [
        Found(session=one.session, run=one.run_id, role=one.role, text=one.content[:2_000], at=iso(one.at))
        for one in await host.sessions.search(words, by.owner, limit=limit)
    ]


@api.get("/{session_id}", responses=errors(404))
async def show(session_id: SessionId, by: User, host: At) -> SessionWhole:
    """A conversation and its turns."""
    session = _own(host, session_id, by)
    path = host.sessions.path(session, session.head)
    on_path = {one.run_id for one in path}
    every = host.sessions.all_turns(session)
    return SessionWhole(
        **_view(session).model_dump(),
        turns=[_turn_view(one) for one in path],
        others=[_turn_view(one) for one in every if one.run_id not in on_path],
        usage=sum((one.usage for one in every), Usage()).as_json(),
    )


@api.patch("/{session_id}", responses=errors(404))
async def change(session_id: SessionId, body: Change, by: User, host: At) -> SessionView:
    """Rename a conversation, or have it go on after another of its turns."""
    session = _own(host, session_id, by)
    if body.title is not None:
        session = await host.sessions.rename(session, body.title)
    if body.after is not None:
        session = await host.sessions.branch(session, body.after or None)
    return _view(session)


@api.delete("/{session_id}", status_code=204, responses=errors(404, 409))
async def delete(session_id: SessionId, by: User, host: At) -> Response:
    """Forget a conversation and its runs."""
    found = _own(host, session_id, by)

    def told(count: int) -> Act:
        return Act("session.delete", f"session/{session_id}", {"runs": count})

    await host.trail.act(by.owner, told(0), host.sessions.delete(found), told=told)
    return Response(status_code=204)


@api.post("/{session_id}/turns", status_code=202, responses=errors(404, 409))
async def say(session_id: SessionId, body: NewTurn, by: User, host: At, key: Key = "") -> TurnView:
    """Say something; the answer comes in the stream of the run. One turn at a time: see `queue`."""
    session = _own(host, session_id, by)
    turn = _turn(host, session, by, body.message, body.inputs, key=key)
    begun = await host.converse(turn, after="" if body.after is None else body.after or None, queue=body.queue)
    return _turn_view(host.sessions.turn(session, begun.run_id))


@api.post("/{session_id}/turns/{run_id}/again", status_code=202, responses=errors(404, 409))
async def regenerate(session_id: SessionId, run_id: TurnId, by: User, host: At) -> TurnView:
    """Ask the same once more, as another branch: both answers stay."""
    session = _own(host, session_id, by)
    before = host.sessions.turn(session, run_id)
    if not before.asked:
        raise ConflictError("nothing was asked in that turn", run=run_id)
    begun = await host.converse(_turn(host, session, by, before.asked, before.inputs), after=before.after)
    return _turn_view(host.sessions.turn(session, begun.run_id))


def _turn(host: Host, session: Session, by: Caller, text: str, inputs: Mapping[str, Any], *, key: str = "") -> Turn:
    return Turn(
        target=host.library.get(session.target, tenant=by.tenant),
        messages=(Message("user", text),),
        inputs=inputs,
        session=session.id,
        owner=by.owner,
        choice=host.choice,
        key=key,
        scope=f"session/{session.id}",
    )
