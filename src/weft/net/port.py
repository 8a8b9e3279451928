"""What a caller sees of HTTP: a response, and the port that `weft.net.client.HttpClient` fills."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

from weft.core.canonical import strict_loads
from weft.core.errors import AuthError, ProviderError, RateLimitError, TransientError


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer, read to its end. Header names are lower-case; `url` is the address that gave it, after redirects."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str

    @property
    def media_type(self) -> str:
        """The type of the body, such as ``application/json``; empty when the server does not say."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def text(self) -> str:
        """The body in the charset that the server names, UTF-8 by default; what cannot be decoded becomes U+FFFD."""
        header = Message()
        header["content-type"] = self.headers.get("content-type", "")
        charset = header.get_content_charset("utf-8")
        try:
            return self.body.decode(charset, errors="replace")
        except (LookupError, ValueError):
            return self.body.decode(errors="replace")

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            ProviderError: it is not JSON.
        """
        try:
            return strict_loads(self.body)
        except (ValueError, RecursionError) as error:
            raise ProviderError(
                f"the answer of {self._shown} is not JSON", fix="check the address and what it serves"
            ) from error

    def raise_for_status(self) -> Response:
        """The response itself when its status is below 400.

        Raises:
            RateLimitError: 429; with `retry_after` when the server says.
            TransientError: 5xx, 408, 425; same.
            AuthError: 401, 403.
            ProviderError: any other status from 400 on.
        """
        if self.status < 400:
            return self
        message = f"{self._shown} answered with status {self.status}"
        if self.status == 429:
            raise RateLimitError(message, retry_after=self.retry_after, fix="slow down, or raise the limit there")
        if self.status >= 500 or self.status in {408, 425}:
            raise TransientError(message, retry_after=self.retry_after, fix="try again later")
        if self.status in {401, 403}:
            raise AuthError(message, fix="check the credential that the request sends")
        raise ProviderError(message, fix="check the request")

    @property
    def retry_after(self) -> float | None:
        """Seconds that the server asks to wait; a date is measured from the server's own clock."""
        value = self.headers.get("retry-after", "").strip()
        if value.isascii() and value.isdecimal() and len(value) <= 9:
            return float(value)
        try:
            until, now = parsedate_to_datetime(value), parsedate_to_datetime(self.headers.get("date", ""))
            return max(0.0, (until - now).total_seconds())
        except (ValueError, TypeError):
            return None

    @property
    def _shown(self) -> str:
        return self.url.partition("?")[0]


class Http(Protocol):
    """Makes requests."""

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        body: bytes | None = None,
        timeout_s: float | None = None,
    ) -> Response:
        """The answer to one request, redirects followed, whatever its status; see `HttpClient.request`."""
        ...
