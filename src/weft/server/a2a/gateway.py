"""The door of the HTTP bindings: media types, text that is JSON at all, and the extensions that a request activates."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs

from a2a.extensions.common import HTTP_EXTENSION_HEADER
from a2a.server.jsonrpc_models import JSONParseError as RpcParseError
from a2a.server.request_handlers.response_helpers import build_error_response
from a2a.types import a2a_pb2
from a2a.utils.error_handlers import build_rest_error_payload
from a2a.utils.errors import (
    A2AError,
    ContentTypeNotSupportedError,
    InvalidParamsError,
    InvalidRequestError,
    JSONParseError,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from weft.server.a2a.extension import URI

_JSON = ("application/json", "application/a2a+json")
_DEPTH = 100
_STATES = frozenset(one.name for one in a2a_pb2.TaskState.DESCRIPTOR.values)


class Gateway:
    """Refuses what is not JSON before anybody parses it; with `rpc`, in the form of JSON-RPC."""

    def __init__(self, app: ASGIApp, *, rpc: bool) -> None:
        self._app = app
        self._rpc = rpc

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer it here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        fields = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        asked = [part.strip() for part in fields.get(HTTP_EXTENSION_HEADER.lower(), "").split(",")]
        tell = _Extended(send).send if URI in asked else send
        if scope["method"] != "POST":
            if not self._rpc and (named := _unknown_state(parse_qs(scope["query_string"].decode("latin-1")))):
                await self._refuse(send, InvalidParamsError(message=named), 400)
                return
            await self._app(scope, receive, tell)
            return
        body = await _whole(receive)
        if body is None:
            return
        error, status, id_ = self._wrong(fields.get("content-type", ""), body)
        if error is not None:
            await self._refuse(send, error, status, id_)
            return
        await self._app(scope, _again(body, receive), tell)

    def _wrong(self, content_type: str, body: bytes) -> tuple[A2AError | None, int, Any]:
        """What is wrong with a request, the status of the answer, and the id of the request where it is known."""
        media = content_type.partition(";")[0].strip().lower()
        if media not in _JSON and (body or self._rpc):
            return (
                ContentTypeNotSupportedError(message=f"the body is {media or 'of no type'}; send application/json"),
                415,
                None,
            )
        if body:
            try:
                text = body.decode("utf-8")
                if _deep(text):
                    return InvalidRequestError(message=f"the request is nested deeper than {_DEPTH} levels"), 400, None
                value = json.loads(text)
            except (ValueError, RecursionError):
                return JSONParseError(message="the request is not JSON in UTF-8"), 400, None
            if self._rpc and isinstance(value, dict) and value.get("method") == "ListTasks":
                params, id_ = value.get("params"), value.get("id")
                if isinstance(params, dict) and (named := _unknown_state(params)):
                    return InvalidParamsError(message=named), 400, id_ if isinstance(id_, str | int) else None
        return None, 0, None

    async def _refuse(self, send: Send, error: A2AError, status: int, id_: str | int | None = None) -> None:
        answer: dict[str, Any]
        if self._rpc:
            unread = isinstance(error, JSONParseError)
            answer = build_error_response(id_, RpcParseError(message=error.message) if unread else error)
            status = 415 if status == 415 else 200
        else:
            told = InvalidRequestError(message=error.message) if isinstance(error, JSONParseError) else error
            answer = build_rest_error_payload(told)
            answer["error"]["code"] = status
        body = json.dumps(answer).encode()
        headers: Iterable[tuple[bytes, bytes]] = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": list(headers)})
        await send({"type": "http.response.body", "body": body})


def _unknown_state(params: Mapping[str, Any]) -> str:
    """What is wrong with the state that a list is to be of: the SDK would leave out a name that it does not know, and list everything."""
    given = params.get("status")
    state = given[-1] if isinstance(given, list) and given else given
    if not isinstance(state, str) or not state or state.isdecimal() or state in _STATES:
        return ""
    return f"there is no state {state[:100]!r}"


def _deep(text: str) -> bool:
    """Whether brackets are nested deeper than `_DEPTH`; those inside texts do not count."""
    depth, quoted, escaped = 0, False, False
    for letter in text:
        if escaped:
            escaped = False
        elif quoted:
            escaped, quoted = letter == "\\", letter != '"'
        elif letter == '"':
            quoted = True
        elif letter in "[{":
            depth += 1
            if depth > _DEPTH:
                return True
        elif letter in "]}":
            depth -= 1
    return False


async def _whole(receive: Receive) -> bytes | None:
    """The body of a request, which the outer wall has bounded; None when the client has gone."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """`body`, to be received once more, and then whatever comes."""
    first = True

    async def replay() -> Message:
        nonlocal first
        if first:
            first = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return replay


class _Extended:
    """Names the extension in the answer to a request that activates it."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            extra = (HTTP_EXTENSION_HEADER.lower().encode(), URI.encode())
            message = {**message, "headers": [*message.get("headers", []), extra]}
        await self._send(message)
