"""AG-UI: workflows and agents behind chat front ends, as a stream of events at ``/ag-ui/<name>``."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Annotated, Any

from ag_ui.core import BaseEvent, Message, RunAgentInput, RunErrorEvent, RunStartedEvent, StateSnapshotEvent
from fastapi import APIRouter, Depends, FastAPI
from starlette.responses import StreamingResponse

from weft.app.hosting import Host
from weft.app.serving import inputs
from weft.app.serving.items import Ended, Waits
from weft.app.serving.library import Published
from weft.app.serving.places import BEGINNING
from weft.app.serving.questions import open_gates
from weft.app.serving.turns import Turn
from weft.core.errors import InputError, WeftError
from weft.server import sse
from weft.server.agui.events import Telling
from weft.server.agui.interrupts import Resumed, resume
from weft.server.caller import Caller, calling
from weft.server.rooms import Rooms
from weft.server.wording import said_over

_MAX_ID = 200
_KNOWN_ROLES = frozenset({"user", "assistant", "system"})


def install(app: FastAPI, rooms: Rooms) -> None:
    """Put the AG-UI endpoint into `app`."""
    host = rooms.host
    rooms.endings["/ag-ui/"] = _broken
    router = APIRouter(prefix="/ag-ui", tags=["ag-ui"])

    @router.post("/{target:path}", operation_id="agui_run", response_class=StreamingResponse)
    async def run(target: str, asked: RunAgentInput, by: Annotated[Caller, Depends(calling)]) -> StreamingResponse:
        """Run a workflow or an agent (`workflow/agent`) for a front end that speaks AG-UI, or go on with its answers."""
        published = host.library.get(target, tenant=by.tenant)
        _check(asked)
        if asked.resume:
            resumed = await resume(host, by, asked.thread_id, asked.resume)
        else:
            resumed = await _begin(host, by, published, asked)
        return sse.response(_stream(host, asked, resumed))

    app.include_router(router)


async def _begin(host: Host, by: Caller, target: Published, asked: RunAgentInput) -> Resumed:
    """The run of this request: a new turn of the conversation, or the one that the same request has become before."""
    by.demand("runs:start", f"/ag-ui/{target.name}")
    given = asked.forwarded_props.get("inputs") if isinstance(asked.forwarded_props, dict) else None
    turn = Turn(
        target=target,
        messages=_messages(asked.messages),
        inputs=given if isinstance(given, dict) else {},
        session=asked.thread_id,
        owner=by.owner,
        choice=host.choice,
        key=f"{asked.thread_id} {asked.run_id}",
        scope="ag-ui",
    )
    begun = await host.converse(turn)
    return Resumed(run_id=begun.run_id, place=BEGINNING, told=())


async def _stream(host: Host, asked: RunAgentInput, resumed: Resumed) -> AsyncGenerator[bytes]:
    run_id = resumed.run_id
    telling = Telling(asked.thread_id, asked.run_id, run_id, resumed.told)
    yield _encoded(RunStartedEvent(thread_id=asked.thread_id, run_id=asked.run_id, parent_run_id=asked.parent_run_id))
    yield _encoded(StateSnapshotEvent(snapshot=_state(host, asked, run_id)))
    async with aclosing(host.replies.follow(run_id, resumed.place)) as items:
        async for item in items:
            if isinstance(item, Ended):
                yield _encoded(StateSnapshotEvent(snapshot=_state(host, asked, run_id)))
            for event in telling.tell(item):
                yield _encoded(event)
            if isinstance(item, Ended):
                return
            # What the journal says of an earlier wait has been answered since.
            if isinstance(item, Waits) and item.seq == host.journal.runs.get(run_id).head_seq:
                gates = open_gates(host.journal, run_id)
                if gates:
                    for event in telling.interrupt(gates):
                        yield _encoded(event)
                    return
    for event in telling.broken("the service is about to stop: send the same request again in a moment", "transient"):
        yield _encoded(event)


def _broken(error: WeftError) -> bytes:
    message = f"{error.message} {said_over('ag-ui', error.fix)}" if error.fix else error.message
    return _encoded(RunErrorEvent(message=message, code=error.code))


def _state(host: Host, asked: RunAgentInput, run_id: str) -> dict[str, Any]:
    """The front end's own state, and beside it what it may want to know of the run."""
    run = host.journal.runs.get(run_id)
    own = {"run": run_id, "workflow": run.workflow, "status": run.status, "session": run.session}
    return {**(asked.state if isinstance(asked.state, dict) else {}), "weft": own}


def _messages(messages: Sequence[Message]) -> tuple[inputs.Message, ...]:
    """What was said. Calls of tools, their results and thoughts are no messages: the journal has its own."""
    if len(messages) > inputs.MAX_MESSAGES:
        messages = messages[-inputs.MAX_MESSAGES :]
    found = [
        inputs.Message(one.role, _words(one.content)) for one in messages if one.role in _KNOWN_ROLES and one.content
    ]
    while found and found[-1].role != "user":
        found.pop()
    return tuple(found)


def _words(content: Any) -> str:
    if isinstance(content, str):
        return content
    foreign = next((part.type for part in content if part.type != "text"), None)
    if foreign is not None:
        raise InputError(f"a message holds a part of type {foreign!r}", fix="send text; files are given as inputs")
    return "\n".join(part.text for part in content)


def _check(asked: RunAgentInput) -> None:
    for name, value in (("threadId", asked.thread_id), ("runId", asked.run_id), ("parentRunId", asked.parent_run_id)):
        if value is not None and not 0 < len(value) <= _MAX_ID:
            raise InputError(f"{name} must have 1 to {_MAX_ID} characters", fix="give a shorter one")


def _encoded(event: BaseEvent) -> bytes:
    return sse.encode(event.model_dump_json(by_alias=True).encode())
