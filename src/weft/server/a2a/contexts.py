"""Who calls, which version they speak, and which extensions they name: the same on every transport."""

from __future__ import annotations

from collections.abc import Sequence

import grpc
from a2a.auth.user import User
from a2a.extensions.common import HTTP_EXTENSION_HEADER, get_requested_extensions
from a2a.server.context import ServerCallContext
from a2a.server.request_handlers.grpc_handler import GrpcServerCallContextBuilder
from a2a.server.routes.common import ServerCallContextBuilder
from a2a.utils.constants import VERSION_HEADER
from a2a.utils.errors import VersionNotSupportedError
from fastapi import Request

from weft.app.limits import ASKING, Asking, Limits
from weft.server.a2a.errors import in_words_of_a2a
from weft.server.caller import Caller, Doorkeeper, caller_of

VERSION = "1.0"
READ, START, WRITE = "runs:read", "runs:start", "runs:write"
_UNSAID = "0.3"
"""What a client speaks that does not say it."""


class _Named(User):
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    @property
    def is_authenticated(self) -> bool:
        return True

    @property
    def user_name(self) -> str:
        return f"{self._caller.tenant}/{self._caller.principal}"


class HttpContexts(ServerCallContextBuilder):
    """Contexts of requests that came through the outer wall."""

    def build(self, request: Request) -> ServerCallContext:
        """The context of one request.

        Raises:
            VersionNotSupportedError: it speaks another version.
        """
        said = request.headers.get(VERSION_HEADER) or request.query_params.get(VERSION_HEADER, "")
        return _context(caller_of(request), said, request.headers.getlist(HTTP_EXTENSION_HEADER))


class GrpcContexts(GrpcServerCallContextBuilder):
    """Contexts of calls that came over gRPC, past the outer wall: the doorkeeper is asked here, and the limits are held."""

    def __init__(self, doorkeeper: Doorkeeper, limits: Limits) -> None:
        self._doorkeeper = doorkeeper
        self._limits = limits

    def build(self, context: grpc.aio.ServicerContext) -> ServerCallContext:
        """The context of one call.

        Raises:
            A2AError: it speaks another version, or the caller asks too often.
        """
        metadata = [(str(name).lower(), _text(value)) for name, value in context.invocation_metadata() or ()]
        fields = dict(metadata)
        extensions = [value for name, value in metadata if name == HTTP_EXTENSION_HEADER.lower()]
        who = self._doorkeeper.admit(fields)
        ASKING.set(Asking(key=who.key))
        with in_words_of_a2a():
            self._limits.read(who.tenant, who.principal)
        return _context(who, fields.get(VERSION_HEADER.lower(), ""), extensions)


def caller(context: ServerCallContext) -> Caller:
    """Who makes this call."""
    found = context.state["caller"]
    assert isinstance(found, Caller)
    return found


def demand(who: Caller, *rights: str) -> None:
    """Let through who has one of these rights.

    Raises:
        PolicyError: they have none.
    """
    if not any(who.may(right) for right in rights):
        who.demand(rights[0], "a2a")


def _context(who: Caller, version: str, extensions: Sequence[str]) -> ServerCallContext:
    said = version.strip() or _UNSAID
    if said.split(".")[:2] != VERSION.split("."):
        raise VersionNotSupportedError(
            message=f"version {said[:20]!r} of A2A is not supported; this service speaks {VERSION}",
            data={"supported": VERSION},
        )
    return ServerCallContext(
        user=_Named(who),
        state={"caller": who, "headers": {VERSION_HEADER: VERSION}},
        requested_extensions=get_requested_extensions(list(extensions)),
    )


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "replace")
