"""MCP: workflows and agents as tools, over HTTP at ``/mcp`` and over a pipe."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.routing import Route

from weft.server.mcp.identity import Principals, transport_security
from weft.server.mcp.remembering import Places, Remembered
from weft.server.mcp.server import WeftServer
from weft.server.rooms import Rooms

PATH = "/mcp"
_SESSIONS = 1_000
_RETRY_MS = 500


def install(app: FastAPI, rooms: Rooms) -> None:
    """Put the MCP endpoint into `app`."""
    mount(app, rooms, WeftServer(rooms.host, url=rooms.url))


def mount(app: FastAPI, rooms: Rooms, server: WeftServer) -> None:
    """Put `server` into `app`."""
    settings = rooms.host.settings.server
    rooms.endings[PATH] = lambda _: b""  # a client asks on at the place where a stream ended, and is refused then
    inner = server.streamable_http_app(
        streamable_http_path=PATH,
        event_store=Remembered(),
        retry_interval=_RETRY_MS,
        max_request_body_size=settings.max_request_bytes,
        max_sessions=_SESSIONS,
        transport_security=transport_security(settings),
    )

    @asynccontextmanager
    async def opening() -> AsyncGenerator[None]:
        async with server.open(), server.session_manager.run():
            yield

    rooms.openings.append(opening)
    # A route and no mount: clients call exactly this path, and a mount would answer with a redirect.
    app.router.routes.append(Route(PATH, endpoint=Principals(Places(inner)), include_in_schema=False))
