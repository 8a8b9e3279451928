"""A2A 1.0: tasks over JSON-RPC, REST and gRPC, each a run of the journal."""

from __future__ import annotations

from a2a.server.routes import create_jsonrpc_routes, create_rest_routes
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from weft.server.a2a import card_routes, errors
from weft.server.a2a.cards import REST, RPC, Cards
from weft.server.a2a.contexts import HttpContexts
from weft.server.a2a.dialogue import Dialogue
from weft.server.a2a.gateway import Gateway
from weft.server.a2a.grpcs import GrpcServer
from weft.server.a2a.handler import Operations
from weft.server.a2a.listing import Listing
from weft.server.a2a.profile import profile_of
from weft.server.a2a.push import Push
from weft.server.a2a.signing import Signer
from weft.server.a2a.targets import Targets
from weft.server.a2a.tasks import Tasks
from weft.server.rooms import Rooms


def install(app: FastAPI, rooms: Rooms) -> None:
    """Put A2A into `app`."""
    host, settings = rooms.host, rooms.host.settings.server
    rooms.endings.update({f"{REST}/": errors.rest_ending, RPC: errors.rpc_ending})
    profile = profile_of(settings.profile)
    targets = Targets(host.library, settings.agent)
    grpc = (
        GrpcServer(settings, rooms.doorkeeper, host.limits, rooms.standing) if settings.grpc_port is not None else None
    )
    cards = Cards(
        targets,
        rooms.url,
        guarded=settings.token is not None,
        grpc=grpc.address if grpc else "",
        signer=Signer(settings.card_key) if settings.card_key else None,
        any_mode=profile.any_mode,
    )
    tasks = Tasks(host, targets, rooms.url)
    push = Push(host, rooms.url)
    operations = Operations(
        host, tasks, Dialogue(host, targets, tasks, profile), Listing(host, targets, tasks), push, cards, rooms.url
    )
    rooms.openings.append(push.running)
    if grpc is not None:
        rooms.openings.append(lambda: grpc.running(operations))
    app.include_router(card_routes.router(cards, host.clock.micros()))
    contexts = HttpContexts()
    # A sub-application: its routes for tenants would take every address of two parts.
    rest = Starlette(
        routes=create_rest_routes(operations, contexts), exception_handlers={HTTPException: errors.no_such}
    )
    rest.router.redirect_slashes = False
    app.router.routes.append(Mount(REST, app=Gateway(rest, rpc=False)))
    rpc = Starlette(routes=create_jsonrpc_routes(operations, RPC, contexts))
    for path in (RPC, f"{RPC}/"):
        app.router.routes.append(Route(path, _Rpc(rpc), methods=["POST"]))


class _Rpc:
    """JSON-RPC under its address, with and without a slash at its end."""

    def __init__(self, app: Starlette) -> None:
        self._app = Gateway(app, rpc=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, "path": RPC, "raw_path": RPC.encode()}, receive, send)
