"""Written by scripts/client from the OpenAPI document. What ``sessions`` is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict


class NewSession(TypedDict):
    """A conversation to begin."""

    target: str
    """A workflow, or an agent as `workflow/agent`."""
    title: NotRequired[str]


class Change(TypedDict):
    """What is to change of a conversation."""

    title: NotRequired[str | None]
    after: NotRequired[str | None]
    """The turn to go on after; empty for the beginning."""


class NewTurn(TypedDict):
    """Something to say in a conversation."""

    message: str
    inputs: NotRequired[Mapping[str, Any]]
    """Further inputs by name."""
    after: NotRequired[str | None]
    """The turn that it follows, empty for none; the latest by default."""
    queue: NotRequired[bool]
    """Wait for a turn that is running instead of being refused."""


class SessionsListQuery(TypedDict):
    """What `sessions.list` asks for."""

    limit: NotRequired[int]
    """How many of them; the next page has the rest."""
    cursor: NotRequired[str | None]
    """Where to go on: `next` of the page before. Its form may change."""
    target: NotRequired[str | None]


class SessionsSearchQuery(TypedDict):
    """What `sessions.search` asks for."""

    words: str
    limit: NotRequired[int]
