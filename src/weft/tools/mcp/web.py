"""Servers that are reached over HTTP, under the same rules as every other request.

Each connection is made by `weft.net`'s transport, so policy, resolving and certificate checks are those of the HTTP client.
Redirects stay on the server's own origin, and its credentials go nowhere else.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx2
from mcp.client._transport import TransportStreams
from mcp.client.streamable_http import streamable_http_client

from weft.core.errors import PolicyError, WeftError
from weft.net.egress import EgressPolicy, check_url
from weft.net.transport import EgressTransport
from weft.tools.mcp.server import Server

_MAX_EVENT = 16 * 1024 * 1024


class Web:
    """The streams of one session with a server at an address."""

    def __init__(
        self, server: Server, *, headers: Mapping[str, str], policy: EgressPolicy, auth: httpx2.Auth | None
    ) -> None:
        self._server = server
        self._headers = dict(headers)
        self._policy = policy
        self._auth = auth
        self._transport: _Bounded | None = None
        self.trouble = ""

    @property
    def refusal(self) -> WeftError | None:
        """Why a request was not made, when a rule of ours was the reason."""
        return self._transport.refusal if self._transport else None

    def said(self) -> str:
        """Nothing: a service has no standard error."""
        return ""

    def kill(self) -> None:
        """Nothing: a service is not ours to end."""

    @asynccontextmanager
    async def streams(self) -> AsyncGenerator[TransportStreams, None]:
        """Open the session.

        Raises:
            PolicyError: the address is denied.
            InputError: it is not one.
        """
        target = check_url(self._server.url, self._policy)
        self._transport = _Bounded(self._policy)
        limit = self._server.timeout_s
        client = httpx2.AsyncClient(
            transport=self._transport,
            headers={"user-agent": "weft", **self._headers},
            auth=self._auth,
            timeout=httpx2.Timeout(limit, connect=self._policy.connect_timeout_s),
            trust_env=False,
            follow_redirects=False,
        )
        async with (
            client,
            streamable_http_client(target.url, http_client=client, max_sse_event_size=_MAX_EVENT) as streams,
        ):
            yield streams


class _Bounded(httpx2.AsyncBaseTransport):
    """Requests under a policy, and answers of a bounded size; a stream of events has its own bound on each event."""

    def __init__(self, policy: EgressPolicy) -> None:
        self._inner = EgressTransport(policy)
        self._most = policy.max_response_bytes
        self.refusal: WeftError | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        try:
            answer = await self._inner.handle_async_request(request)
        except WeftError as error:
            self.refusal = error
            raise httpx2.ConnectError(error.message, request=request) from error
        if answer.headers.get("content-type", "").startswith("text/event-stream"):
            return answer
        assert isinstance(answer.stream, httpx2.AsyncByteStream)
        return httpx2.Response(
            status_code=answer.status_code,
            headers=answer.headers,
            stream=_Counted(answer.stream, self),
            extensions=answer.extensions,
        )

    def count(self, size: int) -> None:
        """Refuse an answer that has become larger than it may be."""
        if size > self._most:
            self.refusal = PolicyError(
                f"an answer of the server is larger than {self._most} bytes", fix="raise `net.max_response_bytes`"
            )
            raise httpx2.ReadError(self.refusal.message)

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Counted(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, owner: _Bounded) -> None:
        self._stream = stream
        self._owner = owner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for part in self._stream:
            size += len(part)
            self._owner.count(size)
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()
