"""Server-Sent Events: frames on the wire, keep-alives between them, and an end that is clean when the service stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from starlette.responses import StreamingResponse

KEEP_ALIVE_S = 15.0
_PING = b": ping\n\n"
_PIECE = 65_536
"""Whoever does not read has no more than that waiting for it: a larger event goes piece by piece."""
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def encode(data: bytes, *, event: str = "", id_: str = "") -> bytes:
    """One event; `data` has no line breaks, as canonical JSON has none."""
    head = (f"id: {id_}\n" if id_ else "") + (f"event: {event}\n" if event else "")
    return head.encode() + b"data: " + data + b"\n\n"


async def kept_alive(events: AsyncGenerator[bytes], *, every_s: float = KEEP_ALIVE_S) -> AsyncIterator[bytes]:
    """`events`, and a comment whenever nothing has come for `every_s` seconds: proxies and clients see that the line lives."""
    async with aclosing(events):
        upcoming: asyncio.Task[bytes] | None = None
        try:
            while True:
                upcoming = upcoming or asyncio.ensure_future(anext(events))
                done, _ = await asyncio.wait([upcoming], timeout=every_s)
                if not done:
                    yield _PING
                    continue
                try:
                    chunk = upcoming.result()
                except StopAsyncIteration:
                    return
                upcoming = None
                for start in range(0, len(chunk), _PIECE):
                    yield chunk[start : start + _PIECE]
        finally:
            if upcoming is not None:
                upcoming.cancel()
                await asyncio.gather(upcoming, return_exceptions=True)


def response(events: AsyncGenerator[bytes], *, headers: dict[str, str] | None = None) -> StreamingResponse:
    """`events` as a streaming response."""
    return StreamingResponse(kept_alive(events), media_type="text/event-stream", headers={**HEADERS, **(headers or {})})
