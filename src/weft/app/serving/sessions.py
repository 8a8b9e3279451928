"""Conversations: turns that follow one another, branches from any of them, and what all of it has cost.

A turn is a run; which turn it follows stands in the run's options. So a session needs no second copy of what was said.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from weft.app.serving.inputs import Message
from weft.app.serving.replies import Replies
from weft.app.serving.turns import Begun, Turn
from weft.core.clock import Clock
from weft.core.errors import ConflictError, InputError, NotFoundError
from weft.core.owner import Owner
from weft.core.usage import Usage
from weft.store import sessions as store
from weft.store.journal import Journal
from weft.store.removal import removal
from weft.store.sessions import Session, Spoken
from weft.store.statuses import TERMINAL

MOST_TURNS = 1_000
_TITLE = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionTurn:
    """One turn of a session: what was asked, with which inputs by name, what was answered, after which turn, and what it cost."""

    run_id: str
    after: str | None
    status: str
    asked: str
    answered: str
    usage: Usage
    at: int
    inputs: Mapping[str, Any]


class Sessions:
    """Everything about conversations. For one event loop: turns of one session begin one after the other."""

    def __init__(self, journal: Journal, replies: Replies, clock: Clock, *, keep_days: int | None) -> None:
        self._journal = journal
        self._replies = replies
        self._clock = clock
        self._keep_days = keep_days
        self._locks: dict[tuple[str, str], asyncio.Lock] = {}

    def lock(self, owner: Owner, session_id: str) -> asyncio.Lock:
        """Held while a turn of the session begins."""
        if len(self._locks) > MOST_TURNS:
            self._locks = {key: lock for key, lock in self._locks.items() if lock.locked()}
        return self._locks.setdefault((owner.tenant, session_id), asyncio.Lock())

    async def prepare(self, turn: Turn, *, after: str | None = "") -> Turn:
        """`turn` as the next one of its session, which is opened when it is new: after the latest turn, or the one named.

        What was said before is what the session knows; of the turn's own messages only the last is new. Nobody may be
        speaking in the session at this moment.

        Raises:
            ConflictError: a turn of the session is running, or waits for an answer.
            NotFoundError: the session is somebody else's, or has no such turn.
        """
        session = await self.create(turn.session, turn.target.name, turn.owner, turn.asked)
        turns = self._journal.sessions.turns(session.id, tenant=session.tenant)
        open_ = next((run_id for run_id, status, _ in turns if status not in TERMINAL), None)
        if open_ is not None:
            waits = self._journal.runs.get(open_).status == "waiting"
            raise ConflictError(
                f"the session's last turn {'waits for an answer' if waits else 'is still running'}",
                fix="answer or cancel it first" if waits else "wait for its end, or ask for this turn to be queued",
                run=open_,
                session=session.id,
            )
        if len(turns) >= MOST_TURNS:
            raise ConflictError(f"a session may have {MOST_TURNS} turns", fix="begin a new one", session=session.id)
        follows = session.head if after == "" else after
        if follows is not None and follows not in {run_id for run_id, _, _ in turns}:
            raise NotFoundError(f"the session has no turn {follows!r}", session=session.id)
        known = self.path(session, follows)
        before = [message for one in known for message in _said(one)]
        messages = (*before, *turn.messages[-1:]) if known else turn.messages
        return replace(turn, messages=messages, after=follows)

    async def begun(self, turn: Turn, begun: Begun) -> None:
        """The turn has become a run: the conversation goes on after it."""
        session = self._journal.sessions.get(turn.session, tenant=turn.owner.tenant)
        if not session.title and turn.asked:
            session = await self.rename(session, _title(turn.asked))
        now = self._clock.micros()
        until = None if self._keep_days is None else now + self._keep_days * 86_400_000_000
        await self._journal.writer.submit(store.go_on(session, begun.run_id, at=now, expires_at=until))

    async def free(self, owner: Owner, session_id: str, *, timeout_s: float = 600.0) -> None:
        """Return when no turn of the session is running; one that waits for a person is not waited for.

        Raises:
            ConflictError: it took too long, or the running turn waits for an answer.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    turns = self._journal.sessions.turns(session_id, tenant=owner.tenant)
                    open_ = next(((one, status) for one, status, _ in turns if status not in TERMINAL), None)
                    if open_ is None or open_[1] == "waiting":
                        return
                    async for _ in self._replies.follow(open_[0]):
                        if self._journal.runs.get(open_[0]).status in {"waiting", *TERMINAL}:
                            break
        except TimeoutError:
            raise ConflictError("the turn before did not end in time", fix="cancel it, or ask later") from None

    def path(self, session: Session, head: str | None) -> list[SessionTurn]:
        """The turns that lead to `head`, oldest first."""
        found: list[SessionTurn] = []
        while head is not None and len(found) < MOST_TURNS:
            one = self.turn(session, head)
            found.append(one)
            head = one.after
        return found[::-1]

    def turn(self, session: Session, run_id: str) -> SessionTurn:
        """One turn of a session.

        Raises:
            NotFoundError: the session has no such turn.
        """
        run = self._journal.runs.get(run_id)
        if run.session != session.id or run.tenant != session.tenant or run.parent is not None:
            raise NotFoundError(f"the session has no turn {run_id!r}", session=session.id)
        told: dict[str, Any] = run.options.get("turn") or {}
        ended = self._replies.ended(run_id)
        return SessionTurn(
            run_id=run_id,
            after=told.get("after"),
            status=run.status,
            asked=str(told.get("asked", "")),
            answered=ended.text if ended is not None else "",
            usage=run.usage,
            at=run.created_at,
            inputs=told.get("inputs") or {},
        )

    def all_turns(self, session: Session) -> list[SessionTurn]:
        """Every turn of every branch, oldest first."""
        known = self._journal.sessions.turns(session.id, tenant=session.tenant)
        return [self.turn(session, run_id) for run_id, _, _ in known]

    async def branch(self, session: Session, after: str | None) -> Session:
        """Have the conversation go on after another turn, or from the beginning; all turns stay."""
        if after is not None:
            self.turn(session, after)
        at = self._clock.micros()
        await self._journal.writer.submit(store.go_on(session, after, at=at, expires_at=session.expires_at))
        return replace(session, head=after, updated_at=at)

    async def rename(self, session: Session, title: str) -> Session:
        """Give a session another title."""
        if not title.strip() or len(title) > 4 * _TITLE:
            raise InputError(f"a title has 1 to {4 * _TITLE} characters", fix="choose another one")
        at = self._clock.micros()
        await self._journal.writer.submit(store.rename(session, title.strip(), at=at))
        return replace(session, title=title.strip(), updated_at=at)

    async def delete(self, session: Session) -> int:
        """Forget a session and its runs; how many runs there were.

        Raises:
            ConflictError: a turn is not over, or a fork is made of one.
        """
        turns = self._journal.sessions.turns(session.id, tenant=session.tenant)
        for run_id, status, _ in turns:
            if status not in TERMINAL:
                raise ConflictError("a turn of the session is not over", fix="cancel it first", run=run_id)
        for run_id, _, _ in reversed(turns):
            await self._journal.writer.submit(removal(run_id))
        await self._journal.writer.submit(store.remove(session))
        return len(turns)

    async def search(self, words: str, owner: Owner, *, limit: int = 50) -> list[Spoken]:
        """What the sessions of somebody say that holds all of `words`, the best match first."""
        while unread := self._journal.sessions.unread(principal=owner.principal, tenant=owner.tenant):
            said: list[Spoken] = []
            for run_id in unread:
                said += self._spoken(run_id, owner)
                await asyncio.sleep(0)
            await self._journal.writer.submit(store.write_down(said))
        return self._journal.sessions.search(words, principal=owner.principal, tenant=owner.tenant, limit=limit)

    async def expire(self) -> int:
        """Forget the sessions whose time is over; how many."""
        gone = 0
        for session in self._journal.sessions.expired(self._clock.micros()):
            try:
                await self.delete(session)
                gone += 1
            except ConflictError:
                continue  # it is still speaking, or somebody needs its past
        return gone

    async def create(self, session_id: str, target: str, owner: Owner, title: str = "") -> Session:
        """Begin a session, or find the one of this id if it is that person's.

        Raises:
            NotFoundError: it is somebody else's.
        """
        now = self._clock.micros()
        wanted = Session(
            id=session_id,
            target=target,
            principal=owner.principal,
            title=_title(title),
            created_at=now,
            updated_at=now,
            tenant=owner.tenant,
        )
        if not await self._journal.writer.submit(store.open_session(wanted)):
            # Somebody else's session looks like one that cannot be had.
            raise NotFoundError(f"there is no session {session_id!r}", fix="choose another id")
        return self._journal.sessions.get(session_id, tenant=owner.tenant)

    def _spoken(self, run_id: str, owner: Owner) -> list[Spoken]:
        run = self._journal.runs.get(run_id)
        asked = str((run.options.get("turn") or {}).get("asked", ""))
        ended = self._replies.ended(run_id)
        base = Spoken(
            run_id=run_id,
            role="user",
            session=run.session,
            principal=owner.principal,
            content=_sought(asked),
            at=run.created_at,
            tenant=run.tenant,
        )
        answered = replace(base, role="assistant", content=_sought(ended.text) if ended else "", at=run.updated_at)
        return [base, answered]


def _said(one: SessionTurn) -> Sequence[Message]:
    """A turn as messages; one that came to nothing leaves no answer behind."""
    asked = Message("user", one.asked)
    return (asked, Message("assistant", one.answered)) if one.answered else (asked,)


def _title(text: str) -> str:
    """The title of a session that begins with `text`."""
    return " ".join(_sought(text).split())[:_TITLE]


def _sought(text: str) -> str:
    """`text` for titles and for searching: not every database holds a NUL in a text. What was said is in the run as it was said."""
    return text.replace("\0", " ")
