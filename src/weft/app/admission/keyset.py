"""The public keys of an issuer (JWKS), fetched through `weft.net`, kept for a while, and fetched anew when a token names another one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import jwt

from weft.core.clock import Clock
from weft.core.errors import AuthError, ProviderError, WeftError
from weft.net.port import Http

_KEEP_S = 3_600.0
_AGAIN_S = 5.0
"""A token that names an unknown key makes us look for it, but not more often than this: anybody can send such tokens."""
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
    """Keys by their ids. `url` is where they are, or None: then the issuer's own description of itself says so."""

    def __init__(self, http: Http, clock: Clock, *, issuer: str, url: str | None) -> None:
        self._http = http
        self._clock = clock
        self._issuer = issuer
        self._url = url
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched = self._tried = float("-inf")
        self._lock = asyncio.Lock()

    def get(self, key_id: str) -> jwt.PyJWK:
        """The key of this id.

        Raises:
            UnknownKeyError: it is not there, or what is there is old.
        """
        found = self._keys.get(key_id)
        if found is None or self._clock.monotonic() - self._fetched > _KEEP_S:
            raise UnknownKeyError("the token is signed with a key that its issuer does not show", fix="sign in again")
        return found

    async def refresh(self) -> None:
        """Fetch the keys, unless that was done a moment ago. When it cannot be done, those that are known stay."""
        async with self._lock:
            now = self._clock.monotonic()
            if now - self._tried < _AGAIN_S:
                return
            self._tried = now
            shown = await fetch(self._http, self._url or (await self.description())["jwks_uri"])
            keys = shown.get("keys")
            if not isinstance(keys, list):
                raise ProviderError(f"the keys of {self._issuer} cannot be read", fix="check identity.jwks_url")
            self._keys = dict(filter(None, map(_usable, keys[:_MOST])))
            self._fetched = now

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
    except (jwt.PyJWTError, WeftError, KeyError, ValueError):
        return None
