"""Written by scripts/client from the OpenAPI document. What ``webhooks`` answers with."""

from __future__ import annotations

from weft.client.operation import Shape


class WebhookView(Shape):
    """One webhook."""

    id: str
    kind: str
    url: str
    topics: list[str]
    paused: bool
    created_at: str
    secret: str | None = None
    """What its messages are signed with; told when it is made, and never again."""


class DeliveryView(Shape):
    """Something that a webhook was told or is to be told. `answer` is what came of the last attempt."""

    id: str
    status: str
    attempts: int
    next_at: str
    answer: str
    created_at: str
