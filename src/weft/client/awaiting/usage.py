"""Written by scripts/client from the OpenAPI document. Calls of ``usage``."""

from __future__ import annotations

from typing import Unpack

from weft.client import operations
from weft.client.given.usage import UsageSumQuery
from weft.client.items import AsyncItems
from weft.client.line import AsyncLine
from weft.client.operation import Call
from weft.client.shapes.usage import UsagePage, UsageRow


class AsyncUsage:
    """The operations of ``usage``."""

    def __init__(self, line: AsyncLine) -> None:
        self._line = line

    def sum(self, **query: Unpack[UsageSumQuery]) -> AsyncItems[UsageRow, UsagePage]:
        """What was consumed in a span of time, and what it cost."""
        return AsyncItems(
            self._line, Call(answer=UsagePage, operation=operations.USAGE_SUM, query=dict(query)), "cursor"
        )
