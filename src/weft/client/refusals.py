"""What the service or the way to it refuses, as errors of Weft's own family."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx2

from weft.core.errors import (
    AuthError,
    ConflictError,
    InputError,
    NotFoundError,
    Place,
    PolicyError,
    Problem,
    RateLimitError,
    SpecError,
    StepTimeoutError,
    TransientError,
    WeftError,
    from_json,
)

_KINDS: Mapping[int, type[WeftError]] = {
    401: AuthError,
    403: PolicyError,
    404: NotFoundError,
    409: ConflictError,
    429: RateLimitError,
}
"""Of answers that are no problems of the service: those of a proxy, or of something else that listens there."""
_SPOT = ("file", "line", "column", "pointer", "path")


def refusal(status: int, headers: Mapping[str, str], content: bytes) -> WeftError:
    """The error that an answer without success means: the service's own where it says one."""
    data = _object(content)
    if data is None or not isinstance(data.get("code"), str):
        kind = _KINDS.get(status) or (TransientError if status >= 500 else InputError)
        error = kind(
            f"the answer has the status {status} and is none of Weft's", fix="check the address of the service"
        )
    else:
        error = from_json({**data, "message": data.get("detail", "")})
        problems = data.get("problems")
        if isinstance(error, SpecError) and isinstance(problems, list):
            error.problems = tuple(_problem(one) for one in problems if isinstance(one, dict))
        elif problems:
            error.ids.setdefault("problems", problems)
    if isinstance(error, TransientError):
        error.retry_after = _seconds(headers.get("retry-after"))
    return error


def unreachable(url: str, error: httpx2.TransportError) -> WeftError:
    """The error that a broken way means."""
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        return TransientError(
            f"there is no service at {url}: {error}", fix="`weft up` starts one; check the address", url=url
        )
    if isinstance(error, httpx2.TimeoutException):
        return StepTimeoutError(f"the service at {url} has not answered in time", fix="give it longer", url=url)
    what = str(error) or type(error).__name__
    return TransientError(f"the connection to {url} broke: {what}", fix="try it again", url=url)


def _object(content: bytes) -> dict[str, Any] | None:
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _problem(data: Mapping[str, Any]) -> Problem:
    return Problem(
        rule=str(data.get("rule", "")),
        message=str(data.get("message", "")),
        fix=str(data.get("fix", "")),
        severity=str(data.get("severity", "error")),
        place=Place(**{name: data[name] for name in _SPOT if data.get(name) is not None}),
    )


def _seconds(text: str | None) -> float | None:
    try:
        return None if text is None else max(0.0, float(text))
    except ValueError:
        return None
