"""Clients that attend a run: when the last of them goes away, a run that is done for them alone is cancelled."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self, TypeVar

from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from weft.app.hosting import Host
from weft.app.serving.turns import Turn
from weft.server import sse
from weft.server.openai.turning import Begun

T = TypeVar("T")
B = TypeVar("B", bound=Begun)


class ClientGone(Exception):  # noqa: N818 -- a signal, not an error
    """The client has gone away: there is nobody to answer."""


class Attendance:
    """Counts the clients of each run."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._present: Counter[str] = Counter()
        self._leaving: set[asyncio.Task[None]] = set()

    def attend(self, run_id: str, turn: Turn | None, *, stays: bool) -> Attending:
        """One client's presence; with `stays`, the run goes on without it."""
        return Attending(self, run_id, turn, stays=stays)

    def come(self, run_id: str) -> None:
        """One more attends."""
        self._present[run_id] += 1

    def leave(self, attending: Attending) -> None:
        """One fewer does."""
        run_id = attending.run_id
        self._present[run_id] -= 1
        last = self._present[run_id] <= 0
        if last:
            del self._present[run_id]
        if last and not (attending.answered or attending.stays or self.host.draining):
            task = asyncio.ensure_future(self._cancel(attending))
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    async def begun(self, request: Request, beginning: Awaitable[B], *, stays: bool) -> B:
        """The run that `beginning` begins, as long as the client waits for it. What has begun is not left half done.

        Raises:
            ClientGone: it does not wait any more; the run is cancelled as soon as it is there.
        """
        task = asyncio.ensure_future(beginning)
        try:
            return await while_there(request, asyncio.shield(task))
        except ClientGone:
            task.add_done_callback(lambda done: self._let_be(done, stays=stays))
            raise

    def _let_be(self, done: asyncio.Future[B], *, stays: bool) -> None:
        if not done.cancelled() and done.exception() is None:
            with self.attend(done.result().run_id, done.result().turn, stays=stays):
                pass  # it came and went

    async def _cancel(self, attending: Attending) -> None:
        """Nobody is told of this run any more: stop it, and let the same be asked anew."""
        if attending.turn is not None:
            await self.host.forget(attending.turn, attending.run_id)
        principal = self.host.journal.runs.get(attending.run_id).principal
        await self.host.cancel(attending.run_id, reason="the client went away", principal=principal)


class Attending(AbstractContextManager["Attending"]):
    """A client that waits for a run; set `answered` once it has its answer."""

    def __init__(self, attendance: Attendance, run_id: str, turn: Turn | None, *, stays: bool) -> None:
        self._attendance = attendance
        self.run_id = run_id
        self.turn = turn
        self.stays = stays
        self.answered = False

    def __enter__(self) -> Self:
        self._attendance.come(self.run_id)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._attendance.leave(self)


class Stream(StreamingResponse):
    """Server-Sent Events for a client that attends a run."""

    def __init__(self, events: AsyncGenerator[bytes], attending: Attending, headers: dict[str, str]) -> None:
        super().__init__(sse.kept_alive(events), media_type="text/event-stream", headers={**sse.HEADERS, **headers})
        self._attending = attending

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send them until they end or the client goes away."""
        with self._attending:
            await super().__call__(scope, receive, send)


async def while_there(request: Request, work: Awaitable[T]) -> T:
    """What comes of `work`, as long as the client waits for it.

    Raises:
        ClientGone: it does not any more.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise ClientGone
    finally:
        for one in (task, gone):
            one.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _gone(request: Request) -> None:
    message: Any = {}
    while message.get("type") != "http.disconnect":
        message = await request.receive()
