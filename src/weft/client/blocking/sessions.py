"""Written by scripts/client from the OpenAPI document. Calls of ``sessions``."""

from __future__ import annotations

import builtins
from typing import Unpack

from weft.client import operations
from weft.client.given.sessions import Change, NewSession, NewTurn, SessionsListQuery, SessionsSearchQuery
from weft.client.items import Items
from weft.client.line import Line
from weft.client.operation import Call
from weft.client.shapes.sessions import Found, SessionPage, SessionView, SessionWhole, TurnView


class Sessions:
    """The operations of ``sessions``."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def list(self, **query: Unpack[SessionsListQuery]) -> Items[SessionView, SessionPage]:
        """The caller's conversations, the latest first."""
        return Items(
            self._line, Call(answer=SessionPage, operation=operations.SESSIONS_LIST, query=dict(query)), "cursor"
        )

    def create(self, **body: Unpack[NewSession]) -> SessionView:
        """Begin a conversation."""
        return self._line.send(Call(answer=SessionView, operation=operations.SESSIONS_CREATE, body=dict(body)))

    def search(self, **query: Unpack[SessionsSearchQuery]) -> builtins.list[Found]:
        """What the caller's conversations say that holds all of these words; the last may be the beginning of one."""
        return self._line.send(
            Call(answer=builtins.list[Found], operation=operations.SESSIONS_SEARCH, query=dict(query))
        )

    def show(self, session_id: str, /) -> SessionWhole:
        """A conversation and its turns."""
        return self._line.send(
            Call(answer=SessionWhole, operation=operations.SESSIONS_SHOW, path={"session_id": session_id})
        )

    def change(self, session_id: str, /, **body: Unpack[Change]) -> SessionView:
        """Rename a conversation, or have it go on after another of its turns."""
        return self._line.send(
            Call(
                answer=SessionView,
                operation=operations.SESSIONS_CHANGE,
                path={"session_id": session_id},
                body=dict(body),
            )
        )

    def delete(self, session_id: str, /) -> None:
        """Forget a conversation and its runs."""
        self._line.send(Call(answer=type(None), operation=operations.SESSIONS_DELETE, path={"session_id": session_id}))

    def say(self, session_id: str, /, *, idempotency_key: str | None = None, **body: Unpack[NewTurn]) -> TurnView:
        """Say something; the answer comes in the stream of the run. One turn at a time: see `queue`."""
        return self._line.send(
            Call(
                answer=TurnView,
                operation=operations.SESSIONS_SAY,
                path={"session_id": session_id},
                key=idempotency_key,
                body=dict(body),
            )
        )

    def regenerate(self, session_id: str, run_id: str, /) -> TurnView:
        """Ask the same once more, as another branch: both answers stay."""
        return self._line.send(
            Call(
                answer=TurnView,
                operation=operations.SESSIONS_REGENERATE,
                path={"session_id": session_id, "run_id": run_id},
            )
        )
