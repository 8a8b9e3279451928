"""The two clients: where the service is, who calls, and how long anybody waits."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx2

import weft
from weft.client.awaiting.groups import AsyncGroups
from weft.client.blocking.groups import Groups
from weft.client.line import AsyncLine, Line
from weft.client.trust import Tls
from weft.core.errors import InputError

URL = "http://127.0.0.1:8480"
TIMEOUT_S, RETRIES = 60.0, 4
_URL_VARIABLE, _TOKEN_VARIABLE = "WEFT_SERVER_URL", "WEFT_TOKEN"


class Client(Groups):
    """A client of a running service (`weft up`).

    `url` is that of ``WEFT_SERVER_URL`` by default, else this machine's; `token` that of ``WEFT_TOKEN``. An answer takes
    `timeout` seconds at most; what can be sent again without harm is, `retries` times. `tls` says whom the client trusts and what it
    shows; by default what ``WEFT_TLS_CA``, ``WEFT_TLS_CERT`` and ``WEFT_TLS_KEY`` name. Close it, or use it in a ``with``.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        token: str | None = None,
        timeout: float = TIMEOUT_S,
        retries: int = RETRIES,
        tls: Tls | None = None,
    ) -> None:
        self._http = httpx2.Client(**_options(url, token, timeout, tls))
        super().__init__(Line(self._http, retries=retries))

    @property
    def url(self) -> str:
        """Where the service is."""
        return str(self._http.base_url).rstrip("/")

    def close(self) -> None:
        """Let go of every connection."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncClient(AsyncGroups):
    """The same as `Client`, for programs with an event loop."""

    def __init__(
        self,
        url: str | None = None,
        *,
        token: str | None = None,
        timeout: float = TIMEOUT_S,
        retries: int = RETRIES,
        tls: Tls | None = None,
    ) -> None:
        self._http = httpx2.AsyncClient(**_options(url, token, timeout, tls))
        super().__init__(AsyncLine(self._http, retries=retries))

    @property
    def url(self) -> str:
        """Where the service is."""
        return str(self._http.base_url).rstrip("/")

    async def close(self) -> None:
        """Let go of every connection."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _options(url: str | None, token: str | None, timeout: float, tls: Tls | None) -> dict[str, Any]:
    base = address(url or os.environ.get(_URL_VARIABLE) or URL)
    token = token if token is not None else os.environ.get(_TOKEN_VARIABLE)
    headers = {"User-Agent": f"weft/{weft.__version__}"}
    if token:
        if not (token.isascii() and token.isprintable()):
            raise InputError("the token has characters that no token has", fix="check WEFT_TOKEN")
        headers["Authorization"] = f"Bearer {token}"
    verify = (tls or Tls.from_environment()).context()
    return {
        **({} if verify is None else {"verify": verify}),
        "base_url": base,
        "headers": headers,
        "timeout": httpx2.Timeout(timeout, connect=min(timeout, 10.0)),
        "follow_redirects": False,
    }


def address(text: str) -> str:
    """`text` as the address of a service.

    Raises:
        InputError: it is none.
    """
    try:
        parts = urlsplit(text)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    else:
        good = good and not (parts.username or parts.password or parts.query or parts.fragment)
    if not good:
        raise InputError("that is no address of a service", fix="write it as http://127.0.0.1:8480")
    return text.rstrip("/")
