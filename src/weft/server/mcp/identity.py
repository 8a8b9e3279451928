"""Who calls over MCP: the service's own doorkeeper, as the protocol's library wants to be told of it."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.request_state import RequestStateSecurity
from mcp.server.transport_security import TransportSecuritySettings
from pydantic import SkipValidation

from weft.core.errors import AuthError
from weft.core.settings_model import Server
from weft.server.caller import Caller, Doorkeeper

STATE_S = 86_400.0
"""How long a question that a client was sent away with may be answered by calling again."""
_KEY_BYTES = 32


class Admitted(AccessToken):
    """A token that was accepted, and whose it is."""

    caller: SkipValidation[Caller]


class Verifier:
    """Asks the doorkeeper. What the library knows of a principal it binds sessions and the state of requests to."""

    def __init__(self, doorkeeper: Doorkeeper) -> None:
        self._doorkeeper = doorkeeper

    async def verify_token(self, token: str) -> AccessToken | None:
        """The principal whose token this is; None when it is nobody's."""
        try:
            caller = self._doorkeeper.admit({"authorization": f"Bearer {token}"})
        except AuthError:
            return None
        return Admitted(
            token="",
            client_id=caller.tenant,
            subject=caller.principal,
            scopes=sorted(caller.rights),
            caller=caller,
        )


def caller_now() -> Caller:
    """The caller of the request that is being answered; the one local user where no token is asked for."""
    token = get_access_token()
    return token.caller if isinstance(token, Admitted) else Caller()


def auth_settings(url: str) -> AuthSettings:
    """No login is offered here, for the service gives out no tokens of its own: callers bring theirs."""
    settings: Any = {"issuer_url": url, "resource_server_url": None, "validate_token_resource": False}
    return AuthSettings.model_validate(settings)


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
