"""The control API, ``/api/v1``: one module for each kind of thing."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI

from weft.server.control import (
    agents,
    artifacts,
    audit,
    automations,
    etags,
    examining,
    flags,
    gates,
    identity,
    plans,
    runs,
    sessions,
    settings,
    signins,
    steering,
    tools,
    usage,
    webhooks,
    workflows,
)
from weft.server.control.bodies import Bodies
from weft.server.control.routes import PREFIX
from weft.server.rooms import Rooms

_ROUTERS: tuple[APIRouter, ...] = (
    workflows.api,
    runs.api,
    examining.api,
    steering.api,
    artifacts.api,
    gates.api,
    agents.api,
    tools.api,
    automations.schedules,
    automations.triggers,
    plans.api,
    usage.api,
    audit.api,
    settings.api,
    sessions.api,
    webhooks.api,
    flags.api,
    identity.tenants,
    identity.users,
    identity.roles,
    identity.keys,
    signins.api,
)


def install(app: FastAPI, rooms: Rooms) -> None:
    """Put the control API into `app`."""
    etags.install(app)
    app.state.bodies = Bodies()
    for router in _ROUTERS:
        app.include_router(router, prefix=PREFIX)
    rooms.short.extend([runs.start, runs.show, runs.list_runs, runs.events, gates.list_gates])
