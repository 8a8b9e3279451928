"""The protocol's own client over our connections: httpx on one side, what goes only where the egress policy allows on the other.

A name is resolved once for a connection and the connection is made to an address that was checked, so that no second look-up can
lead elsewhere. Secret headers go to the origin that the workflow names and to no other, whatever a card says.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import httpx2

from weft.core.errors import PolicyError, WeftError
from weft.net.egress import EgressPolicy, check_url
from weft.net.transport import EgressTransport


class Denied(httpx.RequestError):
    """Carries our refusal through a client that only lets errors of its own pass."""

    def __init__(self, error: WeftError) -> None:
        super().__init__(error.message)
        self.error = error


class Bridge(httpx.AsyncBaseTransport):
    """A transport for httpx that sends through ours. `headers` go along to `origin` alone."""

    def __init__(
        self,
        policy: EgressPolicy,
        transport: EgressTransport,
        origin: tuple[str, str, int],
        headers: Mapping[str, str],
    ) -> None:
        self._policy = policy
        self._transport = transport
        self._origin = origin
        self._headers = dict(headers)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request`; the body of the answer is still to be read."""
        try:
            target = check_url(str(request.url), self._policy)
            fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
            if target.origin == self._origin:
                fields += list(self._headers.items())
            sent = httpx2.Request(
                request.method,
                target.url,
                headers=[(name, value) for name, value in fields if name.lower() not in {"host", "content-length"}],
                content=await request.aread(),
                extensions={"timeout": dict(request.extensions.get("timeout") or {})},
            )
            answer = await self._transport.handle_async_request(sent)
        except WeftError as error:
            raise Denied(error) from error
        except httpx2.HTTPError as error:
            raise _same(error) from error
        fields_back = [(name, value) for name, value in answer.headers.raw]
        return httpx.Response(
            answer.status_code, headers=fields_back, stream=_Body(answer, self._policy.max_response_bytes)
        )

    async def aclose(self) -> None:
        """Nothing: the connections are shared."""


class _Body(httpx.AsyncByteStream):
    """The body of an answer, up to its bound; a stream of events is bounded event by event."""

    def __init__(self, answer: httpx2.Response, limit: int) -> None:
        self._answer = answer
        self._limit = limit
        self._streams = answer.headers.get("content-type", "").startswith("text/event-stream")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        stream: Any = self._answer.stream
        try:
            async for part in stream:
                size = len(part) - part.rfind(b"\n") if self._streams and b"\n" in part else size + len(part)
                if size > self._limit:
                    raise Denied(
                        PolicyError(
                            f"the answer is larger than {self._limit} bytes", fix="raise `net.max_response_bytes`"
                        )
                    )
                yield part
        except httpx2.HTTPError as error:
            raise _same(error) from error

    async def aclose(self) -> None:
        await self._answer.aclose()


def _same(error: httpx2.HTTPError) -> httpx.RequestError:
    """The same error of the other library."""
    kind = getattr(httpx, type(error).__name__, httpx.NetworkError)
    return kind(str(error)) if issubclass(kind, httpx.RequestError) else httpx.NetworkError(str(error))
