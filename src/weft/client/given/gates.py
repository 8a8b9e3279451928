"""Written by scripts/client from the OpenAPI document. What ``gates`` is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NotRequired, TypedDict


class Decision(TypedDict):
    """An answer to a gate: a choice, an answer in words, or values for its form (edited arguments of a tool call)."""

    choice: NotRequired[str | None]
    """One of its choices."""
    response: NotRequired[str | None]
    """An answer in words."""
    verdict: NotRequired[Literal["approve", "reject"] | None]
    """The first choice that means this; without choices, the word itself."""
    values: NotRequired[Mapping[str, Any] | None]
    """Values that fit its form."""
    why: NotRequired[str]
    """It is kept in the journal."""
    saw: NotRequired[str | None]
    """`shown` of what the caller looked at."""
    by: NotRequired[str | None]
    """Whose answer it is; needs the right `gates:any`."""


class GatesListQuery(TypedDict):
    """What `gates.list` asks for."""

    limit: NotRequired[int]
    """How many of them; the next page has the rest."""
    cursor: NotRequired[str | None]
    """Where to go on: `next` of the page before. Its form may change."""
    status: NotRequired[Literal["open", "decided", "expired", "withdrawn", "any"]]
    mine: NotRequired[bool]
    """Only those that ask the caller, or everybody."""
    run: NotRequired[str | None]
    """Only those of this run."""
