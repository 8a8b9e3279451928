"""Written by scripts/client from the OpenAPI document. Calls of ``agents``."""

from __future__ import annotations

from typing import Unpack

from weft.client import operations
from weft.client.given.agents import AgentsListQuery
from weft.client.items import AsyncItems
from weft.client.line import AsyncLine
from weft.client.operation import Call
from weft.client.shapes.agents import AgentItem, AgentPage, AgentView


class AsyncAgents:
    """The operations of ``agents``."""

    def __init__(self, line: AsyncLine) -> None:
        self._line = line

    def list(self, **query: Unpack[AgentsListQuery]) -> AsyncItems[AgentItem, AgentPage]:
        """The agents that can be run by themselves, by name."""
        return AsyncItems(
            self._line, Call(answer=AgentPage, operation=operations.AGENTS_LIST, query=dict(query)), "cursor"
        )

    async def show(self, name: str, /) -> AgentView:
        """One agent with its schemas, its tools and its card."""
        return await self._line.send(Call(answer=AgentView, operation=operations.AGENTS_SHOW, path={"name": name}))
