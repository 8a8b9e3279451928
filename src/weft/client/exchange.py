"""A call from its first attempt to its answer, without any input or output: both clients play the same script.

The script yields what is to be done next, a request or a pause, and is sent what came of it.
"""

from __future__ import annotations

import random
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from weft.client.operation import Answer, Call, Parameters
from weft.client.refusals import refusal, unreachable
from weft.core.errors import RateLimitError, TransientError, WeftError

_FIRST_S, _LONGEST_S, _ASKED_S = 0.2, 5.0, 30.0
_PASSING = {502, 503, 504}


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Send this request."""

    method: str
    url: str
    params: Parameters
    headers: Mapping[str, str]
    json: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Got:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    content: bytes


Came = Got | httpx2.TransportError | None
Script = Generator[Pause | Send, Came, Answer]


def exchange(call: Call[Answer], *, base: str, retries: int) -> Script[Answer]:
    """The script of a call. Only what does no harm is tried again.

    Raises:
        WeftError: it was refused, or the service cannot be reached.
    """
    got = yield from _answered(call, base=base, retries=retries)
    return call.read(got.content)


def download(call: Call[bytes], *, base: str, retries: int) -> Script[bytes]:
    """The script of a call whose answer is taken as it is."""
    return (yield from _answered(call, base=base, retries=retries)).content


def _answered(call: Call[Any], *, base: str, retries: int) -> Generator[Pause | Send, Came, Got]:
    sending = Send(method=call.operation.method, url=call.url, params=call.params, headers=call.headers, json=call.body)
    for attempt in range(retries + 1):
        came = yield sending
        if isinstance(came, Got) and came.status < 300:
            return came
        assert came is not None
        error = refusal(came.status, came.headers, came.content) if isinstance(came, Got) else unreachable(base, came)
        if attempt == retries or not _may_repeat(call, came, error):
            raise error
        yield Pause(wait(attempt, error))
    raise AssertionError("the last attempt raises or returns")


def _may_repeat(call: Call[Any], came: Got | httpx2.TransportError, error: WeftError) -> bool:
    if isinstance(error, TransientError) and (error.retry_after or 0) > _ASKED_S:
        return False
    if isinstance(came, Got):
        # Whoever asks to slow down has done nothing yet.
        return isinstance(error, RateLimitError) or (call.operation.again != "never" and came.status in _PASSING)
    if isinstance(came, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout):
        return True
    return call.operation.again != "never"


def wait(attempt: int, error: WeftError | None = None) -> float:
    """How long to wait before the next attempt: what was asked for, else longer each time, never the same for all."""
    if isinstance(error, TransientError) and error.retry_after is not None:
        return error.retry_after
    return min(_LONGEST_S, _FIRST_S * float(2**attempt)) * random.uniform(0.5, 1.0)  # noqa: S311 -- no secret
