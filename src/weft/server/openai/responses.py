"""``/v1/responses``: responses that are kept, resumed, cancelled, and gone on with after an approval."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from starlette.requests import Request

from weft.app.auditing.acts import run_delete
from weft.core.errors import ConflictError
from weft.server import sse
from weft.server.caller import Caller, calling
from weft.server.control.routes import allowed
from weft.server.openai import errors
from weft.server.openai.attending import Attendance, ClientGone, Stream, while_there
from weft.server.openai.response_desk import Desk, Opened
from weft.server.openai.response_request import ResponseRequest
from weft.server.openai.targets import Targets
from weft.server.rooms import Rooms

By = Annotated[Caller, Depends(calling)]
Reader = Annotated[Caller, Depends(allowed("runs:read"))]
Writer = Annotated[Caller, Depends(allowed("runs:write"))]
_GONE = 499


def router(rooms: Rooms, targets: Targets, attendance: Attendance) -> APIRouter:
    """The routes of responses."""
    api = APIRouter(prefix="/responses", tags=["openai"])
    desk = Desk(rooms, targets)

    @api.post("", response_model=None)
    async def create(body: ResponseRequest, request: Request, by: By) -> Response:
        """Answer; with `stream` as Server-Sent Events, with `background` at once and without waiting."""
        try:
            opened = await attendance.begun(request, desk.open(body, request, by), stays=body.stays)
            return await _answered(desk, attendance, body, request, opened)
        except ClientGone:
            return Response(status_code=_GONE)

    @api.get("/{response_id}", response_model=None)
    async def show(
        response_id: str,
        by: Reader,
        stream: bool = False,
        starting_after: Annotated[int, Query(ge=0)] = 0,
    ) -> Response:
        """A response as it stands; with `stream`, its events after `starting_after` and those to come."""
        id_ = desk.own(response_id, by)
        if stream:
            return sse.response(desk.stream(id_, starting_after=starting_after))
        return errors.Json(await desk.show(id_))

    @api.delete("/{response_id}")
    async def delete(response_id: str, by: Writer) -> dict[str, Any]:
        """Remove a response, and its run with it."""
        id_ = desk.own(response_id, by)
        if not rooms.host.journal.runs.get(id_.run_id).ended:
            raise ConflictError("the response is not complete", fix="cancel it first")
        told = partial(run_delete, id_.run_id)
        await rooms.host.trail.act(by.owner, told(), rooms.host.service.delete(id_.run_id), told=told)
        return {"id": str(id_), "object": "response", "deleted": True}

    @api.post("/{response_id}/cancel", response_model=None)
    async def cancel(response_id: str, by: Writer) -> Response:
        """Cancel the run of a response."""
        id_ = desk.own(response_id, by)
        await rooms.host.cancel(id_.run_id, principal=by.principal)
        return errors.Json(await desk.show(id_))

    @api.get("/{response_id}/input_items")
    async def input_items(
        response_id: str,
        by: Reader,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        order: Literal["asc", "desc"] = "desc",
        after: Annotated[str, Query(max_length=200)] = "",
    ) -> dict[str, Any]:
        """What a response was asked with."""
        items = desk.input_items(desk.own(response_id, by))
        return _page(items if order == "asc" else items[::-1], after, limit)

    return api


async def _answered(
    desk: Desk, attendance: Attendance, body: ResponseRequest, request: Request, opened: Opened
) -> Response:
    attending = attendance.attend(opened.run_id, opened.turn, stays=body.stays)
    if body.stream:
        return Stream(desk.stream(opened.id, attending=attending), attending, opened.headers)
    with attending:
        if body.background:
            attending.answered = True
            return errors.Json(await desk.show(opened.id), headers=opened.headers)
        found = await while_there(request, desk.whole(opened.id))
        attending.answered = True
        return errors.Json(found, headers=opened.headers)


def _page(items: list[dict[str, Any]], after: str, limit: int) -> dict[str, Any]:
    names = [one["id"] for one in items]
    start = names.index(after) + 1 if after in names else 0
    page = items[start : start + limit]
    ends = {"first_id": page[0]["id"] if page else None, "last_id": page[-1]["id"] if page else None}
    return {"object": "list", "data": page, **ends, "has_more": start + limit < len(items)}
