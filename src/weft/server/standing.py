"""Rights that change while somebody reads: a stream ends, with its protocol's own error, when its reader may not read on.

One look serves all streams of the process: when the bell has rung since the last one, and now and then. Whoever changes a user
or takes a key back rings it, in whatever process that is.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from weft.app.hosting import Host
from weft.app.lasting import lasting
from weft.core.errors import AuthError, WeftError
from weft.server import sse
from weft.server.caller import Caller, Doorkeeper
from weft.server.problems import problem

LOOK_S = 0.5
_AT_LEAST_S = 10.0
"""Keys run out without anybody ringing."""
_AT_ONCE = 20
"""After so many, others have their turn on the loop."""
_SAY_S = 1.0
Ending = Callable[[WeftError], bytes]
"""The last event of a stream that ends with an error, as its protocol has it."""


def no_longer() -> AuthError:
    """What a reader is told whose rights have changed."""
    return AuthError("what you may do here has changed", fix="sign in again, or ask for a new key; then ask again")


@dataclass(eq=False, slots=True)
class _Reader:
    caller: Caller
    headers: Mapping[str, str]
    limit: asyncio.Timeout
    looked: bool = False

    @property
    def shown(self) -> tuple[str, str]:
        return self.headers.get("authorization", ""), self.headers.get("cookie", "")


class Standing:
    """Whether those who read streams may still do so."""

    def __init__(self, host: Host, doorkeeper: Doorkeeper) -> None:
        self._host = host
        self._doorkeeper = doorkeeper
        self._readers: set[_Reader] = set()
        self._watch: asyncio.Task[None] | None = None

    @contextmanager
    def watching(self, caller: Caller, headers: Mapping[str, str], limit: asyncio.Timeout) -> Iterator[None]:
        """Meanwhile, let `limit` run out as soon as the caller, who showed `headers`, may do less than at the beginning."""
        reader = _Reader(caller, headers, limit)
        self._readers.add(reader)
        if self._watch is None or self._watch.done():
            work = lasting("the watch over open streams", self._look_after, pause_s=LOOK_S)
            self._watch = asyncio.ensure_future(work)
        try:
            yield
        finally:
            self._readers.discard(reader)

    async def _look_after(self) -> None:
        loop = asyncio.get_running_loop()
        heard, at = self._host.journal.inbox.bell(), loop.time()
        while self._readers:
            await asyncio.sleep(LOOK_S)
            now = self._host.journal.inbox.bell()
            everybody = now != heard or loop.time() - at > _AT_LEAST_S
            if everybody:
                heard, at = now, loop.time()
            # Who came after the last look may have lost a right on the way in.
            await self._look([reader for reader in self._readers if everybody or not reader.looked])

    async def _look(self, readers: list[_Reader]) -> None:
        known: dict[tuple[str, str], bool] = {}
        for reader in readers:
            reader.looked = True
            if reader.shown not in known:
                known[reader.shown] = self._may(reader)
                if len(known) % _AT_ONCE == 0:
                    await asyncio.sleep(0)
            if not known[reader.shown] and reader in self._readers:
                self._readers.discard(reader)
                self._host.refused("a stream ended: its reader's rights have changed")
                reader.limit.reschedule(asyncio.get_running_loop().time())

    def _may(self, reader: _Reader) -> bool:
        try:
            return self._doorkeeper.still(reader.caller, reader.headers)
        except WeftError:
            return True  # it cannot be known now: the next look will tell


class Watch:
    """Lets streams end early, in every protocol over HTTP. Plain ASGI, behind the outer wall."""

    def __init__(self, app: ASGIApp, *, standing: Standing, endings: Mapping[str, Ending]) -> None:
        self._app = app
        self._standing = standing
        self._endings = endings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have a request answered; end the answer when it is a stream whose reader may not read on."""
        caller: Caller | None = scope.get("state", {}).get("caller") if scope["type"] == "http" else None
        if caller is None:
            await self._app(scope, receive, send)
            return
        path, open_ = scope["path"], False
        limit = asyncio.timeout(None)
        watched = ExitStack()

        async def tell(message: Message) -> None:
            nonlocal open_
            if message["type"] == "http.response.start" and _streams(message):
                headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
                watched.enter_context(self._standing.watching(caller, headers, limit))
                open_ = True
            elif message["type"] == "http.response.body":
                open_ = open_ and message.get("more_body", False)
            await send(message)

        try:
            async with limit:
                with watched:
                    await self._app(scope, receive, tell)
        except TimeoutError:
            if not limit.expired():
                raise
            if open_:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_SAY_S):  # whoever does not read any more is not waited for
                        last = ending_of(path, self._endings)(no_longer())
                        await send({"type": "http.response.body", "body": last, "more_body": False})


def ending_of(path: str, endings: Mapping[str, Ending]) -> Ending:
    """How streams at `path` end with an error."""
    return next((ending for prefix, ending in endings.items() if path.startswith(prefix)), _problem)


def _problem(error: WeftError) -> bytes:
    body = json.dumps(problem(error), ensure_ascii=False, separators=(",", ":"))
    return sse.encode(body.encode(), event="error")


def _streams(message: Message) -> bool:
    return any(
        name.lower() == b"content-type" and value.startswith(b"text/event-stream")
        for name, value in message.get("headers", ())
    )
