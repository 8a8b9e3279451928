"""Written by scripts/client from the OpenAPI document. Calls of ``schedules``."""

from __future__ import annotations

from typing import Unpack

from weft.client import operations
from weft.client.given.schedules import AddSchedule, SchedulesListQuery, SchedulesNextQuery
from weft.client.items import AsyncItems
from weft.client.line import AsyncLine
from weft.client.operation import Call
from weft.client.shapes.schedules import AutomationItem, AutomationPage, AutomationView, Removed, Upcoming


class AsyncSchedules:
    """The operations of ``schedules``."""

    def __init__(self, line: AsyncLine) -> None:
        self._line = line

    async def add(self, **body: Unpack[AddSchedule]) -> AutomationItem:
        """Add a schedule."""
        return await self._line.send(Call(answer=AutomationItem, operation=operations.SCHEDULES_ADD, body=dict(body)))

    def list(self, **query: Unpack[SchedulesListQuery]) -> AsyncItems[AutomationItem, AutomationPage]:
        """All of them, by name."""
        return AsyncItems(
            self._line, Call(answer=AutomationPage, operation=operations.SCHEDULES_LIST, query=dict(query)), "cursor"
        )

    async def show(self, name: str, /) -> AutomationView:
        """One of them, and what it has done lately."""
        return await self._line.send(
            Call(answer=AutomationView, operation=operations.SCHEDULES_SHOW, path={"name": name})
        )

    async def remove(self, name: str, /) -> Removed:
        """Forget it. Runs that it has started stay."""
        return await self._line.send(Call(answer=Removed, operation=operations.SCHEDULES_REMOVE, path={"name": name}))

    async def pause(self, name: str, /) -> AutomationItem:
        """Keep it from starting runs, until it is resumed."""
        return await self._line.send(
            Call(answer=AutomationItem, operation=operations.SCHEDULES_PAUSE, path={"name": name})
        )

    async def resume(self, name: str, /) -> AutomationItem:
        """Let it start runs again. What fell into the pause is not made up for."""
        return await self._line.send(
            Call(answer=AutomationItem, operation=operations.SCHEDULES_RESUME, path={"name": name})
        )

    async def next(self, name: str, /, **query: Unpack[SchedulesNextQuery]) -> Upcoming:
        """The next times of a schedule."""
        return await self._line.send(
            Call(answer=Upcoming, operation=operations.SCHEDULES_NEXT, path={"name": name}, query=dict(query))
        )
