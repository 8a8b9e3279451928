"""What was sent to a session and may not have arrived: a client that lost its connection reads on where it was.

The library names the streams of every session alike and asks one store for all of them. Whose stream is meant is therefore told
by the context in which it asks: that of the session's own tasks, or of a request that names the session.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict, deque
from contextvars import ContextVar

from mcp.server.streamable_http import EventCallback, EventMessage, EventStore
from mcp_types import JSONRPCMessage
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_EVENTS = 4_096
_BYTES = 32 * 1_024 * 1_024
_SESSIONS = 10_000
_HEADER = b"mcp-session-id"
_PLACE: ContextVar[str] = ContextVar("place", default="")
Stream = tuple[str, str]


class Remembered(EventStore):
    """The latest messages of all streams, the oldest forgotten first; what is forgotten is found again by the id of its run."""

    def __init__(self, *, events: int = _EVENTS, size: int = _BYTES) -> None:
        self._events: OrderedDict[str, tuple[Stream, JSONRPCMessage | None, int]] = OrderedDict()
        self._streams: dict[Stream, deque[str]] = {}
        self._most, self._size, self._used, self._last = events, size, 0, 0

    async def store_event(self, stream_id: str, message: JSONRPCMessage | None) -> str:
        """See `EventStore.store_event`."""
        self._last += 1
        event, stream = str(self._last), (_PLACE.get(), stream_id)
        size = 0 if message is None else len(message.model_dump_json())
        self._events[event] = (stream, message, size)
        self._streams.setdefault(stream, deque()).append(event)
        self._used += size
        while len(self._events) > self._most or (self._used > self._size and len(self._events) > 1):
            self._forget()
        return event

    async def replay_events_after(self, last_event_id: str, send_callback: EventCallback) -> str | None:
        """See `EventStore.replay_events_after`."""
        known = self._events.get(last_event_id)
        if known is None or known[0][0] != _PLACE.get():
            return None
        for event in list(self._streams[known[0]]):
            message = self._events[event][1] if event in self._events else None
            if int(event) > int(last_event_id) and message is not None:
                await send_callback(EventMessage(message, event))
        return known[0][1]

    def _forget(self) -> None:
        _, (stream, _, size) = self._events.popitem(last=False)
        self._used -= size
        self._streams[stream].popleft()
        if not self._streams[stream]:
            del self._streams[stream]


class Places:
    """Gives every request the place of its session, and every new session a place of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._places: OrderedDict[bytes, str] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        session = next((value for name, value in scope["headers"] if name == _HEADER), b"")
        place = self._places.get(session) or secrets.token_hex(8)

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start" and not session:
                opened = next((value for name, value in message["headers"] if name == _HEADER), None)
                if opened is not None:
                    self._places[opened] = place
                    if len(self._places) > _SESSIONS:
                        self._places.popitem(last=False)
            await send(message)

        token = _PLACE.set(place)
        try:
            await self._app(scope, receive, watch)
        finally:
            _PLACE.reset(token)
