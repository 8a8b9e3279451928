"""Written by scripts/client from the OpenAPI document. Calls of ``health``."""

from __future__ import annotations

from typing import Any

from weft.client import operations
from weft.client.line import AsyncLine
from weft.client.operation import Call


class AsyncHealth:
    """The operations of ``health``."""

    def __init__(self, line: AsyncLine) -> None:
        self._line = line

    async def live(self) -> dict[str, str]:
        """The process answers."""
        return await self._line.send(Call(answer=dict[str, str], operation=operations.HEALTH_LIVE))

    async def ready(self) -> dict[str, str]:
        """New work is taken."""
        return await self._line.send(Call(answer=dict[str, str], operation=operations.HEALTH_READY))

    async def deep(self) -> dict[str, Any]:
        """The journal can be written and read, the folders hold what they should, and certificates are good for a while."""
        return await self._line.send(Call(answer=dict[str, Any], operation=operations.HEALTH_DEEP))
