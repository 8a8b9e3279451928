"""Written by scripts/client from the OpenAPI document. Calls of ``roles``."""

from __future__ import annotations

import builtins

from weft.client import operations
from weft.client.line import AsyncLine
from weft.client.operation import Call
from weft.client.shapes.roles import RoleView


class AsyncRoles:
    """The operations of ``roles``."""

    def __init__(self, line: AsyncLine) -> None:
        self._line = line

    async def list(self) -> builtins.list[RoleView]:
        """Every role, and what it may do."""
        return await self._line.send(Call(answer=builtins.list[RoleView], operation=operations.ROLES_LIST))
