"""Written by scripts/client from the OpenAPI document. What ``signins`` is given."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class SigninsListQuery(TypedDict):
    """What `signins.list` asks for."""

    user: NotRequired[str | None]
    """Whose, yours when it is left out; `*` for everybody in your tenant."""
    limit: NotRequired[int]
    """So many at most."""
