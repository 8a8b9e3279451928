"""What the routes of the control API have in common: names, rights, the host, and the errors that they document."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, TypeVar, cast

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field

from weft.app.auditing.acts import Act
from weft.app.hosting import Host
from weft.core.errors import NotFoundError, PolicyError
from weft.server.caller import Caller, caller_of
from weft.server.problems import MEDIA_TYPE
from weft.server.reading import BoundedRoute
from weft.store.runs import Run

PREFIX = "/api/v1"
MAX_INT = 2**53 - 1
"""The largest number that every client can hold."""
MAX_ID = 200


class Problem(BaseModel):
    """An error as RFC 9457 has it, and what is ours: `code` names its kind for programs, `fix` says what to do about it."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "example": {
                "type": "urn:weft:error:not-found",
                "title": "Not Found",
                "status": 404,
                "detail": "there is no run '0190'",
                "instance": "/api/v1/runs/0190",
                "code": "not-found",
                "fix": "list the runs to see what is there",
            }
        },
    )

    type: str = Field(description="`urn:weft:error:` and the code.")
    title: str
    status: int
    detail: str = Field(description="What happened.")
    code: str = Field(description="The kind of error, such as `not-found`.")
    instance: str | None = None
    fix: str | None = Field(default=None, description="What to do about it.")
    place: dict[str, Any] | None = Field(default=None, description="Where: a file with line and column, or a step.")
    ids: dict[str, Any] | None = Field(default=None, description="What it concerns; at a lost race, what won.")
    problems: list[dict[str, Any]] | None = Field(default=None, description="Everything that is wrong with a document.")


_SAID: Mapping[int, str] = {
    304: "Nothing has changed since the `ETag` in `If-None-Match`.",
    401: "A credential is missing or wrong.",
    403: "The caller has not the right to do this.",
    404: "There is no such thing, or it is somebody else's.",
    409: "It has changed meanwhile, or its state does not allow this.",
    413: "The request is too large.",
    422: "The request does not fit; `problems` names every place.",
}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The documentation of these answers; `default` stands for all others that are no success."""
    problem = {"content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
    found: dict[int | str, dict[str, Any]] = {status: {"description": _SAID[status], **problem} for status in statuses}
    return found | {"default": {"description": "Another error.", "model": Problem}}


UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": _SAID[304]}}


def routes(name: str) -> APIRouter:
    """The router of one kind of thing; its operations are called ``name_function``, which clients make their methods of."""

    def operation(route: APIRoute) -> str:
        return f"{name}_{route.name}"

    return APIRouter(
        prefix=f"/{name}",
        tags=[name],
        route_class=BoundedRoute,
        generate_unique_id_function=operation,
        responses=errors(401, 403, 422),
    )


def host_of(request: Request) -> Host:
    """The host that answers a request."""
    host: Host = request.app.state.host
    return host


def allowed(right: str) -> Callable[[Request], Awaitable[Caller]]:
    """A dependency: the caller, if they have `right`."""

    async def check(request: Request) -> Caller:
        caller = caller_of(request)
        if not caller.may(right):
            trail = host_of(request).trail
            await trail.note(trail.of(caller.owner, Act(right, request.url.path[:300]), outcome="denied"))
            raise PolicyError(f"this needs the right {right!r}", fix="ask whoever runs the service for it")
        return caller

    return check


async def _host_at(request: Request) -> Host:
    # Not `host_of` itself: what is no coroutine costs the way to a thread and back, on every request.
    return host_of(request)


At = Annotated[Host, Depends(_host_at)]
RunId = Annotated[str, Path(min_length=1, max_length=MAX_ID, description="The id of a run, in full.")]
Name = Annotated[str, Path(min_length=1, max_length=300)]


M = TypeVar("M", bound=BaseModel)


def written(model: BaseModel) -> bytes:
    """A model as JSON."""
    return model.__pydantic_serializer__.to_json(model)


def answer(body: bytes, response: Response) -> Response:
    """JSON as the body of `response`."""
    response.body = body
    response.status_code = response.status_code or 200
    length = str(len(body)).encode()
    response.raw_headers += [(b"content-length", length), (b"content-type", b"application/json")]
    return response


def sent(model: M, response: Response) -> M:
    """A model as the body of `response`, written once.

    Returned as it is, a model would be checked again against what the route documents; it is one already.
    """
    # To the framework, a response says everything; to whoever reads the route, it is the model that it holds.
    return cast("M", answer(written(model), response))


def own_run(host: Host, run_id: str, caller: Caller) -> Run:
    """The run with this id, if it is the caller's tenant's; what is not theirs is not there.

    Raises:
        NotFoundError: it is not.
    """
    try:
        return host.journal.runs.get(run_id, tenant=caller.tenant)
    except NotFoundError:
        fix = "list the runs to see what is there"
        raise NotFoundError(f"there is no run {run_id!r}", fix=fix, run=run_id) from None
