"""Written by scripts/client from the OpenAPI document. Calls of ``usage``."""

from __future__ import annotations

from typing import Unpack

from weft.client import operations
from weft.client.given.usage import UsageSumQuery
from weft.client.items import Items
from weft.client.line import Line
from weft.client.operation import Call
from weft.client.shapes.usage import UsagePage, UsageRow


class Usage:
    """The operations of ``usage``."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def sum(self, **query: Unpack[UsageSumQuery]) -> Items[UsageRow, UsagePage]:
        """What was consumed in a span of time, and what it cost."""
        return Items(self._line, Call(answer=UsagePage, operation=operations.USAGE_SUM, query=dict(query)), "cursor")
