"""The outer wall: who may reach the service at all, and how much of it one request may take. Plain ASGI, before any route."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from math import ceil
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from weft.app.limits import ASKING, Asking, Limits
from weft.core.errors import AuthError, InputError, PolicyError, RateLimitError, StepTimeoutError, WeftError
from weft.core.settings_model import Server
from weft.server.caller import Caller, Doorkeeper, own_session
from weft.server.problems import MEDIA_TYPE, Forms, form_of, problem, status_of

_OPEN = ("/health/", "/.well-known/", "/hooks/", "/auth/login", "/auth/callback", "/auth/link")
"""Paths that answer without a credential."""
_LOOKING = frozenset({"GET", "HEAD", "OPTIONS"})
_DRAINED, _DRAIN_S = 65_536, 1.0
"""Of a request that is refused, so many bytes are taken in, for so many seconds."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Bounds:
    """Refuses what comes from a foreign page or under a foreign name, has no credential, is too much, or takes too long to arrive.

    A page of another origin can have a browser send requests to this machine, and a foreign name can be made to lead here: both
    are told by their headers, which a page cannot change.
    """

    def __init__(self, app: ASGIApp, *, settings: Server, doorkeeper: Doorkeeper, limits: Limits, forms: Forms) -> None:
        self._app = app
        self._limits = limits
        self._forms = forms
        self._settings = settings
        self._doorkeeper = doorkeeper
        self._hosts = _LOOPBACK | {settings.host.lower(), *(name.lower() for name in settings.allowed_hosts)}
        if settings.public_url is not None:
            self._hosts |= {(urlsplit(settings.public_url).hostname or "").lower()}
        self._open: Counter[str] = Counter()
        self._any_host = not doorkeeper.open and not settings.allowed_hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer it here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asking = Asking()
        ASKING.set(asking)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            if sum(name.lower() == b"host" for name, _ in scope["headers"]) > 1:
                raise InputError("the request has two names for the service", status=400)
            self._check(scope, headers)
            if not scope["path"].startswith(_OPEN):
                caller = await self._doorkeeper.welcome(headers)
                scope.setdefault("state", {})["caller"] = caller
                asking.key = caller.key
                self._limits.read(caller.tenant, caller.principal)
        except WeftError as error:
            if isinstance(error, PolicyError):
                self._doorkeeper.note_refusal(error)
            await _drain(headers, receive)
            await self._refuse(scope, _Answer(send, None, asking), error)
            return
        who = _who(scope)
        if self._open[who] >= self._settings.requests:
            fix = "wait for some of them to be answered, or raise the setting server.requests"
            many = f"{self._settings.requests} requests of this caller are being answered, and no more may be"
            await _drain(headers, receive)
            await self._refuse(scope, _Answer(send, None, asking), RateLimitError(many, fix=fix, retry_after_s=1))
            return
        self._open[who] += 1
        try:
            await self._answer(scope, receive, send, asking)
        finally:
            self._open[who] -= 1
            if not self._open[who]:
                del self._open[who]

    async def _answer(self, scope: Scope, receive: Receive, send: Send, asking: Asking) -> None:
        body = _Body(receive, self._settings)
        answer = _Answer(send, body, asking)
        with suppress(_Refused):
            await self._app(scope, body, answer)
        if body.refusal is not None and not answer.begun:
            await self._refuse(scope, send, body.refusal)

    def _check(self, scope: Scope, headers: dict[str, str]) -> None:
        host = _name(headers.get("host", ""))
        if not self._any_host and host not in self._hosts:
            raise PolicyError(
                f"the service does not answer under the name {host!r}",
                fix="call it by its own address, or name it in the setting server.allowed_hosts",
            )
        origin = headers.get("origin")
        if origin is not None and not self._is_own(origin, headers):
            raise PolicyError(
                f"pages of {origin} may not call the service",
                fix="name the origin in the setting server.allowed_origins",
            )
        elsewhere = headers.get("sec-fetch-site", "") not in {"same-origin", "none"}
        if origin is None and elsewhere and scope["method"] not in _LOOKING and own_session(headers):
            # A browser sends its cookies along with what other pages have it send, and says where a request comes from.
            raise PolicyError("a change in the name of a browser's session needs its Origin", fix="send it from a page")
        try:
            declared = int(headers.get("content-length", "0"))
        except ValueError:
            raise InputError("the length of the request is no number") from None
        if declared > self._settings.max_request_bytes:
            raise _too_large(self._settings)

    async def _refuse(self, scope: Scope, send: Send, error: WeftError) -> None:
        form = form_of(scope["path"], self._forms)
        if form is None:
            await _refuse(scope, send, error)
            return
        response = form(error)
        response.status_code = int(error.ids.get("status", 408 if error.code == "timeout" else response.status_code))
        response.headers["Connection"] = "close"
        await response(scope, _nothing, send)

    def _is_own(self, origin: str, headers: dict[str, str]) -> bool:
        if origin in self._settings.allowed_origins:
            return True
        parts = urlsplit(origin)
        return parts.scheme in {"http", "https"} and parts.netloc.lower() == headers.get("host", "").lower()


