"""The bound on what a model's server may answer: without one, a broken or hostile server could fill the memory."""

from __future__ import annotations

from collections.abc import AsyncIterator

from httpx2 import AsyncByteStream, Response

from weft.core.errors import ProviderError

MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""The largest answer that is read, with everything that its protocol adds: many times what any model can say."""


async def bound_answer(response: Response) -> None:
    """Make the reading of `response` stop with a `ProviderError` where it becomes too large; a hook of the HTTP client."""
    assert isinstance(response.stream, AsyncByteStream)
    response.stream = _Bounded(response.stream, response.url.host)


class _Bounded(AsyncByteStream):
    def __init__(self, stream: AsyncByteStream, host: str) -> None:
        self._stream, self._host = stream, host

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = MAX_ANSWER_BYTES
        async for piece in self._stream:
            left -= len(piece)
            if left < 0:
                raise ProviderError(
                    f"the answer from {self._host} is larger than {MAX_ANSWER_BYTES // 1024**2} MiB",
                    fix="set max_tokens in the agent's inference settings, and check the base URL",
                )
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()
