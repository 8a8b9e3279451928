"""Written by scripts/client from the OpenAPI document. Calls of ``gates``."""

from __future__ import annotations

from typing import Unpack

from weft.client import operations
from weft.client.given.gates import Decision, GatesListQuery
from weft.client.items import Items
from weft.client.line import Line
from weft.client.operation import Call
from weft.client.shapes.gates import Decided, GatePage, GateView


class Gates:
    """The operations of ``gates``."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def list(self, **query: Unpack[GatesListQuery]) -> Items[GateView, GatePage]:
        """What waits for an answer, in all runs, the newest first."""
        return Items(self._line, Call(answer=GatePage, operation=operations.GATES_LIST, query=dict(query)), "cursor")

    def show(self, gate_id: str, /) -> GateView:
        """One gate: what it asks, whom, and what was decided."""
        return self._line.send(Call(answer=GateView, operation=operations.GATES_SHOW, path={"gate_id": gate_id}))

    def decide(self, gate_id: str, /, **body: Unpack[Decision]) -> Decided:
        """Answer a gate; its run goes on at once. When something else was decided before, the 409 says what (`ids.decision`)."""
        return self._line.send(
            Call(answer=Decided, operation=operations.GATES_DECIDE, path={"gate_id": gate_id}, body=dict(body))
        )
