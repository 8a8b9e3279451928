"""Written by scripts/client from the OpenAPI document. What ``users`` answers with."""

from __future__ import annotations

from weft.client.operation import Shape


class UserView(Shape):
    """One user."""

    id: str
    name: str
    role: str
    disabled: bool
