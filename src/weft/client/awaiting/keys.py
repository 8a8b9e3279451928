"""Written by scripts/client from the OpenAPI document. Calls of ``keys``."""

from __future__ import annotations

import builtins
from typing import Unpack

from weft.client import operations
from weft.client.given.keys import NewKey
from weft.client.line import AsyncLine
from weft.client.operation import Call
from weft.client.shapes.keys import KeyView


class AsyncKeys:
    """The operations of ``keys``."""

    def __init__(self, line: AsyncLine) -> None:
        self._line = line

    async def list(self) -> builtins.list[KeyView]:
        """The keys of the caller's tenant, the newest first; none of them can be read."""
        return await self._line.send(Call(answer=builtins.list[KeyView], operation=operations.KEYS_LIST))

    async def create(self, **body: Unpack[NewKey]) -> KeyView:
        """Make a key. It is shown in this answer alone."""
        return await self._line.send(Call(answer=KeyView, operation=operations.KEYS_CREATE, body=dict(body)))

    async def revoke(self, key_id: str, /) -> None:
        """Take a key back."""
        await self._line.send(Call(answer=type(None), operation=operations.KEYS_REVOKE, path={"key_id": key_id}))
