"""The public keys of an issuer (JWKS), fetched through `weft.net`, kept for a while, and fetched anew when a token names another one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import jwt

from weft.core.clock import Clock
from weft.core.errors import AuthError, ProviderError, TransientError, WeftError
from weft.core.settings_model import IdentitySettings
from weft.net.port import Http

_LOG = logging.getLogger("weft.host")
_FRESH_S = 3_600.0
_AGAIN_S, _SELDOM_S = 5.0, 60.0
"""A token that names an unknown key makes us look for it, but not more often than this: anybody can send such tokens."""
_WAIT_S = 5.0
"""So long a request waits for keys that are being fetched."""
_MOST = 100
ALGORITHMS: Mapping[str, tuple[str, ...]] = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "EC": ("ES256", "ES384", "ES512"),
    "OKP": ("EdDSA",),
}
"""What a key of each type may sign with. A secret that both sides know (`oct`) never comes from an address."""


class UnknownKeyError(AuthError):
    """A token names a key that is not known yet."""


class KeySet:
    """Keys by their ids. Where the settings do not say where they are, the issuer's own description of itself does.

    Keys that are an hour old are fetched anew behind the requests that use them. As long as that cannot be done, those that are
    known count on for `identity.keys_hours` after they were fetched last.
    """

    def __init__(self, http: Http, clock: Clock, settings: IdentitySettings) -> None:
        self._http = http
        self._clock = clock
        self._issuer = settings.issuer or ""
        self._url = settings.jwks_url
        self._keep_s = settings.keys_hours * 3_600
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched = self._not_before = float("-inf")
        self._failures = 0
        self._wrong = ""
        """Why it could not be done the last time."""
        self._fetching: asyncio.Task[None] | None = None

    def get(self, key_id: str) -> jwt.PyJWK:
        """The key of this id.

        Raises:
            UnknownKeyError: it is not there, or what is there is too old.
        """
        found, age = self._keys.get(key_id), self._clock.monotonic() - self._fetched
        if found is None or age > self._keep_s:
            raise UnknownKeyError("the token is signed with a key that its issuer does not show", fix="sign in again")
        if age > _FRESH_S:
            with suppress(RuntimeError):  # outside the event loop: the next one who asks in it has them fetched
                asyncio.get_running_loop()
                self._begin()
        return found

    async def refresh(self) -> None:
        """Fetch the keys, unless that was tried a moment ago. Whoever asks meanwhile waits for the same answer, and not for long.

        Raises:
            WeftError: it cannot be done, or could not a moment ago; the keys that are known stay.
        """
        fetching = self._begin()
        if fetching is not None:
            done, _ = await asyncio.wait([fetching], timeout=_WAIT_S)
            if not done:
                raise TransientError(f"{self._issuer} takes long to show its keys", fix="try again in a moment")
        if self._wrong:
            raise TransientError(self._wrong, fix="try again in a moment")

    async def close(self) -> None:
        """Stop fetching."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    def _begin(self) -> asyncio.Task[None] | None:
        """The one fetch that is under way, begun now if there may be one; None when it is too early for that."""
        if self._fetching is None and self._clock.monotonic() >= self._not_before:
            self._fetching = asyncio.ensure_future(self._fetch())
        return self._fetching

    async def _fetch(self) -> None:
        try:
            shown = await fetch(self._http, self._url or str((await self.description()).get("jwks_uri", "")))
            keys = shown.get("keys")
            if not isinstance(keys, list):
                raise ProviderError(f"the keys of {self._issuer} cannot be read", fix="check identity.jwks_url")
            self._keys = dict(filter(None, map(_usable, keys[:_MOST])))
            self._fetched = self._clock.monotonic()
            self._failures, self._wrong = 0, ""
        except WeftError as error:
            self._failures, self._wrong = self._failures + 1, error.message
            if self._failures in {1, 10} or not self._failures % 100:
                _LOG.warning("the keys of %s cannot be fetched: %s", self._issuer, error.message)
        finally:
            # Who is asked in vain is asked less and less often.
            self._not_before = self._clock.monotonic() + min(_AGAIN_S * 2 ** min(self._failures, 10), _SELDOM_S)
            self._fetching = None

    async def description(self) -> dict[str, Any]:
        """What the issuer says of itself (OpenID Connect Discovery).

        Raises:
            WeftError: it cannot be fetched, or is another issuer's.
        """
        said = await fetch(self._http, self._issuer.rstrip("/") + "/.well-known/openid-configuration")
        if said.get("issuer") != self._issuer:
            raise ProviderError(f"{self._issuer} describes another issuer", fix="check identity.issuer")
        return said


async def fetch(http: Http, url: str) -> dict[str, Any]:
    """A JSON object from an address."""
    found = (await http.request("GET", url, headers={"accept": "application/json"}, timeout_s=10)).raise_for_status()
    value = found.json()
    if not isinstance(value, dict):
        raise ProviderError(f"{url} answers with no object", fix="check the settings under identity")
    return value


def _usable(shown: Any) -> tuple[str, jwt.PyJWK] | None:
    """A key by its id, if it is one to check signatures with."""
    if not isinstance(shown, dict) or shown.get("kty") not in ALGORITHMS or shown.get("use", "sig") != "sig":
        return None
    try:
        return str(shown["kid"]), jwt.PyJWK(shown)
    except (jwt.PyJWTError, WeftError, KeyError, ValueError, TypeError, AttributeError):
        return None
