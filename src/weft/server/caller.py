"""Who calls: each request has a principal, found in one place for every protocol."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie

from fastapi import Request

from weft.app.admission.cookies import SESSION
from weft.app.admission.keyset import UnknownKeyError
from weft.app.hosting import Host
from weft.app.identity import PREFIX, Known, covers
from weft.app.rights import EVERYTHING, ROLES
from weft.core.errors import AuthError, PolicyError, WeftError
from weft.core.owner import LOCAL, Owner

_SEEN, _SIGN_IN_S = 10_000, 3_600.0
_REFUSALS, _REFUSALS_S = 60, 60.0
"""So many refusals stand in the audit log, in so many seconds; an entry at their end says how many more there were."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, and what they may do: `rights` are such as ``gates:decide``, or ``*``. `key` tells one credential from another.

    `signin` is the session of a browser in whose name they call, if it is one.
    """

    owner: Owner = LOCAL
    rights: frozenset[str] = EVERYTHING
    key: str = ""
    signin: str = ""
    deny: Callable[[str, str, str, str], None] | None = field(default=None, compare=False, repr=False)
    """Told of what was denied: the tenant, who it was, the right, and where."""

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

    def demand(self, right: str, where: str = "") -> None:
        """Let through who has `right`; that somebody had it not is an entry of the audit log.

        Raises:
            PolicyError: the caller has it not.
        """
        if not self.may(right):
            if self.deny is not None:
                self.deny(self.tenant, self.principal, right, where)
            raise PolicyError(f"this needs the right {right!r}", fix="ask whoever runs the service for it")


class Doorkeeper:
    """Finds out who calls: by a key, a token of the issuer, the session of a browser, or the token of the settings.

    Where neither a token nor an issuer is set, whoever shows nothing is the local user.
    """

    def __init__(self, host: Host) -> None:
        token = host.settings.server.token
        self._token = token.get_secret_value() if token is not None else None
        self._host = host
        self.open = token is None and host.settings.identity.issuer is None
        """Whether identity is off: that is so on this machine's own addresses alone."""
        self._seen: OrderedDict[str, float] = OrderedDict()
        self._refused, self._since = 0, 0.0

    async def welcome(self, headers: Mapping[str, str]) -> Caller:
        """The caller, as `admit` finds them; the keys of the issuer are fetched when a token names one that is not known.

        Raises:
            AuthError: as for `admit`.
        """
        try:
            return self.admit(headers)
        except UnknownKeyError:
            return await self._admitted_anew(headers)

    async def _admitted_anew(self, headers: Mapping[str, str]) -> Caller:
        try:
            await self._host.tokens.keys.refresh()
        except WeftError as error:
            refusal = AuthError("the keys of the issuer cannot be fetched now", fix="try again in a moment")
            self.note_refusal(refusal)
            raise refusal from error
        try:
            return self.admit(headers)
        except UnknownKeyError as error:
            self.note_refusal(error)
            raise

    def admit(self, headers: Mapping[str, str]) -> Caller:
        """The caller whose request has these headers, their names in lower case.

        Raises:
            AuthError: a credential is needed and missing, or this is none.
        """
        try:
            return self._admitted(headers)
        except UnknownKeyError:
            raise
        except AuthError as error:
            self.note_refusal(error)
            raise

    def _admitted(self, headers: Mapping[str, str]) -> Caller:
        shown = _bearer(headers)
        if not shown:
            session = _cookie(headers.get("cookie", ""), SESSION)
            if session:
                return self._known(session, self._host.cookies.known(session), "session")
        if shown.startswith(PREFIX):
            return self._known(shown, self._host.identity.known(shown), "key")
        if self._host.settings.identity.issuer is not None and shown.count(".") == 2:
            return self._known(shown, self._host.tokens.known(shown), "token")
        if self.open or (self._token is not None and hmac.compare_digest(shown.encode(), self._token.encode())):
            return Caller(deny=self._host.denied)
        raise AuthError(
            "the token is wrong" if shown else "a token is needed",
            fix="send `Authorization: Bearer …` with a key, or the token of the service's settings (server.token)",
        )

    def still(self, caller: Caller, headers: Mapping[str, str]) -> bool:
        """Whether somebody who was admitted with these headers may do all that they could then.

        A key is looked up anew. For who has signed in, or shows a token of the issuer, their user stands, and the session that was
        not ended: that a token or a session runs out ends no answer that has begun.
        """
        shown = _bearer(headers)
        if shown.startswith(PREFIX):
            try:
                return covers(self._host.identity.known(shown).rights, caller.rights)
            except AuthError:
                return False
        session = not shown and _cookie(headers.get("cookie", ""), SESSION)
        if caller.signin and not self._host.cookies.stands(caller.tenant, caller.signin):
            return False
        token = self._host.settings.identity.issuer is not None and shown.count(".") == 2
        user = self._host.identity.user(caller.principal, tenant=caller.tenant) if session or token else None
        return user is None or (not user.disabled and covers(ROLES[user.role], caller.rights))

    def _known(self, shown: str, known: Known, how: str) -> Caller:
        key = hashlib.sha256(shown.encode()).hexdigest()[:16]
        now = self._host.clock.monotonic()
        last = self._seen.get(key)
        if last is None or now - last > _SIGN_IN_S:
            self._seen[key] = now
            self._seen.move_to_end(key)
            while len(self._seen) > _SEEN:
                self._seen.popitem(last=False)
            owner = known.owner
            self._host.signed_in(owner, how)
        return Caller(known.owner, known.rights, key if how == "key" else "", known.signin, self._host.denied)

    def note_refusal(self, error: WeftError) -> None:
        """Note that somebody was turned away, unless that was done very often a moment ago."""
        now = self._host.clock.monotonic()
        if now - self._since > _REFUSALS_S:
            self._tell_more()
            self._since = now
        self._refused += 1
        if self._refused <= _REFUSALS:
            self._host.refused(error.message)
        elif self._refused == _REFUSALS + 1:
            with suppress(RuntimeError):  # outside the event loop: the next refusal says it
                asyncio.get_running_loop().call_later(self._since + _REFUSALS_S - now, self._tell_more)

    def _tell_more(self) -> None:
        """Say how many were turned away of whom nobody has noted anything."""
        more, self._refused = self._refused - _REFUSALS, 0
        if more > 0:
            self._host.refused("more of the like", more=more)


def own_session(headers: Mapping[str, str]) -> bool:
    """Whether a request is made in the name of a browser's session alone."""
    return "authorization" not in headers and bool(_cookie(headers.get("cookie", ""), SESSION))


def _bearer(headers: Mapping[str, str]) -> str:
    scheme, _, shown = headers.get("authorization", "").partition(" ")
    return shown.strip() if scheme.lower() == "bearer" else ""


def _cookie(header: str, name: str) -> str:
    try:
        found = SimpleCookie(header[:8_192]).get(name)
    except CookieError:
        return ""
    return "" if found is None else found.value


def cookie_of(request: Request, name: str) -> str:
    """A cookie that came with a request; empty when there is none."""
    return _cookie(request.headers.get("cookie", ""), name)


def caller_of(request: Request) -> Caller:
    """The caller of a request."""
    caller: Caller = request.state.caller
    return caller


async def calling(request: Request) -> Caller:
    """`caller_of` as a FastAPI dependency: a coroutine, for anything else is sent to a thread and back."""
    return caller_of(request)
