"""Written by scripts/client from the OpenAPI document. What ``signins`` answers with."""

from __future__ import annotations

from weft.client.operation import Shape


class SignInView(Shape):
    """One session of a browser."""

    id: str
    user: str
    how: str
    """`login` for the provider, `link` for a one-time link."""
    agent: str
    """What the browser calls itself."""
    created_at: str
    expires_at: str
    current: bool
    """Whether this very request was made in it."""
