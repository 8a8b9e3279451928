"""The OpenAI-compatible API, ``/v1``: one module for each endpoint."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI

from weft.server.openai import chat, chunks, embeddings, errors, models, response_desk, responses
from weft.server.openai.attending import Attendance
from weft.server.openai.targets import Targets
from weft.server.rooms import Rooms


def install(app: FastAPI, rooms: Rooms) -> None:
    """Put the OpenAI-compatible API into `app`."""
    rooms.forms["/v1/"] = errors.answer
    rooms.endings.update({"/v1/responses": response_desk.broken, "/v1/": chunks.failure})
    targets, attendance = Targets(rooms.host), Attendance(rooms.host)
    api = APIRouter(prefix="/v1")
    api.include_router(models.router(targets))
    api.include_router(chat.router(rooms, targets, attendance))
    api.include_router(responses.router(rooms, targets, attendance))
    api.include_router(embeddings.router(rooms))
    app.include_router(api)
