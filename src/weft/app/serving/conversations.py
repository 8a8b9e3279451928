"""Conversations: which session a turn belongs to, told by its name or by what was said before, and one turn of it at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from weft.app.serving.inputs import Message
from weft.app.serving.replies import Replies
from weft.app.serving.sessions import Sessions
from weft.app.serving.tails import Tails
from weft.app.serving.turns import Begun, Turn
from weft.core.canonical import digest
from weft.core.clock import Clock
from weft.core.errors import ConflictError, InputError, NotFoundError
from weft.core.owner import Owner
from weft.store.chains import Chain, remember
from weft.store.journal import Journal
from weft.store.runs import Run
from weft.store.sessions import Session

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


class Conversations:
    """Finds and keeps the sessions to which conversations belong that clients send as a whole."""

    def __init__(self, journal: Journal, replies: Replies, tails: Tails, sessions: Sessions, clock: Clock) -> None:
        self._journal = journal
        self._tails = tails
        self._replies = replies
        self._sessions = sessions
        self._clock = clock

    def session_of(self, owner: Owner, named: str, lines: Sequence[Line]) -> str:
        """The session in which `lines` go on: the one that is `named`, else one that this principal has had so far; "" for a new one.

        Raises:
            InputError: the name cannot be one.
            NotFoundError: the named session is somebody else's.
        """
        if named:
            if len(named) > MAX_NAME or not (named.isascii() and named.isprintable()):
                raise InputError(f"the name of a session has at most {MAX_NAME} characters, printable ones of ASCII")
            known = self.session(owner, named)
            if known is not None and known.principal != owner.principal:
                raise NotFoundError(f"there is no session {named!r}", fix="leave it out to begin a new one")
            return named
        said = next((at for at in range(len(lines) - 1, -1, -1) if lines[at].role == "assistant"), None)
        if said is None:
            return ""
        found = self._journal.chains.following(chain(lines[:said]), owner.principal, tenant=owner.tenant)
        return next((session for session, run_id in found if self._answered(run_id, lines[said])), "")

    def session(self, owner: Owner, session: str) -> Session | None:
        """The session of this id, if there is one."""
        try:
            return self._journal.sessions.get(session, tenant=owner.tenant)
        except NotFoundError:
            return None

    async def begun(self, turn: Turn, begun: Begun, lines: Sequence[Line]) -> None:
        """A turn has become a run: its session, which is opened when it is new, goes on after it, and is found again by `lines`."""
        # What UTF-8 cannot carry cannot be kept.
        asked = turn.asked.encode(errors="replace").decode()
        await self._sessions.create(turn.session, turn.target.name, turn.owner, asked)
        await self._sessions.begun(replace(turn, messages=(Message("user", asked),)), begun)
        kept = Chain(
            run_id=begun.run_id,
            session=turn.session,
            tenant=turn.owner.tenant,
            principal=turn.owner.principal,
            chain=chain(lines),
            at=self._clock.micros(),
        )
        await self._journal.writer.submit(remember(kept))

    @asynccontextmanager
    async def turn(self, owner: Owner, session: str, *, queue: bool, same: str = "") -> AsyncIterator[None]:
        """The time in which a turn of `session` is begun. No other begins at once, and none while one is running.

        With `queue`, wait for those before; otherwise they are in the way. A run named `same` is not.

        Raises:
            ConflictError: a turn is running.
        """
        if not session:
            yield
            return
        async with self._sessions.lock(owner, session):
            while (running := self._running(owner, session)) is not None and running.id != same:
                if not queue:
                    raise _busy(session, running.id)
                await self._at_rest(running)
            yield

    async def _at_rest(self, run: Run) -> None:
        """Return when a run has ended or waits."""
        async with aclosing(self._tails.follow(run.id, after=run.head_seq)) as frames:
            async for frame in frames:
                if frame.type == "run.waiting":
                    return

    def _running(self, owner: Owner, session: str) -> Run | None:
        """The run of the session that is at work; one that waits for somebody is not."""
        for run_id, status, _ in reversed(self._journal.sessions.turns(session, tenant=owner.tenant)):
            if status in {"queued", "running"}:
                return self._journal.runs.get(run_id)
        return None

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
