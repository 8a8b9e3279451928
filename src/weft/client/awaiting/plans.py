"""Written by scripts/client from the OpenAPI document. Calls of ``plans``."""

from __future__ import annotations

from typing import Unpack

from weft.client import operations
from weft.client.given.plans import Invalidating, PlansListQuery
from weft.client.items import AsyncItems
from weft.client.line import AsyncLine
from weft.client.operation import Call
from weft.client.shapes.plans import Invalidated, KeptPlan, KeptPlanPage


class AsyncPlans:
    """The operations of ``plans``."""

    def __init__(self, line: AsyncLine) -> None:
        self._line = line

    def list(self, **query: Unpack[PlansListQuery]) -> AsyncItems[KeptPlan, KeptPlanPage]:
        """The plans that are used again for the same request, the newest first."""
        return AsyncItems(
            self._line, Call(answer=KeptPlanPage, operation=operations.PLANS_LIST, query=dict(query)), "cursor"
        )

    async def invalidate(self, **body: Unpack[Invalidating]) -> Invalidated:
        """Remove plans, so that the next run with the same request makes a new one."""
        return await self._line.send(Call(answer=Invalidated, operation=operations.PLANS_INVALIDATE, body=dict(body)))
