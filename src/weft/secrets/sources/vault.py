"""Secrets of HashiCorp Vault and of OpenBao: the key-value store, version 2."""

from __future__ import annotations

import json
from urllib.parse import quote

from weft.core.errors import AuthError
from weft.secrets.sources.web import ask


class Vault:
    """A key is ``mount/path/of/secret``. The value is the secret's data as JSON."""

    def __init__(self, url: str, token: str, *, namespace: str = "") -> None:
        self._url = url.rstrip("/")
        self._headers = {"x-vault-token": token, "x-vault-request": "true"}
        if namespace:
            self._headers["x-vault-namespace"] = namespace

    def read(self, key: str) -> str:
        """The latest version of a secret.

        Raises:
            WeftError: there is none, or Vault cannot be reached.
        """
        mount, _, path = key.strip("/").partition("/")
        url = f"{self._url}/v1/{quote(mount, safe='')}/data/{quote(path)}"
        said = ask("GET", url, headers=self._headers, missing=f"Vault has no secret {key!r} for us")
        outer = said.get("data")
        data = outer.get("data") if isinstance(outer, dict) else None
        if not isinstance(data, dict) or not data:
            raise AuthError(f"the secret {key!r} is empty or was deleted", fix="write it anew in Vault")
        return json.dumps(data)
