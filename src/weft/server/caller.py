"""Who calls: each request has a principal, found in one place for every protocol."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import Request

from weft.app.identity import PREFIX, Identity
from weft.core.errors import AuthError
from weft.core.owner import LOCAL, Owner
from weft.core.settings_model import Server

EVERYTHING = frozenset({"*"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, and what they may do: `rights` are such as ``gates:decide``, or ``*``."""

    owner: Owner = LOCAL
    rights: frozenset[str] = EVERYTHING

    @property
    def tenant(self) -> str:
        """The tenant on whose things the caller acts."""
        return self.owner.tenant

    @property
    def principal(self) -> str:
        """Who it is."""
        return self.owner.principal

    def may(self, right: str) -> bool:
        """Whether the caller has `right`."""
        return "*" in self.rights or right in self.rights


class Doorkeeper:
    """Finds out who calls: whoever shows a key, whoever shows the token of the settings, and else, where none is set, the local user."""

    def __init__(self, settings: Server, identity: Identity) -> None:
        self._token = settings.token.get_secret_value() if settings.token is not None else None
        self._identity = identity

    def admit(self, headers: Mapping[str, str]) -> Caller:
        """The caller whose request has these headers, their names in lower case.

        Raises:
            AuthError: a credential is needed and missing, or this is none.
        """
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        shown = shown.strip() if scheme.lower() == "bearer" else ""
        if shown.startswith(PREFIX):
            known = self._identity.known(shown)
            return Caller(known.owner, known.rights)
        if self._token is None or hmac.compare_digest(shown.encode(), self._token.encode()):
            return Caller()
        raise AuthError(
            "the token is wrong" if shown else "a token is needed",
            fix="send `Authorization: Bearer …` with a key, or the token of the service's settings (server.token)",
        )


def caller_of(request: Request) -> Caller:
    """The caller of a request."""
    caller: Caller = request.state.caller
    return caller


async def calling(request: Request) -> Caller:
    """`caller_of` as a FastAPI dependency: a coroutine, for anything else is sent to a thread and back."""
    return caller_of(request)
