"""From a request to the run that answers it: in its session, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request

from weft.app.hosting import Host
from weft.app.serving.conversations import Line
from weft.app.serving.turns import DAY_S, Made, Turn
from weft.core.canonical import digest
from weft.core.errors import InputError, NotFoundError
from weft.server.openai.asking import Asked

REPEAT_S, MEANT_S = 60.0, 10.0
"""Seconds in which the same again, without a key, is a repeat: the official client sends a request that failed up to three times and
says how often it has done so. Whoever says nothing is answered with a run that has ended for the second span only.
"""
MAX_KEY = 255


@dataclass(frozen=True, slots=True)
class Begun:
    """The run of a turn, and the session that it belongs to."""

    run_id: str
    session: str
    turn: Turn | None = None

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
        turn.session
        or asked.weft.session
        or request.headers.get("x-session-id", "")
        or (asked.metadata or {}).get("session_id", "")
    )
    session = host.conversations.session_of(turn.owner, named, lines)
    turn = replace(turn, session=session, **_key(request, asked, turn, session))
    queue = asked.weft.queue or request.headers.get("x-weft-queue", "").lower() == "true"
    same = await _repeated(host, turn, request)
    async with host.conversations.turn(turn.owner, session, queue=queue, same=same or ""):
        known = host.conversations.session(turn.owner, session) if session else None
        begun = await host.begin(replace(turn, after=known.head if known is not None else None))
        session = session or begun.run_id
        if begun.first:
            await host.conversations.begun(replace(turn, session=session), begun, lines)
    return Begun(begun.run_id, session, turn)


async def _repeated(host: Host, turn: Turn, request: Request) -> str | None:
    """The run that the request is a repeat of; what is asked anew on purpose is none."""
    known = await host.known(turn)
    tries = request.headers.get("x-stainless-retry-count", "")
    if known is None or tries not in {"", "0"} or request.headers.get("idempotency-key"):
        return known
    try:
        run = host.journal.runs.get(known)
    except NotFoundError:
        return known  # it is about to be made
    age = (host.clock.micros() - run.updated_at) / 1_000_000
    anew = (run.ended or isinstance(turn.target, Made)) if tries else (run.ended and age > MEANT_S)
    if anew:
        await host.forget(turn, known)
    return None if anew else known


def _key(request: Request, asked: Asked, turn: Turn, session: str) -> Mapping[str, Any]:
    key = request.headers.get("idempotency-key", "")
    if len(key) > MAX_KEY:
        raise InputError(f"a key has at most {MAX_KEY} characters", fix="send a shorter Idempotency-Key")
    try:
        body = asked.model_dump(mode="json", exclude_defaults=True, exclude={"stream"})
        hash_ = digest([turn.scope, session, body])
    except (ValueError, RecursionError):
        raise InputError("the request holds what JSON has no form for, or is nested too deeply") from None
    return {"key": key, "key_s": DAY_S} if key else {"key": hash_, "key_s": REPEAT_S}
