"""From a request to the run that answers it: in its session, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request

from weft.app.hosting import Host
from weft.app.serving.conversations import Line
from weft.app.serving.turns import DAY_S, Turn
from weft.core.canonical import digest
from weft.core.errors import InputError
from weft.server.openai.asking import Asked

REPEAT_S = 20.0
"""Seconds in which the same again, without a key, is a repeat: the official client sends a request that failed up to three times."""
MAX_KEY = 255


@dataclass(frozen=True, slots=True)
class Begun:
    """The run of a turn, and the session that it belongs to."""

    run_id: str
    session: str
    turn: Turn

    @property
    def headers(self) -> dict[str, str]:
        """What a response says of them."""
        return {"X-Session-ID": self.session, "X-Run-ID": self.run_id}


async def begin(host: Host, turn: Turn, asked: Asked, request: Request, lines: Sequence[Line]) -> Begun:
    """Start the run of `turn`, in the session that the request names or its history tells, or find the one that it has become.

    Raises:
        ConflictError: a turn of the session is running and this one is not to be queued.
        WeftError: the run cannot be started.
    """
    named = (
        asked.weft.session or request.headers.get("x-session-id", "") or (asked.metadata or {}).get("session_id", "")
    )
    session = host.conversations.session_of(turn.owner, named, lines)
    turn = replace(turn, session=session, **_key(request, asked, turn, session))
    queue = asked.weft.queue or request.headers.get("x-weft-queue", "").lower() == "true"
    same = await host.known(turn) if session else None
    async with host.conversations.turn(turn.owner, session, queue=queue, same=same or ""):
        begun = await host.begin(turn)
        session = session or begun.run_id
        if begun.first:
            await host.conversations.remember(turn.owner, session, turn.target.name, lines, begun.run_id)
    return Begun(begun.run_id, session, turn)


def _key(request: Request, asked: Asked, turn: Turn, session: str) -> Mapping[str, Any]:
    key = request.headers.get("idempotency-key", "")
    if len(key) > MAX_KEY:
        raise InputError(f"a key has at most {MAX_KEY} characters", fix="send a shorter Idempotency-Key")
    if key:
        return {"key": key, "key_s": DAY_S}
    body = asked.model_dump(mode="json", exclude_defaults=True, exclude={"stream"})
    return {"key": digest([turn.scope, session, body]), "key_s": REPEAT_S}
