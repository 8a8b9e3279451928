"""Connections that go only where the policy allows.

A name is resolved once for a connection, every address that it has must pass, and the connection is made to an address that was
checked: there is no second look-up that could answer otherwise. Host header, TLS server name and certificate check
keep the name. Proxies from the environment are not used, for they would resolve names by themselves.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any

import httpcore2
import httpx2

from weft.core.errors import PolicyError
from weft.net.authorities import authorities
from weft.net.egress import EgressPolicy, check_address, check_url, literal_address

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Gives the addresses of a name, best first."""

_DIALLED = 4
_CONNECTIONS = 100
_IDLE = 20
_IDLE_S = 30.0


async def system_resolver(host: str, port: int) -> Sequence[str]:
    """The addresses that the system gives for `host`.

    Raises:
        OSError: it has none.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]).partition("%")[0] for entry in found]


class EgressBackend(httpcore2.AsyncNetworkBackend):
    """Resolves, checks and dials. `dialer` makes the connection to an address that passed."""

    def __init__(
        self,
        policy: EgressPolicy,
        *,
        resolver: Resolver = system_resolver,
        dialer: httpcore2.AsyncNetworkBackend | None = None,
    ) -> None:
        self._policy = policy
        self._resolver = resolver
        self._dialer = dialer or httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 -- the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """A connection to a checked address of `host`, tried in order.

        Raises:
            PolicyError: an address of `host` is denied.
            ConnectError: it has no address, or none answers.
            ConnectTimeout: that took longer than `timeout` seconds.
        """
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._addresses(host, port)
                for last, address in enumerate(addresses, start=1):
                    try:
                        return await self._dialer.connect_tcp(
                            address, port, local_address=local_address, socket_options=socket_options
                        )
                    except httpcore2.ConnectError:
                        if last == len(addresses):
                            raise
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout(f"no connection to {host} in {timeout:g} s") from error
        raise httpcore2.ConnectError(f"the name {host} has no address")

    async def _addresses(self, host: str, port: int) -> list[str]:
        if literal_address(host) is not None:
            found: Sequence[str] = [host]
        else:
            try:
                found = await self._resolver(host, port)
            except (OSError, UnicodeError) as error:
                raise httpcore2.ConnectError(f"the name {host} cannot be resolved: {error}") from error
        addresses = [ip_address(text) for text in dict.fromkeys(found)]
        for address in addresses:
            check_address(address, host, self._policy)
        return [str(address) for address in addresses[:_DIALLED]]

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 -- the signature is httpcore's
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002 -- same
    ) -> httpcore2.AsyncNetworkStream:
        """Never."""
        raise PolicyError(f"requests to the socket {path} are denied", fix="use an http or https address")

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        await asyncio.sleep(seconds)


class EgressTransport(httpx2.AsyncBaseTransport):
    """A transport for any `httpx2.AsyncClient` that goes only where `policy` allows; for one event loop.

    Raises:
        InputError: the certificate authorities that the environment names cannot be read.
    """

    def __init__(
        self,
        policy: EgressPolicy,
        *,
        resolver: Resolver = system_resolver,
        dialer: httpcore2.AsyncNetworkBackend | None = None,
        ssl_context: ssl.SSLContext | None = None,
        connections: int = _CONNECTIONS,
    ) -> None:
        self._policy = policy
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=ssl_context or authorities(),
            network_backend=EgressBackend(policy, resolver=resolver, dialer=dialer),
            max_connections=connections,
            max_keepalive_connections=_IDLE,
            keepalive_expiry=_IDLE_S,
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send `request`; the body of the answer is still to be read.

        Raises:
            PolicyError: its address is denied.
            httpx2.TransportError: it could not be sent or answered.
        """
        check_url(str(request.url), self._policy)
        with _httpx_errors():
            answer = await self._pool.handle_async_request(
                httpcore2.Request(
                    method=request.method,
                    url=httpcore2.URL(
                        scheme=request.url.raw_scheme,
                        host=request.url.raw_host,
                        port=request.url.port,
                        target=request.url.raw_path,
                    ),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        return httpx2.Response(
            status_code=answer.status,
            headers=answer.headers,
            stream=_Body(answer.stream),
            extensions=answer.extensions,
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await self._pool.aclose()


class _Body(httpx2.AsyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _httpx_errors():
            async for part in self._stream:
                yield part

    async def aclose(self) -> None:
        await self._stream.aclose()


_RAISED = (
    httpcore2.TimeoutException,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.UnsupportedProtocol,
)


@contextmanager
def _httpx_errors() -> Iterator[None]:
    """Both libraries name these errors alike; callers of a transport expect the outer one's."""
    try:
        yield
    except _RAISED as error:
        raise getattr(httpx2, type(error).__name__)(str(error)) from error
