"""Who calls: each request has a principal, found in one place for every protocol."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import Request

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
    """Finds out who calls. With no token in the settings, everybody who reaches the service is its one local user."""

    def __init__(self, settings: Server) -> None:
        self._token = settings.token.get_secret_value() if settings.token is not None else None

    def admit(self, headers: Mapping[str, str]) -> Caller:
        """The caller whose request has these headers, their names in lower case.

        Raises:
            AuthError: a credential is needed, and this is none.
        """
        if self._token is None:
            return Caller()
        given = headers.get("authorization", "")
        scheme, _, token = given.partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(token.strip().encode(), self._token.encode()):
            raise AuthError(
                "the token is missing or wrong" if given else "a token is needed",
                fix="send `Authorization: Bearer …` with the token of the service's settings (server.token)",
            )
        return Caller()


def caller_of(request: Request) -> Caller:
    """The caller of a request: a FastAPI dependency."""
    caller: Caller = request.state.caller
    return caller
