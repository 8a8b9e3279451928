"""What a browser carries after signing in, and the links that sign in once: short texts that this home has signed."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import jwt

from weft.app.identity import Identity, Known
from weft.app.kept_keys import kept
from weft.core.clock import Clock
from weft.core.errors import AuthError
from weft.core.ids import uuid7
from weft.core.owner import LOCAL, Owner
from weft.store.journal import Journal
from weft.store.requests import Request, hold
from weft.store.signins import SignIn, add_signin

SESSION, LOGIN = "weft_session", "weft_login"
"""The names of the cookies: of somebody who has signed in, and of somebody who is about to."""
LINK_S = 600
_AGENT = 200
_ISSUER = "weft"


class Sealed:
    """Makes and reads texts that are signed with a key of this home. Each is for one purpose alone."""

    def __init__(self, home: Path, clock: Clock) -> None:
        self._file = home / "secrets" / "sessions.key"
        self._clock = clock

    def seal(self, purpose: str, data: Mapping[str, Any], *, for_s: float) -> str:
        """A text that holds `data`, good for so many seconds."""
        now = self._clock.micros() // 1_000_000
        whole = {
            **data,
            "iss": _ISSUER,
            "aud": purpose,
            "iat": now,
            "exp": now + int(for_s),
            "jti": secrets.token_hex(16),
        }
        return jwt.encode(whole, self._key, algorithm="HS256")

    def open(self, purpose: str, text: str) -> dict[str, Any]:
        """What a text holds.

        Raises:
            AuthError: it is none of ours, is over, or is for something else.
        """
        try:
            found: dict[str, Any] = jwt.decode(
                text,
                self._key,
                algorithms=["HS256"],
                audience=purpose,
                issuer=_ISSUER,
                options={"require": ["exp", "jti"]},
            )
        except jwt.PyJWTError as error:
            raise AuthError("you are not signed in any more", fix="sign in again") from error
        return found

    @cached_property
    def _key(self) -> bytes:
        return kept(self._file, lambda: os.urandom(32))


class Cookies:
    """Sessions of browsers. Each counts until it is over, its user is disabled, or it is ended by itself."""

    def __init__(self, sealed: Sealed, identity: Identity, journal: Journal, clock: Clock, *, hours: float) -> None:
        self._sealed = sealed
        self._identity = identity
        self._journal = journal
        self._clock = clock
        self.for_s = hours * 3_600

    async def enter(self, known: Known, how: str, agent: str) -> str:
        """The session of somebody who has just signed in, `how`, with a browser that calls itself `agent`."""
        now = self._clock.micros()
        own = SignIn(
            tenant=known.owner.tenant,
            id=uuid7(),
            principal=known.owner.principal,
            how=how,
            agent="".join(filter(str.isprintable, agent))[:_AGENT],
            created_at=now,
            expires_at=now + int(self.for_s * 1_000_000),
        )
        await self._journal.writer.submit(add_signin(own))
        data = {"sub": own.principal, "tenant": own.tenant, "role": known.role, "sid": own.id}
        return self._sealed.seal(SESSION, data, for_s=self.for_s)

    def known(self, text: str) -> Known:
        """Whose session this is. What they may do is looked up now.

        Raises:
            AuthError: it is none, is over or was ended, or its user is disabled.
        """
        found = self._sealed.open(SESSION, text)
        owner = Owner(str(found["tenant"]), str(found["sub"]))
        signin = str(found.get("sid", ""))
        if not self.stands(owner.tenant, signin):
            raise AuthError("you are not signed in any more", fix="sign in again")
        return replace(self._identity.person(owner, str(found["role"])), signin=signin)

    def stands(self, tenant: str, signin_id: str) -> bool:
        """Whether nobody has ended a session; when it runs out is its cookie's own business."""
        return self._journal.signins.stands(tenant, signin_id)


def new_link(sealed: Sealed) -> str:
    """What signs the user of this machine in, once."""
    return sealed.seal("link", {}, for_s=LINK_S)


async def use_link(sealed: Sealed, journal: Journal, identity: Identity, clock: Clock, text: str) -> Known:
    """Sign in with a link.

    Raises:
        AuthError: it is none, is over, or was used before, in this process or another.
    """
    found = sealed.open("link", text)
    now = clock.micros()
    request = Request(
        principal=LOCAL.principal,
        scope="auth/link",
        key=str(found["jti"]),
        body="",
        run_id="",
        at=now,
        until=now + LINK_S * 1_000_000,
    )
    if not (await journal.writer.submit(hold(request))).first:
        raise AuthError("the link was used before", fix="make a new one with `weft link`")
    return identity.person(LOCAL, "admin")
