"""Written by scripts/client from the OpenAPI document. Calls of ``tools``."""

from __future__ import annotations

from typing import Unpack

from weft.client import operations
from weft.client.given.tools import ToolsListQuery
from weft.client.items import Items
from weft.client.line import Line
from weft.client.operation import Call
from weft.client.shapes.tools import ToolPage, ToolView


class Tools:
    """The operations of ``tools``."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def list(self, **query: Unpack[ToolsListQuery]) -> Items[ToolView, ToolPage]:
        """The built-in tools, or the tools of a workflow. Its servers are named, not asked."""
        return Items(self._line, Call(answer=ToolPage, operation=operations.TOOLS_LIST, query=dict(query)), "cursor")
