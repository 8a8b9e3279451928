"""Written by scripts/client from the OpenAPI document. Calls of ``triggers``."""

from __future__ import annotations

from typing import Unpack

from weft.client import operations
from weft.client.given.triggers import AddTrigger, TriggersListQuery
from weft.client.items import Items
from weft.client.line import Line
from weft.client.operation import Call
from weft.client.shapes.schedules import AutomationItem, AutomationPage, AutomationView, Removed


class Triggers:
    """The operations of ``triggers``."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def add(self, **body: Unpack[AddTrigger]) -> AutomationItem:
        """Add a trigger. Folders are those that the service serves, or that its settings allow to tools."""
        return self._line.send(Call(answer=AutomationItem, operation=operations.TRIGGERS_ADD, body=dict(body)))

    def list(self, **query: Unpack[TriggersListQuery]) -> Items[AutomationItem, AutomationPage]:
        """All of them, by name."""
        return Items(
            self._line, Call(answer=AutomationPage, operation=operations.TRIGGERS_LIST, query=dict(query)), "cursor"
        )

    def show(self, name: str, /) -> AutomationView:
        """One of them, and what it has done lately."""
        return self._line.send(Call(answer=AutomationView, operation=operations.TRIGGERS_SHOW, path={"name": name}))

    def remove(self, name: str, /) -> Removed:
        """Forget it. Runs that it has started stay."""
        return self._line.send(Call(answer=Removed, operation=operations.TRIGGERS_REMOVE, path={"name": name}))

    def pause(self, name: str, /) -> AutomationItem:
        """Keep it from starting runs, until it is resumed."""
        return self._line.send(Call(answer=AutomationItem, operation=operations.TRIGGERS_PAUSE, path={"name": name}))

    def resume(self, name: str, /) -> AutomationItem:
        """Let it start runs again. What fell into the pause is not made up for."""
        return self._line.send(Call(answer=AutomationItem, operation=operations.TRIGGERS_RESUME, path={"name": name}))
