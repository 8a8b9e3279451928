"""Secrets of Azure Key Vault, for an application that signs in with its own secret."""

from __future__ import annotations

import time
from collections.abc import Mapping
from urllib.parse import quote, urlencode

from weft.core.errors import AuthError
from weft.secrets.sources.web import ask

_VERSION = "7.4"
_SCOPE = "https://vault.azure.net/.default"
_SPARE_S = 60.0
NEEDED = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")
"""The variables that hold who we are there: the same that Azure's own libraries read."""


class KeyVault:
    """A vault at `url`; a key is the name of a secret."""

    def __init__(self, url: str, authority: str, environ: Mapping[str, str]) -> None:
        missing = [name for name in NEEDED if not environ.get(name)]
        if missing:
            raise AuthError(f"{missing[0]} is not set; Azure Key Vault needs it", fix=f"export {missing[0]}=…")
        self._url = url.rstrip("/")
        self._authority = authority.rstrip("/")
        self._tenant, self._client, self._secret = (environ[name] for name in NEEDED)
        self._token, self._until = "", 0.0

    def read(self, key: str) -> str:
        """The current version of a secret.

        Raises:
            WeftError: there is none, it may not be read, or Azure cannot be reached.
        """
        url = f"{self._url}/secrets/{quote(key, safe='')}?api-version={_VERSION}"
        headers = {"authorization": f"Bearer {self._signed_in()}"}
        value = ask("GET", url, headers=headers, missing=f"Azure Key Vault has no secret {key!r} for us").get("value")
        if not isinstance(value, str):
            raise AuthError(f"the secret {key!r} is no text", fix="keep it as a text in the vault")
        return value

    def _signed_in(self) -> str:
        if time.monotonic() < self._until:
            return self._token
        form = {
            "grant_type": "client_credentials",
            "client_id": self._client,
            "client_secret": self._secret,
            "scope": _SCOPE,
        }
        said = ask(
            "POST",
            f"{self._authority}/{quote(self._tenant, safe='')}/oauth2/v2.0/token",
            headers={"content-type": "application/x-www-form-urlencoded"},
            body=urlencode(form).encode(),
            missing="Azure does not let us sign in",
        )
        self._token = str(said.get("access_token", ""))
        self._until = time.monotonic() + float(said.get("expires_in", 0)) - _SPARE_S
        return self._token
