"""Written by scripts/client from the OpenAPI document. Calls of ``flags``."""

from __future__ import annotations

import builtins
from typing import Unpack

from weft.client import operations
from weft.client.given.flags import NewValue
from weft.client.line import AsyncLine
from weft.client.operation import Call
from weft.client.shapes.flags import FlagView


class AsyncFlags:
    """The operations of ``flags``."""

    def __init__(self, line: AsyncLine) -> None:
        self._line = line

    async def list(self) -> builtins.list[FlagView]:
        """Every flag."""
        return await self._line.send(Call(answer=builtins.list[FlagView], operation=operations.FLAGS_LIST))

    async def set(self, name: str, /, **body: Unpack[NewValue]) -> FlagView:
        """Have a flag say something else, at once and without a restart."""
        return await self._line.send(
            Call(answer=FlagView, operation=operations.FLAGS_SET, path={"name": name}, body=dict(body))
        )
