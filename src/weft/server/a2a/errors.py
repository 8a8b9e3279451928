"""Our errors in the words of A2A: one table of codes, and a net under every act that lets no inside out."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus

from a2a.server.request_handlers.response_helpers import build_error_response
from a2a.utils.error_handlers import build_rest_error_payload
from a2a.utils.errors import (
    A2AError,
    ContentTypeNotSupportedError,
    InternalError,
    InvalidParamsError,
    TaskNotFoundError,
    UnsupportedOperationError,
)
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from weft.core.errors import WeftError
from weft.server import sse
from weft.server.wording import said_over

__all__ = ["KINDS", "ContentTypeNotSupportedError", "a2a_error", "in_words_of_a2a"]

_LOG = logging.getLogger("weft.server.a2a")
KINDS: Mapping[str, type[A2AError]] = {
    "not-found": TaskNotFoundError,
    "input": InvalidParamsError,
    "spec": InvalidParamsError,
    "template": InvalidParamsError,
    "mismatch": InvalidParamsError,
    "unsupported": UnsupportedOperationError,
    "policy": UnsupportedOperationError,
    "auth": UnsupportedOperationError,
    "conflict": UnsupportedOperationError,
    "limit": UnsupportedOperationError,
    "budget": UnsupportedOperationError,
}
"""The error of A2A for each of our codes; what is not here is an internal error."""


def a2a_error(error: WeftError) -> A2AError:
    """`error` for a client: what happened, and in the details its code, what to do about it, and when it may be tried again."""
    kind = KINDS.get(error.code, InternalError)
    details = {"code": error.code} | ({"fix": said_over("a2a", error.fix)} if error.fix else {})
    if (after := error.ids.get("retry_after_s")) is not None:
        details["retry_after_s"] = str(after)
    return kind(message=error.message, data=details)


def rpc_ending(error: WeftError) -> bytes:
    """The last event of a stream of JSON-RPC that ends with an error."""
    return _ending(build_error_response(None, a2a_error(error)))


def rest_ending(error: WeftError) -> bytes:
    """The last event of a stream of the REST binding that ends with an error."""
    return _ending(build_rest_error_payload(a2a_error(error)))


async def no_such(_: Request, error: Exception) -> Response:
    """The answer of the REST binding where there is no such address, or none that takes the method."""
    assert isinstance(error, HTTPException)
    status = "NOT_FOUND" if error.status_code == HTTPStatus.NOT_FOUND else "UNIMPLEMENTED"
    told = {"code": error.status_code, "status": status, "message": str(error.detail), "details": []}
    return JSONResponse({"error": told}, error.status_code, headers=error.headers)


def _ending(body: object) -> bytes:
    return sse.encode(json.dumps(body).encode(), event="error")


@contextmanager
def in_words_of_a2a() -> Iterator[None]:
    """Let every error out as one of A2A.

    Raises:
        A2AError: something went wrong inside.
    """
    try:
        yield
    except A2AError:
        raise
    except WeftError as error:
        raise a2a_error(error) from error
    except Exception as error:  # the last place before the protocol's library, which would show it
        _LOG.exception("a defect of the service")
        raise InternalError(message=f"a defect of Weft: {type(error).__name__}") from error
