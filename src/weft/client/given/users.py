"""Written by scripts/client from the OpenAPI document. What ``users`` is given."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class NewUser(TypedDict):
    """A user to make."""

    id: str
    name: NotRequired[str]
    role: str


class ChangedUser(TypedDict):
    """What is to change of a user."""

    name: NotRequired[str | None]
    role: NotRequired[str | None]
    disabled: NotRequired[bool | None]