class _Refused(Exception):  # noqa: N818 -- a signal, not an error
    """The rest of a body is not taken."""


class _Body:
    """The body of a request as it comes in, up to its bounds."""

    def __init__(self, receive: Receive, settings: Server) -> None:
        self._receive = receive
        self._settings = settings
        self._left = settings.max_request_bytes
        self._whole = False
        self.refusal: WeftError | None = None
        """Why the rest of it was not taken: it goes over whatever the application makes of a body that breaks off."""
        self._until = asyncio.get_running_loop().time() + settings.request_s

    async def __call__(self) -> Message:
        if self._whole:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            raise self._refused(
                StepTimeoutError(f"the request did not arrive within {self._settings.request_s:g} seconds")
            ) from None
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                raise self._refused(_too_large(self._settings))
            self._whole = not message.get("more_body", False)
        return message

    def _refused(self, error: WeftError) -> _Refused:
        self.refusal = error
        return _Refused(error.message)


class _Answer:
    """Remembers whether an answer has begun. None begins once the body is refused. It says how the limits of the caller stand."""

    def __init__(self, send: Send, body: _Body | None, asking: Asking) -> None:
        self._send = send
        self._body = body
        self._asking = asking
        self.begun = False

    async def __call__(self, message: Message) -> None:
        if self._body is not None and self._body.refusal is not None and not self.begun:
            return
        if not self.begun and message["type"] == "http.response.start":
            _tell(self._asking, message)
        self.begun = True
        await self._send(message)


def _tell(asking: Asking, message: Message) -> None:
    """Add how the limits stand to the head of an answer, in every protocol alike."""
    found = asking.tightest
    if found is None:
        return
    told = {
        "ratelimit-limit": str(found.rate.count),
        "ratelimit-remaining": str(found.left),
        "ratelimit-reset": str(ceil(found.reset_s)),
    }
    if found.wait_s:
        told["retry-after"] = str(ceil(found.wait_s))
        if message["status"] >= 400:  # what a protocol makes of errors that it has no word for
            message["status"] = 429
    kept = [(name, value) for name, value in message.get("headers", ()) if name.decode("latin-1").lower() not in told]
    message["headers"] = [*kept, *((name.encode(), value.encode()) for name, value in told.items())]


def _who(scope: Scope) -> str:
    """Whose request it is: the caller's, or where none is asked for, that of the address that it comes from."""
    caller: Caller | None = scope.get("state", {}).get("caller")
    if caller is not None:
        return f"{caller.tenant}/{caller.principal}"
    return f"at {(scope.get('client') or ('',))[0]}"


def _name(host: str) -> str:
    """The name in a Host header, without its port."""
    host = host.lower()
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


def _too_large(settings: Server) -> InputError:
    return InputError(
        f"the request is larger than {settings.max_request_bytes} bytes",
        fix="send less, or raise the setting server.max_request_bytes",
        status=413,
    )


async def _drain(headers: dict[str, str], receive: Receive) -> None:
    """Take in what has come of a small body: a connection that is closed over it may lose the answer on its way."""
    declared = headers.get("content-length", "0")
    if not declared.isdecimal() or not 0 < int(declared[:12]) <= _DRAINED or "expect" in headers:
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_S):
            while (await receive()).get("more_body", False):
                continue


async def _nothing() -> Message:
    """There is no more of the request."""
    return {"type": "http.disconnect"}


async def _refuse(scope: Scope, send: Send, error: WeftError) -> None:
    status = int(error.ids.get("status", 408 if error.code == "timeout" else status_of(error)))
    body = problem(error, instance=scope["path"], status=status)
    headers: Iterable[tuple[bytes, bytes]] = [(b"content-type", MEDIA_TYPE.encode()), (b"connection", b"close")]
    if isinstance(error, AuthError):
        headers = [*headers, (b"www-authenticate", b'Bearer realm="weft"')]
    if after := error.ids.get("retry_after_s"):
        headers = [*headers, (b"retry-after", str(round(float(after))).encode())]
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})
