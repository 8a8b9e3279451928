"""Places that are asked over HTTP: the address that the settings name, and no other."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from weft.core.errors import AuthError, ProviderError
from weft.net.client import HttpClient
from weft.net.egress import EgressPolicy


def ask(
    method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None, missing: str
) -> Mapping[str, Any]:
    """The JSON object that an address answers with. `missing` says what is not there, should it be so.

    Raises:
        AuthError: there is none, or it may not be read.
        WeftError: the address cannot be reached.
    """
    return asyncio.run(_ask(method, url, headers, body, missing))


async def _ask(
    method: str, url: str, headers: Mapping[str, str], body: bytes | None, missing: str
) -> Mapping[str, Any]:
    # A store of secrets is often in the machine's own network. Its address is the settings' word, so that is allowed here.
    policy = EgressPolicy(
        allow_loopback=True,
        allow_private=True,
        allowed_domains=(urlsplit(url).hostname or "",),
        timeout_s=15,
        connect_timeout_s=5,
        max_redirects=0,
        max_response_bytes=1_048_576,
    )
    async with HttpClient(policy) as http:
        answer = await http.request(method, url, headers=headers, body=body)
    if answer.status in {400, 401, 403, 404}:
        raise AuthError(f"{missing} (status {answer.status})", fix="check its name, the credential and its rights")
    value = answer.raise_for_status().json()
    if not isinstance(value, dict):
        raise ProviderError("the store of secrets answers with no object", fix="check its address")
    return value
