"""Written by scripts/client from the OpenAPI document. What ``flags`` answers with."""

from __future__ import annotations

from weft.client.operation import Shape


class FlagView(Shape):
    """One flag: its type, what it says now and by default, and who has set it."""

    name: str
    about: str
    type: str
    value: bool | int
    default: bool | int
    set_by: str | None = None
    set_at: str | None = None
