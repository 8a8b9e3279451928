"""Written by scripts/client from the OpenAPI document. What ``sessions`` answers with."""

from __future__ import annotations

from typing import Any

from weft.client.operation import Shape


class SessionView(Shape):
    """One conversation; it goes on after the turn `head`."""

    id: str
    target: str
    title: str
    head: str | None = None
    created_at: str
    updated_at: str
    expires_at: str | None = None


class SessionPage(Shape):
    """Some conversations, the latest first."""

    items: list[SessionView]
    next: str | None = None
    """The cursor of the next page."""


class Found(Shape):
    """Where something was said."""

    session: str
    run: str
    role: str
    text: str
    at: str


class TurnView(Shape):
    """One turn, which is the run `run`: what was asked and answered after the turn `after`, and what it cost."""

    run: str
    after: str | None = None
    status: str
    asked: str
    answered: str
    usage: dict[str, Any]
    at: str


class SessionWhole(Shape):
    """A conversation with the turns that lead to its head, those of its other branches, and what all of them have cost."""

    id: str
    target: str
    title: str
    head: str | None = None
    created_at: str
    updated_at: str
    expires_at: str | None = None
    turns: list[TurnView]
    others: list[TurnView]
    usage: dict[str, Any]
