"""Written by scripts/client from the OpenAPI document. What ``webhooks`` is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NotRequired, TypedDict


class NewWebhook(TypedDict):
    """Somebody to tell: `weft` posts signed JSON to an address, `smtp` sends mail to one."""

    url: str
    """Where to: an https address, or a mail address."""
    topics: Sequence[str]
    """What about: `runs`, `gates`, `budgets`, or `run/<id>` for one run."""
    kind: NotRequired[Literal["weft", "smtp"]]


class ChangedWebhook(TypedDict):
    """What is to change of a webhook."""

    paused: NotRequired[bool | None]
    new_secret: NotRequired[bool]
    """Sign with another secret from now on; it is told once."""


class WebhooksDeliveriesQuery(TypedDict):
    """What `webhooks.deliveries` asks for."""

    limit: NotRequired[int]
