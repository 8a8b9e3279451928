"""The short way: what is asked for most, asked in the plainest form, reaches its function without the layers of the framework.

Those layers cost more than such an answer does. A request takes the short way when everything in it fits at first sight; any
other, and whatever has to be refused for its form, goes the usual way from its beginning. Functions, rights, errors and the document
are the same on both.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from re import Pattern
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from weft.server.reading import BoundedRequest, read_json

Endpoint = Callable[..., Awaitable[Any]]
_JSON = frozenset({b"application/json", b"application/json; charset=utf-8"})


class _MisfitError(Exception):
    """The request is not as plain as that."""


class _Call:
    """One function of the service, and how what it is given is found in a request."""

    def __init__(self, wants: Dependant, path: Pattern[str]) -> None:
        assert len(wants.body_params) < 2
        assert not wants.cookie_params
        self.path = path
        self.has_body = bool(wants.body_params)
        self._endpoint = cast("Endpoint", wants.call)
        self._bodies = [(one.name, one) for one in wants.body_params]
        self._paths = [(one.name, one.alias, one) for one in wants.path_params]
        self._queries = [(one.name, _unasked(one)) for one in wants.query_params]
        self._headers = [(one.name, one.alias.lower().encode(), one) for one in wants.header_params]
        self._needs = [(one.name, cast("Endpoint", one.call), one.request_param_name) for one in wants.dependencies]
        self._request, self._response = wants.request_param_name, wants.response_param_name

    def given(self, scope: Scope, found: Mapping[str, str], body: bytes) -> dict[str, Any]:
        """What the request says of what the function is given.

        Raises:
            _MisfitError: it does not fit.
        """
        values = {name: _valid(field, found[alias]) for name, alias, field in self._paths}
        for name, make in self._queries:
            values[name] = make()
        for name, alias, field in self._headers:
            shown = [value for key, value in scope["headers"] if key == alias]
            if len(shown) > 1:
                raise _MisfitError
            values[name] = _valid(field, shown[0].decode("latin-1")) if shown else field.get_default()
        if self._bodies:
            try:
                read = read_json(body)
            except ValueError:
                raise _MisfitError from None
            for name, field in self._bodies:
                values[name] = _valid(field, read)
        return values

    async def answer(self, request: Request, values: dict[str, Any]) -> Response:
        """What the function answers."""
        for name, need, asks in self._needs:
            values[str(name)] = await need(**{asks: request} if asks else {})
        if self._request is not None:
            values[self._request] = request
        if self._response is not None:
            values[self._response] = response = Response()
            del response.headers["content-length"]
        answer = await self._endpoint(**values)
        assert isinstance(answer, Response)
        assert not isinstance(answer, StreamingResponse)  # whose readers are watched
        return answer


def _unasked(field: Any) -> Callable[[], Any]:
    """What makes the value of a part of the query where there is none."""
    model = field.field_info.annotation
    if isinstance(model, type) and issubclass(model, BaseModel):
        return partial(model.model_validate, {})
    return cast("Callable[[], Any]", field.get_default)


def _valid(field: Any, value: Any) -> Any:
    found, errors = field.validate(value)
    if errors:
        raise _MisfitError
    return found


class ShortWay:
    """Has `endpoints` of `service` answered the short way. Plain ASGI, before the framework and behind the outer wall."""

    def __init__(self, app: ASGIApp, *, service: FastAPI, endpoints: Iterable[Endpoint]) -> None:
        self._app = app
        self._handlers = service.exception_handlers
        self._fixed: dict[tuple[str, str], _Call] = {}
        self._others: dict[str, list[_Call]] = {}
        wanted, fixed = set(endpoints), set[str]()
        for context in iter_route_contexts(service.routes):
            fixed |= {str(context.path)} if "{" not in str(context.path) else set()
            if context.endpoint not in wanted:
                continue
            call = _Call(context.dependant, context.path_regex)
            # Routes that come first go first.
            assert "{" not in str(context.path) or not any(call.path.match(path) for path in fixed)
            for method in context.methods or ():
                if "{" in str(context.path):
                    self._others.setdefault(method, []).append(call)
                else:
                    self._fixed[method, str(context.path)] = call

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request here, or pass it on as it came."""
        call, found = self._find(scope)
        if call is None or (call.has_body and not _is_json(scope)):
            await self._app(scope, receive, send)
            return
        read: list[Message] = []
        try:
            values = call.given(scope, found, await _body(receive, read) if call.has_body else b"")
        except _MisfitError:
            await self._app(scope, _again(read, receive), send)
            return
        request = BoundedRequest(scope, receive)
        try:
            answer = await call.answer(request, values)
        except Exception as error:  # whatever the framework would have answered, from the same handlers
            kinds = type(error).__mro__
            handle = next(
                (self._handlers[kind] for kind in kinds if kind in self._handlers and kind is not Exception), None
            )
            if handle is None:  # a defect, which the framework tells in the log
                raise
            answer = await handle(request, error)  # type: ignore[misc]  # ours are all coroutines
        await answer(scope, receive, send)

    def _find(self, scope: Scope) -> tuple[_Call | None, Mapping[str, str]]:
        if scope["type"] != "http" or scope["query_string"] or scope["root_path"]:
            return None, {}
        method, path = scope["method"], scope["path"]
        call = self._fixed.get((method, path))
        if call is not None:
            return call, {}
        for other in self._others.get(method, ()):
            if match := other.path.match(path):
                return other, match.groupdict()
        return None, {}


def _is_json(scope: Scope) -> bool:
    return any(name == b"content-type" and value.lower() in _JSON for name, value in scope["headers"])


async def _body(receive: Receive, read: list[Message]) -> bytes:
    """The body of a request, whose messages are kept in `read`."""
    body, more = b"", True
    while more:
        read.append(message := await receive())
        if message["type"] != "http.request":  # the client has gone away in the middle of it
            raise _MisfitError
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _again(read: list[Message], receive: Receive) -> Receive:
    """What was read already, and then what comes."""
    kept = iter(read)

    async def again() -> Message:
        return next(kept, None) or await receive()

    return again
