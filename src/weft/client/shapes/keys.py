"""Written by scripts/client from the OpenAPI document. What ``keys`` answers with."""

from __future__ import annotations

from weft.client.operation import Shape


class KeyView(Shape):
    """One key. What is shown to the service is `key`: it is told when the key is made, and never again."""

    id: str
    user: str
    name: str
    role: str
    rights: list[str]
    """What it may do at most; empty for all that its role may."""
    created_at: str
    expires_at: str | None = None
    revoked_at: str | None = None
    key: str | None = None
