"""The live stream: news of all runs and what happens in single ones, as one stream of envelopes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Header, Query
from starlette.responses import StreamingResponse

from weft.app.hosting import Host
from weft.app.serving.frames import Frame
from weft.app.telling.news import TOPICS, Item
from weft.core.errors import InputError
from weft.server import sse
from weft.server.caller import Caller, calling
from weft.server.control.routes import errors
from weft.server.control.runs import EVENTS, encoded
from weft.server.rooms import Rooms

MAX_RUNS = 20
"""Single runs that one stream may follow."""
_QUEUE = 8
"""Few, for each may be large; what is not read stays where it is, and is still there when there is room again."""
_RUN = "run/"
Put = Callable[[bytes | None], Awaitable[None]]


def install(app: FastAPI, rooms: Rooms) -> None:
    """Put the live stream into `app`."""
    host = rooms.host
    router = APIRouter(prefix="/api/v1", tags=["live"])

    @router.get(
        "/stream",
        operation_id="live_stream",
        response_class=StreamingResponse,
        responses={
            200: EVENTS,
            **errors(401, 403, 404, 422),
        },
    )
    async def stream(
        by: Annotated[Caller, Depends(calling)],
        topics: Annotated[
            str, Query(max_length=4_000, description="With commas between: `runs`, `gates`, `budgets`, `run/<id>`.")
        ] = "runs,gates",
        last: Annotated[str | None, Header(alias="Last-Event-ID", max_length=100)] = None,
    ) -> StreamingResponse:
        """What happens from now on, as Server-Sent Events. After a gap, which `lagged` tells, look at everything anew."""
        by.demand("runs:read", "/api/v1/stream")
        wanted = sorted({topic.strip() for topic in topics.split(",") if topic.strip()})
        runs = _runs(host, by, wanted)
        news = frozenset(topic for topic in wanted if topic in TOPICS)
        return sse.response(_merged(host, by.tenant, news, runs, _place(host, last)))

    app.include_router(router)


def _runs(host: Host, by: Caller, wanted: Sequence[str]) -> list[str]:
    """The single runs among the topics.

    Raises:
        InputError: a topic is none, or there are too many.
        NotFoundError: a run is not the caller's tenant's.
    """
    runs = [topic.removeprefix(_RUN) for topic in wanted if topic.startswith(_RUN)]
    unknown = [topic for topic in wanted if topic not in TOPICS and not topic.startswith(_RUN)]
    if unknown or not wanted:
        raise InputError(
            f"there is no topic {unknown[0][:60]!r}" if unknown else "there is no topic in the request",
            fix=f"topics are {', '.join(TOPICS)} and run/<id>",
        )
    if len(runs) > MAX_RUNS:
        raise InputError(f"one stream follows {MAX_RUNS} runs at most", fix="open another stream for the others")
    for run_id in runs:
        host.journal.runs.get(run_id, tenant=by.tenant)
    return runs


def _place(host: Host, last: str | None) -> int | None:
    """The place in the news that an id means: of another process's life, one that is surely forgotten."""
    if last is None:
        return None
    mark, _, place = last.rpartition("-")
    return int(place) if mark == host.news.mark and place.isascii() and place.isdigit() and len(place) < 19 else 2**62


async def _merged(
    host: Host, tenant: str, news: frozenset[str], runs: Sequence[str], after: int | None
) -> AsyncGenerator[bytes]:
    """The chunks of all sources, as they come; what is read slowly fills no more than one queue."""
    queue: asyncio.Queue[bytes | None] = asyncio.Queue(_QUEUE)
    sources = [_tell_run(host, run_id, queue.put) for run_id in runs]
    if news:
        sources.append(_tell_news(host, news, tenant, after, queue.put))
    tasks = [asyncio.ensure_future(source) for source in sources]
    left = len(tasks)
    try:
        yield b": weft\n\n"
        while left:
            chunk = await queue.get()
            if chunk is None:
                left -= 1
            else:
                yield chunk
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _tell_news(host: Host, topics: frozenset[str], tenant: str, after: int | None, put: Put) -> None:
    async with aclosing(host.news.follow(topics, tenant=tenant, after=after)) as items:
        async for item in items:
            await put(_news(host.news.mark, item))
    await put(None)


async def _tell_run(host: Host, run_id: str, put: Put) -> None:
    run = host.journal.runs.get(run_id)
    async with aclosing(host.tails.follow(run_id, after=run.head_seq)) as frames:
        async for frame in frames:
            # Without an id: the place of the stream is that of the news; a single run is looked at anew by its own events.
            await put(_told(run_id, frame))
    await put(None)


def _news(mark: str, item: Item) -> bytes:
    if item.form is None:
        body = json.dumps(item.body, ensure_ascii=False, separators=(",", ":")).encode()
        item.form = sse.encode(body, event=str(item.body["type"]), id_=f"{mark}-{item.place}")
    return item.form


def _told(run_id: str, frame: Frame) -> bytes:
    told = encoded(f"{_RUN}{run_id}", frame)
    return told if frame.delta else told.partition(b"\n")[2]
