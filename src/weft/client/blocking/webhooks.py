"""Written by scripts/client from the OpenAPI document. Calls of ``webhooks``."""

from __future__ import annotations

import builtins
from typing import Unpack

from weft.client import operations
from weft.client.given.webhooks import ChangedWebhook, NewWebhook, WebhooksDeliveriesQuery
from weft.client.line import Line
from weft.client.operation import Call
from weft.client.shapes.webhooks import DeliveryView, WebhookView


class Webhooks:
    """The operations of ``webhooks``."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def list(self) -> builtins.list[WebhookView]:
        """All webhooks, the oldest first."""
        return self._line.send(Call(answer=builtins.list[WebhookView], operation=operations.WEBHOOKS_LIST))

    def create(self, **body: Unpack[NewWebhook]) -> WebhookView:
        """Add a webhook. Where requests may go is what the settings of the service allow."""
        return self._line.send(Call(answer=WebhookView, operation=operations.WEBHOOKS_CREATE, body=dict(body)))

    def show(self, webhook_id: str, /) -> WebhookView:
        """One webhook."""
        return self._line.send(
            Call(answer=WebhookView, operation=operations.WEBHOOKS_SHOW, path={"webhook_id": webhook_id})
        )

    def change(self, webhook_id: str, /, **body: Unpack[ChangedWebhook]) -> WebhookView:
        """Pause a webhook, let it go on, or give it another secret."""
        return self._line.send(
            Call(
                answer=WebhookView,
                operation=operations.WEBHOOKS_CHANGE,
                path={"webhook_id": webhook_id},
                body=dict(body),
            )
        )

    def delete(self, webhook_id: str, /) -> None:
        """Tell it no more."""
        self._line.send(Call(answer=type(None), operation=operations.WEBHOOKS_DELETE, path={"webhook_id": webhook_id}))

    def deliveries(self, webhook_id: str, /, **query: Unpack[WebhooksDeliveriesQuery]) -> builtins.list[DeliveryView]:
        """What it was told and is to be told, the latest first."""
        return self._line.send(
            Call(
                answer=builtins.list[DeliveryView],
                operation=operations.WEBHOOKS_DELIVERIES,
                path={"webhook_id": webhook_id},
                query=dict(query),
            )
        )

    def test(self, webhook_id: str, /) -> DeliveryView:
        """Tell it something of the type `test`, to see whether it arrives."""
        return self._line.send(
            Call(answer=DeliveryView, operation=operations.WEBHOOKS_TEST, path={"webhook_id": webhook_id})
        )
