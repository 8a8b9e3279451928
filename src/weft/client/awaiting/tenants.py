"""Written by scripts/client from the OpenAPI document. Calls of ``tenants``."""

from __future__ import annotations

import builtins

from weft.client import operations
from weft.client.line import AsyncLine
from weft.client.operation import Call
from weft.client.shapes.tenants import TenantView


class AsyncTenants:
    """The operations of ``tenants``."""

    def __init__(self, line: AsyncLine) -> None:
        self._line = line

    async def list(self) -> builtins.list[TenantView]:
        """The caller's tenant."""
        return await self._line.send(Call(answer=builtins.list[TenantView], operation=operations.TENANTS_LIST))
