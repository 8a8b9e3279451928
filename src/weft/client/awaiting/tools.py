"""Written by scripts/client from the OpenAPI document. Calls of ``tools``."""

from __future__ import annotations

from typing import Unpack

from weft.client import operations
from weft.client.given.tools import ToolsListQuery
from weft.client.items import AsyncItems
from weft.client.line import AsyncLine
from weft.client.operation import Call
from weft.client.shapes.tools import ToolPage, ToolView


class AsyncTools:
    """The operations of ``tools``."""

    def __init__(self, line: AsyncLine) -> None:
        self._line = line

    def list(self, **query: Unpack[ToolsListQuery]) -> AsyncItems[ToolView, ToolPage]:
        """The built-in tools, or the tools of a workflow. Its servers are named, not asked."""
        return AsyncItems(
            self._line, Call(answer=ToolPage, operation=operations.TOOLS_LIST, query=dict(query)), "cursor"
        )
