"""Written by scripts/client from the OpenAPI document. Calls of ``webhooks``."""

from __future__ import annotations

import builtins
from typing import Unpack

from weft.client import operations
from weft.client.given.webhooks import ChangedWebhook, NewWebhook, WebhooksDeliveriesQuery
from weft.client.line import AsyncLine
from weft.client.operation import Call
from weft.client.shapes.webhooks import DeliveryView, WebhookView


class AsyncWebhooks:
    """The operations of ``webhooks``."""

    def __init__(self, line: AsyncLine) -> None:
        self._line = line

    async def list(self) -> builtins.list[WebhookView]:
        """All webhooks, the oldest first."""
        return await self._line.send(Call(answer=builtins.list[WebhookView], operation=operations.WEBHOOKS_LIST))

    async def create(self, **body: Unpack[NewWebhook]) -> WebhookView:
        """Add a webhook. Where requests may go is what the settings of the service allow."""
        return await self._line.send(Call(answer=WebhookView, operation=operations.WEBHOOKS_CREATE, body=dict(body)))

    async def show(self, webhook_id: str, /) -> WebhookView:
        """One webhook."""
        return await self._line.send(
            Call(answer=WebhookView, operation=operations.WEBHOOKS_SHOW, path={"webhook_id": webhook_id})
        )

    async def change(self, webhook_id: str, /, **body: Unpack[ChangedWebhook]) -> WebhookView:
        """Pause a webhook, let it go on, or give it another secret."""
        return await self._line.send(
            Call(
                answer=WebhookView,
                operation=operations.WEBHOOKS_CHANGE,
                path={"webhook_id": webhook_id},
                body=dict(body),
            )
        )

    async def delete(self, webhook_id: str, /) -> None:
        """Tell it no more."""
        await self._line.send(
            Call(answer=type(None), operation=operations.WEBHOOKS_DELETE, path={"webhook_id": webhook_id})
        )

    async def deliveries(
        self, webhook_id: str, /, **query: Unpack[WebhooksDeliveriesQuery]
    ) -> builtins.list[DeliveryView]:
        """What it was told and is to be told, the latest first."""
        return await self._line.send(
            Call(
                answer=builtins.list[DeliveryView],
                operation=operations.WEBHOOKS_DELIVERIES,
                path={"webhook_id": webhook_id},
                query=dict(query),
            )
        )

    async def test(self, webhook_id: str, /) -> DeliveryView:
        """Tell it something of the type `test`, to see whether it arrives."""
        return await self._line.send(
            Call(answer=DeliveryView, operation=operations.WEBHOOKS_TEST, path={"webhook_id": webhook_id})
        )
