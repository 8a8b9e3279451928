"""Who calls over MCP: the service's own doorkeeper, as the protocol's library wants to be told of it."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from urllib.parse import urlsplit

from mcp.server.auth.middleware.auth_context import AuthContextMiddleware, get_access_token
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.request_state import RequestStateSecurity
from mcp.server.transport_security import TransportSecuritySettings
from pydantic import SkipValidation
from starlette.types import ASGIApp, Receive, Scope, Send

from weft.core.settings_model import Server
from weft.server.caller import Caller

STATE_S = 86_400.0
"""How long a question that a client was sent away with may be answered by calling again."""
_KEY_BYTES = 32


class Admitted(AccessToken):
    """What the library knows of a caller: a token of nothing but the caller."""

    caller: SkipValidation[Caller]


class Principals:
    """Tells the library who calls, in the place of its own check of tokens: the outer wall has admitted the caller already.

    To this principal the library binds sessions and the state that clients carry from call to call.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = AuthContextMiddleware(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        caller: Caller = scope["state"]["caller"]
        token = Admitted(
            token="",
            client_id=caller.tenant,
            subject=caller.principal,
            scopes=sorted(caller.rights),
            caller=caller,
        )
        await self._app({**scope, "user": AuthenticatedUser(token)}, receive, send)


def caller_now() -> Caller:
    """The caller of the request that is being answered; over a pipe, the user of this machine."""
    token = get_access_token()
    return token.caller if isinstance(token, Admitted) else Caller()


def state_security(home: Path) -> RequestStateSecurity:
    """How the state is sealed that clients carry between two calls: under a key in `home`, so that it survives a restart."""
    return RequestStateSecurity(keys=[_key(home / "mcp-state.key")], ttl=STATE_S)


def transport_security(settings: Server) -> TransportSecuritySettings:
    """The library's own check of names and origins, as the outer wall does it."""
    if settings.token is not None and not settings.allowed_hosts:
        return TransportSecuritySettings(enable_dns_rebinding_protection=False)
    names = ["localhost", "127.0.0.1", "[::1]", _bracketed(settings.host), *settings.allowed_hosts]
    if settings.public_url is not None:
        names.append(urlsplit(settings.public_url).hostname or "localhost")
    hosts = [host for name in dict.fromkeys(names) for host in (name, f"{name}:*")]
    own = [f"{scheme}://{host}" for host in hosts for scheme in ("http", "https")]
    return TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=[*own, *settings.allowed_origins])


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _key(path: Path) -> bytes:
    """The key in `path`, made when it is not there; of several processes that make it, one wins."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, secrets.token_bytes(_KEY_BYTES))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        try:
            path.hardlink_to(part)
        except FileExistsError:
            pass
        finally:
            part.unlink()
    return path.read_bytes()
