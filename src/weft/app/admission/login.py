"""Signing in at an OpenID Connect provider: the authorization code flow with PKCE."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from weft.app.admission.cookies import LOGIN, Sealed
from weft.app.admission.keyset import UnknownKeyError
from weft.app.admission.tokens import Tokens
from weft.app.identity import Known
from weft.core.errors import AuthError, InputError, ProviderError
from weft.core.settings_model import IdentitySettings
from weft.net.port import Http

_LOGIN_S = 600


@dataclass(frozen=True, slots=True)
class Away:
    """Where a browser is sent, and what it carries until it comes back."""

    url: str
    cookie: str


class Login:
    """Sends browsers to the provider and takes them in when they come back."""

    def __init__(self, settings: IdentitySettings, http: Http, tokens: Tokens, sealed: Sealed, *, url: str) -> None:
        self._settings = settings
        self._http = http
        self._tokens = tokens
        self._sealed = sealed
        self._back = f"{url}/auth/callback"

    async def begin(self, to: str) -> Away:
        """Begin to sign in; `to` is the path where the browser ends up.

        Raises:
            WeftError: no provider is set, or it does not answer.
        """
        if not self._settings.client_id:
            raise InputError("no provider is set for signing in", fix="set identity.issuer and identity.client_id")
        provider = await self._tokens.keys.description()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": self._back,
            "scope": self._settings.scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        kept = {"state": state, "nonce": nonce, "verifier": verifier, "to": to if _is_ours(to) else "/"}
        target = _text(provider, "authorization_endpoint")
        url = f"{target}{'&' if '?' in target else '?'}{urlencode(query)}"
        return Away(url, self._sealed.seal(LOGIN, kept, for_s=_LOGIN_S))

    async def finish(self, cookie: str, state: str, code: str) -> tuple[Known, str]:
        """Who has signed in, and where they wanted to go.

        Raises:
            AuthError: this is not the end of what was begun in this browser, or the provider's word is not good.
            WeftError: the provider does not answer.
        """
        begun = self._sealed.open(LOGIN, cookie)
        if not hmac.compare_digest(begun["state"].encode(), state.encode()):
            raise AuthError("signing in was begun elsewhere", fix="begin again at /auth/login")
        provider = await self._tokens.keys.description()
        said = await self._exchange(_text(provider, "token_endpoint"), code, begun["verifier"])
        token = said.get("id_token")
        if not isinstance(token, str):
            raise ProviderError("the provider sent no id token", fix="allow the scope `openid` for this client")
        claims = await self._claims(token)
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), begun["nonce"].encode()):
            raise AuthError("the provider's word is for another sign-in", fix="begin again at /auth/login")
        return self._tokens.person(claims), begun["to"]

    async def _claims(self, token: str) -> dict[str, Any]:
        try:
            return self._tokens.claims(token, audience=self._settings.client_id)
        except UnknownKeyError:
            await self._tokens.keys.refresh()
            return self._tokens.claims(token, audience=self._settings.client_id)

    async def _exchange(self, url: str, code: str, verifier: str) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._back,
            "client_id": self._settings.client_id,
            "code_verifier": verifier,
        }
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        if self._settings.client_secret is not None:
            pair = f"{quote(self._settings.client_id or '')}:{quote(self._settings.client_secret.get_secret_value())}"
            headers["authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        answer = await self._http.request("POST", url, headers=headers, body=urlencode(form).encode(), timeout_s=15)
        if answer.status in {400, 401, 403}:
            raise AuthError("the provider does not accept the code", fix="begin again at /auth/login")
        said = answer.raise_for_status().json()
        if not isinstance(said, dict):
            raise ProviderError("the provider's answer cannot be read", fix="check identity.issuer")
        return said


def _is_ours(path: str) -> bool:
    """Whether a path leads nowhere but here."""
    return path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and len(path) <= 500


def _text(provider: dict[str, Any], name: str) -> str:
    value = provider.get(name)
    if not isinstance(value, str):
        raise ProviderError(f"the provider does not say its {name}", fix="check identity.issuer")
    return value
