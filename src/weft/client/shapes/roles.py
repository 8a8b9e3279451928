"""Written by scripts/client from the OpenAPI document. What ``roles`` answers with."""

from __future__ import annotations

from weft.client.operation import Shape


class RoleView(Shape):
    """What a role may do; `*` is everything."""

    name: str
    rights: list[str]
