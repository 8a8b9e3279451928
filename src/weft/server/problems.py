"""Errors as RFC 9457 problem details: one table of codes, one form, on every endpoint that has no form of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from weft.core.errors import InputError, InternalError, NotFoundError, PolicyError, WeftError
from weft.server.wording import said_to

_LOG = logging.getLogger("weft.server")
Form = Callable[[WeftError], Response]
Forms = Mapping[str, Form]
"""The forms of protocols that have their own, by the beginning of the paths at which they are spoken."""
MEDIA_TYPE = "application/problem+json"
STATUS: Mapping[str, int] = {
    "spec": 422,
    "unsupported": 422,
    "input": 422,
    "template": 422,
    "auth": 401,
    "budget": 402,
    "policy": 403,
    "transient": 503,
    "rate-limited": 429,
    "timeout": 504,
    "provider": 502,
    "tool": 502,
    "rejected": 409,
    "limit": 422,
    "conflict": 409,
    "not-found": 404,
    "io": 503,
    "mismatch": 409,
    "internal": 500,
}
"""The HTTP status of each code."""


def status_of(error: WeftError) -> int:
    """The HTTP status of an error: that of its code, unless it names a closer one itself."""
    return int(error.ids.get("status") or STATUS.get(error.code, 500))


def problem(error: WeftError, *, instance: str = "", status: int | None = None, agent: str = "") -> dict[str, Any]:
    """An error as problem details: the members of RFC 9457, and ours (``code``, ``fix``, ``place``, ``ids``, ``problems``).

    `agent` is what the client calls itself.
    """
    status = status_of(error) if status is None else status
    own = error.as_json()
    detail = own.pop("message")
    if own.get("fix"):
        own["fix"] = said_to(agent, str(own["fix"]))
    return {
        "type": f"urn:weft:error:{error.code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **({"instance": instance} if instance else {}),
        **own,
    }


def answer(error: WeftError, *, instance: str = "", status: int | None = None, agent: str = "") -> Response:
    """An error as a response."""
    headers = {}
    after = error.ids.get("retry_after_s")
    if after is not None:
        headers["Retry-After"] = str(max(1, round(float(after))))
    if error.code == "auth":
        headers["WWW-Authenticate"] = 'Bearer realm="weft"'
    told = problem(error, instance=instance, status=status, agent=agent)
    return JSONResponse(told, told["status"], headers=headers, media_type=MEDIA_TYPE)


def error_of(exception: Exception) -> WeftError:
    """What went wrong, in our words; a defect says nothing of its inside."""
    if isinstance(exception, WeftError):
        return exception
    if isinstance(exception, RequestValidationError):
        return _misfit(exception)
    if isinstance(exception, HTTPException):
        return _of_status(exception)
    _LOG.error("a defect of the service", exc_info=exception)
    return InternalError(
        f"a defect of Weft: {type(exception).__name__}", fix="the log of the service has the details; please report it"
    )


def _misfit(exception: RequestValidationError) -> InputError:
    found = [
        {"pointer": "/" + "/".join(str(part) for part in one["loc"]), "message": str(one["msg"])[:300]}
        for one in exception.errors()[:20]
    ]
    first = found[0] if found else {"pointer": "", "message": "it cannot be read"}
    return InputError(
        f"the request does not fit: {first['pointer']}: {first['message']}",
        fix="the OpenAPI document at /openapi.json says what it takes",
        problems=found,
    )


def _of_status(exception: HTTPException) -> WeftError:
    if exception.status_code == HTTPStatus.NOT_FOUND:
        return NotFoundError("there is nothing at this address", fix="the OpenAPI document is at /openapi.json")
    if exception.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return InputError("this address does not take that method", fix="the OpenAPI document is at /openapi.json")
    if exception.status_code == HTTPStatus.FORBIDDEN:
        return PolicyError(str(exception.detail))
    return InputError(str(exception.detail)[:300])


def form_of(path: str, forms: Forms) -> Form | None:
    """The form that errors at `path` have; None for problems."""
    return next((form for prefix, form in forms.items() if path.startswith(prefix)), None)


def install(app: FastAPI, forms: Forms) -> None:
    """Have every error of `app` answered: in the form of its protocol where that has one, otherwise as a problem."""

    async def handle(request: Request, exception: Exception) -> Response:
        error = error_of(exception)
        status = exception.status_code if isinstance(exception, HTTPException) else None
        form = form_of(request.url.path, forms)
        agent = request.headers.get("user-agent", "")
        told = partial(answer, instance=request.url.path, status=status, agent=agent)
        response = told(error) if form is None else form(error)
        if form is not None and status is not None:
            response.status_code = status
        if isinstance(exception, HTTPException):
            # Such as those of 405, whose `Allow` says what is taken.
            for name, value in (exception.headers or {}).items():
                response.headers[name] = value
        return response

    for kind in (WeftError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, handle)
