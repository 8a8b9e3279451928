"""Where cards are found: that of the service under its well-known address, and one for each workflow and agent."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from email.utils import formatdate

from a2a.server.request_handlers.response_helpers import agent_card_to_dict
from a2a.types import a2a_pb2
from a2a.utils.constants import AGENT_CARD_WELL_KNOWN_PATH
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from weft.app.serving.library import Published
from weft.core.canonical import dumps
from weft.server.a2a.cards import RPC, Cards, changed_at
from weft.server.caller import caller_of

_MAX_AGE_S = 60


def router(cards: Cards, started_at: int) -> APIRouter:
    """The routes of cards. A card changes with what is served, and with the service itself, begun at `started_at` (micros)."""
    routes = APIRouter(tags=["a2a"])

    @routes.get(AGENT_CARD_WELL_KNOWN_PATH, include_in_schema=False)
    async def public(request: Request) -> Response:
        """The card of the service as a whole."""
        return _answer(request, cards.public(), cards.targets.all(tenant="local"), started_at, public=True)

    @routes.get(f"{RPC}/{{tenant}}{AGENT_CARD_WELL_KNOWN_PATH}", include_in_schema=False)
    async def one(tenant: str, request: Request) -> Response:
        """The card of one workflow or agent."""
        of = caller_of(request).tenant
        return _answer(request, cards.of(tenant, tenant=of), [cards.targets.get(tenant, tenant=of)], started_at)

    return routes


def _answer(
    request: Request, card: a2a_pb2.AgentCard, served: Sequence[Published], started_at: int, *, public: bool = False
) -> Response:
    body = agent_card_to_dict(card)
    unsigned = {name: value for name, value in body.items() if name != "signatures"}
    tag = f'W/"{hashlib.sha256(dumps(unsigned)).hexdigest()[:32]}"'
    changed = max(started_at, changed_at(served)) // 1_000_000
    headers = {
        "ETag": tag,
        "Cache-Control": f"{'public' if public else 'private'}, max-age={_MAX_AGE_S}",
        "Last-Modified": formatdate(changed, usegmt=True),
    }
    known = {one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")}
    if "*" in known or tag.removeprefix("W/") in known:
        return Response(status_code=304, headers=headers)
    return JSONResponse(body, headers=headers)
