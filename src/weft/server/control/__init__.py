"""The control API, ``/api/v1``: one module for each kind of thing."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI

from weft.server.control import runs
from weft.server.rooms import Rooms


def install(app: FastAPI, rooms: Rooms) -> None:
    """Put the control API into `app`."""
    api = APIRouter(prefix="/api/v1")
    for module in (runs,):
        api.include_router(module.router(rooms))
    app.include_router(api)
