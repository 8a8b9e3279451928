"""Written by scripts/client from the OpenAPI document. What ``keys`` is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NotRequired, TypedDict


class NewKey(TypedDict):
    """A key to make."""

    user: str
    name: str
    """Where it is used."""
    role: str
    """That of the user, or a lesser one."""
    rights: NotRequired[Sequence[str]]
    """It may do no more than these; empty for all that its role may."""
    days: NotRequired[int | None]
    """Days until it is over; none for no end."""
