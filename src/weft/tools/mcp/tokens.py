"""What authorization servers handed out, kept in a file that only its owner can read."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mcp.client.auth.oauth2 import OAuthContext
from mcp.shared.auth import OAuthClientInformationFull, OAuthMetadata, OAuthToken, ProtectedResourceMetadata

from weft.core.canonical import dumps
from weft.core.errors import StorageError
from weft.tools.mcp.server import Grant


class TokenFile:
    """The tokens for one address and one way to get them, with what is needed to refresh them in another process.

    `on_secret` hears of each token, so that it is masked wherever it turns up.
    """

    def __init__(self, folder: Path, url: str, grant: Grant, *, on_secret: Callable[[str], object]) -> None:
        key = dumps([url, grant.kind, grant.client_id, grant.issuer, grant.scope])
        self.path = folder / f"{hashlib.sha256(key).hexdigest()[:32]}.json"
        self._fixed = _client(grant)
        self._on_secret = on_secret
        self._data = self._load()
        self.context: OAuthContext | None = None

    @property
    def present(self) -> bool:
        """Whether there is a token, valid or not."""
        return "tokens" in self._data

    async def get_tokens(self) -> OAuthToken | None:
        """The tokens; see `mcp.client.auth.TokenStorage`."""
        self._data = self._load()
        found = self._data.get("tokens")
        return None if found is None else self._told(OAuthToken.model_validate(found))

    async def set_tokens(self, tokens: OAuthToken) -> None:
        """Keep the tokens, and when they end."""
        self._told(tokens)
        self._data["tokens"] = tokens.model_dump(mode="json", exclude_none=True)
        self._data["expires_at"] = None if tokens.expires_in is None else time.time() + tokens.expires_in
        context = self.context
        if context is not None:
            for name, held in (("server", context.oauth_metadata), ("resource", context.protected_resource_metadata)):
                self._data[name] = None if held is None else held.model_dump(mode="json", exclude_none=True)
        self._save()

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        """The client that the file names, or the one that was registered."""
        found = self._data.get("client")
        if self._fixed is not None or found is None:
            return self._fixed
        return OAuthClientInformationFull.model_validate(found)

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """Keep the client that was registered."""
        if client_info.client_secret:
            self._on_secret(client_info.client_secret)
        self._data["client"] = client_info.model_dump(mode="json", exclude_none=True)
        self._save()

    def restore(self, context: OAuthContext) -> None:
        """Give a flow back what it has found out in another process: where to refresh, and when."""
        context.token_expiry_time = self._data.get("expires_at")
        if server := self._data.get("server"):
            context.oauth_metadata = OAuthMetadata.model_validate(server)
        if resource := self._data.get("resource"):
            context.protected_resource_metadata = ProtectedResourceMetadata.model_validate(resource)

    def forget(self) -> None:
        """Remove everything."""
        self._data = {}
        self.path.unlink(missing_ok=True)

    def _told(self, tokens: OAuthToken) -> OAuthToken:
        for value in (tokens.access_token, tokens.refresh_token):
            if value:
                self._on_secret(value)
        return tokens

    def _load(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self.path.read_bytes())
            return found
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise StorageError(f"{self.path} cannot be read: {error}", fix="remove it and log in again") from error

    def _save(self) -> None:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            new = self.path.with_suffix(f".{os.getpid()}")
            handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(self._data, file)
            new.replace(self.path)
        except OSError as error:
            raise StorageError(f"{self.path} cannot be written: {error}", fix="check WEFT_HOME") from error


def _client(grant: Grant) -> OAuthClientInformationFull | None:
    if not grant.client_id:
        return None
    return OAuthClientInformationFull(
        redirect_uris=None,
        client_id=grant.client_id,
        client_secret=grant.client_secret or None,
        token_endpoint_auth_method="client_secret_basic" if grant.client_secret else "none",
        issuer=grant.issuer or None,
    )
