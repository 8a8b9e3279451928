"""The application: every room of the service behind one wall."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI
from starlette.middleware import Middleware

import weft
from weft.app.hosting import Host
from weft.server import a2a, agui, control, described, health, hooks, live, mcp, openai, problems, signin
from weft.server.bounds import Bounds
from weft.server.caller import Doorkeeper
from weft.server.rooms import Rooms
from weft.server.short import ShortWay
from weft.server.standing import Standing, Watch

PARTS: tuple[Callable[[FastAPI, Rooms], None], ...] = (
    health.install,
    signin.install,
    control.install,
    live.install,
    hooks.install,
    openai.install,
    mcp.install,
    agui.install,
    a2a.install,
)
"""What puts each part of the service into an application. The order is that of the routes."""


def build(host: Host, *, url: str) -> FastAPI:
    """The whole service over `host`, reachable under `url`."""
    settings = host.settings.server
    doorkeeper = Doorkeeper(host)
    rooms = Rooms(host, doorkeeper, url.rstrip("/"), Standing(host, doorkeeper))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await host.open()
            for opening in rooms.openings:
                await stack.enter_async_context(opening())
            yield

    app = FastAPI(
        title="Weft",
        version=weft.__version__,
        description="Durable workflows of agents, tools and people.",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        # What runs do is told by telemetry of our own; the framework's looks for its exporters at each request.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        middleware=[
            Middleware(Bounds, settings=settings, doorkeeper=doorkeeper, limits=host.limits, forms=rooms.forms),
            Middleware(Watch, standing=rooms.standing, endings=rooms.endings),
        ],
    )
    app.state.host = host
    problems.install(app, rooms.forms)
    described.install(app)
    for install in PARTS:
        install(app, rooms)
    # Behind the wall, and before everything that what is answered at once has no need of.
    app.user_middleware.insert(1, Middleware(ShortWay, service=app, endpoints=rooms.short))
    return app
