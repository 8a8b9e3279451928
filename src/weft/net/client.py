"""The one HTTP client of tools and of the checks on providers."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import urljoin

import httpcore2
import httpx2

from weft.core import canonical
from weft.core.errors import InputError, PolicyError, ProviderError, StepTimeoutError, TransientError, WeftError
from weft.net.egress import EgressPolicy, Target, check_url
from weft.net.port import Response
from weft.net.transport import EgressTransport, Resolver, system_resolver

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}")
_METHOD = re.compile(r"[A-Z]{1,20}")
_MAX_VALUE = 16_384
_FRAMING = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade", "expect"}
)
_ANYWHERE = frozenset({"accept", "accept-encoding", "accept-language", "user-agent"})
"""Headers that go along to another origin; any other may hold a secret, whatever its name."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_DEFAULTS = {"accept": "*/*", "accept-encoding": "gzip, deflate", "user-agent": "weft"}


class HttpClient:
    """Makes requests under one `EgressPolicy`, and keeps connections for the next ones. For one event loop.

    No cookies are kept, and neither proxies nor credentials are read from the environment.
    """

    def __init__(
        self,
        policy: EgressPolicy | None = None,
        *,
        resolver: Resolver = system_resolver,
        dialer: httpcore2.AsyncNetworkBackend | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self.policy = policy or EgressPolicy()
        self._transport = EgressTransport(self.policy, resolver=resolver, dialer=dialer, ssl_context=ssl_context)

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
        """The answer to one request, whatever its status, redirects followed.

        A redirect to another origin loses every header that could hold a secret, and is refused when the body would have
        to go along. `json` is sent as canonical JSON; `timeout_s` replaces the policy's time for the whole request.

        Raises:
            InputError: the address, the method or a header cannot be sent.
            PolicyError: the address or one that it redirects to is denied, or the answer is larger than it may be.
            StepTimeoutError: it took too long.
            TransientError: the connection could not be made or broke.
            ProviderError: the answer cannot be read: encoding, certificate, endless redirects.
        """
        limit = self.policy.timeout_s if timeout_s is None else timeout_s
        fields = _fields(headers or {})
        if json is not None:
            body = _json_body(json)
            fields.setdefault("content-type", "application/json")
        if not _METHOD.fullmatch(method):
            raise InputError(
                f"{method!r} is not an HTTP method", fix="use GET, POST, PUT, DELETE, PATCH, HEAD, OPTIONS"
            )
        target = check_url(url, self.policy)
        timeouts = httpx2.Timeout(
            connect=self.policy.connect_timeout_s,
            read=limit if timeout_s is not None else self.policy.read_timeout_s,
            write=limit,
            pool=limit,
        )
        try:
            async with asyncio.timeout(limit):
                return await self._follow(method, target, fields, body, timeouts)
        except TimeoutError as error:
            raise _too_slow(target, f"{limit:g} s") from error

    async def _follow(
        self, method: str, target: Target, fields: dict[str, str], body: bytes | None, timeouts: httpx2.Timeout
    ) -> Response:
        for _ in range(self.policy.max_redirects + 1):
            response = await self._send(method, target, fields, body, timeouts)
            location = response.headers.get("location")
            if response.status not in _REDIRECTS or location is None:
                return response
            following = check_url(urljoin(target.url, location), self.policy)
            if response.status in {301, 302, 303} and method not in {"GET", "HEAD"}:
                method, body = "GET", None
                fields = {name: value for name, value in fields.items() if name != "content-type"}
            if following.origin != target.origin:
                if body is not None:
                    raise PolicyError(
                        f"{target.shown} redirects a request with a body to another origin, {following.shown}",
                        fix="use the final address",
                    )
                fields = {name: value for name, value in fields.items() if name in _ANYWHERE}
            target = following
        raise ProviderError(
            f"more than {self.policy.max_redirects} redirects, the last to {target.shown}",
            fix="use the final address",
        )

    async def _send(
        self, method: str, target: Target, fields: Mapping[str, str], body: bytes | None, timeouts: httpx2.Timeout
    ) -> Response:
        try:
            request = httpx2.Request(
                method,
                target.url,
                headers=_DEFAULTS | dict(fields),
                content=body,
                extensions={"timeout": timeouts.as_dict()},
            )
            answer = await self._transport.handle_async_request(request)
            try:
                return await self._read(method, target, answer)
            finally:
                await answer.aclose()
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
            raise _translated(error, target) from error

    async def _read(self, method: str, target: Target, answer: httpx2.Response) -> Response:
        headers = {name.lower(): value for name, value in answer.headers.items()}
        redirect = answer.status_code in _REDIRECTS and "location" in headers
        parts: list[bytes] = []
        if method != "HEAD" and not redirect:
            limit = self.policy.max_response_bytes
            length = headers.get("content-length", "")
            size = int(length) if length.isascii() and length.isdecimal() and len(length) < 20 else 0
            if size > limit:
                raise _too_large(target, limit)
            size = 0
            async for part in answer.aiter_bytes():
                size += len(part)
                if size > limit:
                    raise _too_large(target, limit)
                parts.append(part)
        return Response(status=answer.status_code, headers=headers, body=b"".join(parts), url=target.url)

    async def aclose(self) -> None:
        """Close every connection; the client cannot be used afterwards."""
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def _fields(headers: Mapping[str, str]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name):
            raise InputError(f"{name[:100]!r} is not a header name", fix="use letters, digits and hyphens")
        lower = name.lower()
        if lower in _FRAMING:
            raise InputError(f"the header {name!r} cannot be set", fix="leave it out: the client sets it")
        # The value may be a secret, so it is never shown.
        if len(value) > _MAX_VALUE or not value.isascii() or not value.replace("\t", " ").isprintable():
            raise InputError(
                f"the value of the header {name!r} is too long or holds line breaks or other characters that cannot be sent",
                fix="use one line of ASCII",
            )
        fields[lower] = value.strip()
    return fields


def _json_body(value: Any) -> bytes:
    try:
        return canonical.dumps(value)
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError(f"the body cannot be sent as JSON: {error}", fix="send plain JSON values") from error


def _too_large(target: Target, limit: int) -> PolicyError:
    return PolicyError(
        f"the answer of {target.shown} is larger than {limit} bytes",
        fix="ask for less, or raise `net.max_response_bytes`",
    )


def _too_slow(target: Target, how: str) -> StepTimeoutError:
    return StepTimeoutError(f"the request to {target.shown} took longer than it may: {how}", fix="allow more time")


def _translated(error: Exception, target: Target) -> WeftError:
    if isinstance(error, httpx2.TimeoutException):
        return _too_slow(target, type(error).__name__)
    if _certificate_failed(error):
        return ProviderError(
            f"the certificate of {target.host} is not accepted: {error}",
            fix="use the name that the certificate is for, or add its authority with SSL_CERT_FILE",
        )
    if isinstance(error, httpx2.LocalProtocolError | httpx2.InvalidURL):
        return InputError(f"the request to {target.shown} cannot be sent", fix="check the address and the headers")
    if isinstance(error, httpx2.NetworkError | httpx2.RemoteProtocolError):
        reason = str(error) or type(error).__name__
        return TransientError(f"the connection to {target.shown} failed: {reason}", fix="try again later")
    return ProviderError(f"the answer of {target.shown} cannot be read: {error}", fix="check what the address serves")


def _certificate_failed(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
