"""Reading JSON from outside, bounded before anything recurses into it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Coroutine
from json import JSONDecodeError
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from pydantic_core import from_json

MAX_DEPTH = 100
"""Levels of lists and objects in each other; what runs are started with may have no more either."""
_ENDLESS = re.compile(rb"[eE]\+?\d{3}|\d{309}")
"""What a number looks like that may be too large to be one."""


def read_json(body: bytes) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it is not JSON or not UTF-8, is nested too deeply, or holds a number or character that JSON cannot carry on.
    """
    # The parser counts levels itself and never recurses in Python; a lone half of a surrogate pair is an error to it.
    value = from_json(body, allow_inf_nan=False)
    deep = body.count(b"[") + body.count(b"{") > MAX_DEPTH
    if deep or _ENDLESS.search(body):
        _walk(value)
    return value


def _walk(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        if any(isinstance(one, float) and not math.isfinite(one) for one in level):
            raise ValueError("a number is too large")
        level = [
            part
            for one in level
            if isinstance(one, dict | list)
            for part in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return
    raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels")


class BoundedRequest(Request):
    """A request whose JSON is read with bounds."""

    async def json(self) -> Any:
        """The body."""
        try:
            return read_json(await self.body())
        except ValueError as error:
            raise JSONDecodeError(str(error), "", 0) from None


class BoundedRoute(APIRoute):
    """A route that reads JSON with bounds."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, given a `BoundedRequest`."""
        handle = super().get_route_handler()

        async def bounded(request: Request) -> Response:
            return await handle(BoundedRequest(request.scope, request.receive))

        return bounded
