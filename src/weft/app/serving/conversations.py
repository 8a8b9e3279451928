"""Conversations: which session a turn belongs to, told by its name or by what was said before, and one turn of it at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from weft.app.serving.replies import Replies
from weft.app.serving.tails import Tails
from weft.core.canonical import digest
from weft.core.clock import Clock
from weft.core.errors import ConflictError, InputError, NotFoundError
from weft.core.ids import uuid7
from weft.core.owner import Owner
from weft.store.journal import Journal
from weft.store.runs import Run
from weft.store.sessions import Said, remember

MAX_NAME = 200


@dataclass(frozen=True, slots=True)
class Line:
    """Something said in a conversation; `calls` are the ids of the calls of tools that it makes or answers."""

    role: str
    text: str
    calls: tuple[str, ...] = ()

    def as_json(self) -> list[Any]:
        """As it is hashed."""
        return [self.role, self.text, list(self.calls)]


@dataclass(slots=True)
class _Turns:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0


class Conversations:
    """Finds and keeps the sessions of one journal."""

    def __init__(self, journal: Journal, replies: Replies, tails: Tails, clock: Clock) -> None:
        self._journal = journal
        self._tails = tails
        self._replies = replies
        self._clock = clock
        self._turns: dict[tuple[str, str], _Turns] = {}

    def session_of(self, owner: Owner, named: str, lines: Sequence[Line]) -> str:
        """The session in which `lines` go on: the one that is `named`, else one that this principal has had so far; "" for a new one.

        Raises:
            InputError: the name cannot be one.
            NotFoundError: the named session is somebody else's.
        """
        if named:
            if len(named) > MAX_NAME or not (named.isascii() and named.isprintable()):
                raise InputError(f"the name of a session has at most {MAX_NAME} characters, printable ones of ASCII")
            known = self._journal.sessions.get(named, tenant=owner.tenant)
            if known is not None and known.principal != owner.principal:
                raise NotFoundError(f"there is no session {named!r}", fix="leave it out to begin a new one")
            return named
        said = next((at for at in range(len(lines) - 1, -1, -1) if lines[at].role == "assistant"), None)
        if said is None:
            return ""
        found = self._journal.sessions.following(chain(lines[:said]), owner.principal, tenant=owner.tenant)
        return next((session for session, run_id in found if self._answered(run_id, lines[said])), "")

    async def remember(self, owner: Owner, session: str, target: str, lines: Sequence[Line], run_id: str) -> None:
        """Keep what was said to start a run, for the conversation to go on from."""
        said = Said(
            id=uuid7(),
            session=session,
            tenant=owner.tenant,
            principal=owner.principal,
            target=target,
            role=lines[-1].role if lines else "user",
            content=lines[-1].text.encode(errors="replace").decode() if lines else "",
            run_id=run_id,
            chain=chain(lines),
            at=self._clock.micros(),
        )
        await self._journal.writer.submit(remember(said))

    @asynccontextmanager
    async def turn(self, owner: Owner, session: str, *, queue: bool, same: str = "") -> AsyncIterator[None]:
        """The time in which a turn of `session` is begun. No other begins at once, and none while one is running.

        With `queue`, wait for those before; otherwise they are in the way. A run named `same` is not.

        Raises:
            ConflictError: a turn is running, or about to begin.
        """
        if not session:
            yield
            return
        key = (owner.tenant, session)
        turns = self._turns.setdefault(key, _Turns())
        turns.waiting += 1
        try:
            async with turns.lock:
                while (running := self._running(owner, session)) is not None and running.id != same:
                    if not queue:
                        raise _busy(session, running.id)
                    await self._at_rest(running)
                yield
        finally:
            turns.waiting -= 1
            if not turns.waiting:
                self._turns.pop(key, None)

    async def _at_rest(self, run: Run) -> None:
        """Return when a run has ended or waits."""
        async with aclosing(self._tails.follow(run.id, after=run.head_seq)) as frames:
            async for frame in frames:
                if frame.type == "run.waiting":
                    return

    def _running(self, owner: Owner, session: str) -> Run | None:
        """The run of the session's latest turn, while it is at work; one that waits for somebody is not."""
        run_id = self._journal.sessions.last_run(session, tenant=owner.tenant)
        if run_id is None:
            return None
        try:
            run = self._journal.runs.get(run_id)
        except NotFoundError:
            return None
        return run if run.status in {"queued", "running"} else None

    def _answered(self, run_id: str, line: Line) -> bool:
        """Whether `line` is what a run has answered, or said when it began to wait."""
        if run_id in line.text or line.calls:
            return True
        try:
            ended = self._replies.ended(run_id)
        except NotFoundError:
            return False
        return ended is not None and ended.text.strip() == line.text.strip()


def chain(lines: Sequence[Line]) -> str:
    """The hash of a conversation."""
    return digest([line.as_json() for line in lines if line.role != "system"])


def _busy(session: str, run_id: str) -> ConflictError:
    return ConflictError(
        f"a turn of the session {session!r} is running",
        fix="wait for its end, ask for this one to be queued, or cancel the run",
        run=run_id,
    )
