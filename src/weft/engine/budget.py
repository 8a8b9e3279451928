"""Budgets: what is inside a block may consume so much and no more.

No request starts at or above a limit, so a budget is overshot at most by the requests that were in flight.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from weft.core.errors import BudgetError, Place
from weft.core.usage import Usage
from weft.engine.fold import RunState
from weft.engine.state import within
from weft.plan.nodes import Budget


@dataclass(frozen=True, slots=True)
class Level:
    """How far one limit of a budget is used."""

    limit: str
    used: Decimal
    of: Decimal


class Ledger:
    """What has been consumed under one path, against its budget."""

    def __init__(self, path: str, budget: Budget, state: RunState) -> None:
        self.path = path
        self.budget = budget
        self._usage = sum((used for at, used in state.usage.items() if within(at, path)), Usage())
        self._calls = {at for at in state.calls if within(at, path)}

    def add(self, usage: Usage) -> None:
        """Something inside has consumed `usage`."""
        self._usage += usage

    def admit_call(self, path: str) -> None:
        """Refuse the call at `path` if it is one too many.

        Raises:
            BudgetError: as many calls as allowed have begun.
        """
        limit = self.budget.max_steps
        if limit is not None and path not in self._calls and len(self._calls) >= limit:
            raise self._reached(Level("max_steps", Decimal(limit), Decimal(limit)), path)

    def count_call(self, path: str) -> None:
        """The call at `path` begins; one that begins again counts once."""
        self._calls.add(path)

    def admit_request(self, path: str) -> None:
        """Refuse a request when a limit on tokens or money is reached.

        Raises:
            BudgetError: it is.
        """
        for level in self.levels():
            if level.limit != "max_steps" and level.used >= level.of:
                raise self._reached(level, path)

    def warnings(self) -> Iterator[Level]:
        """The limits that are used to the share at which the budget warns."""
        warn_at = Decimal(str(self.budget.warn_at))
        return (level for level in self.levels() if level.used >= level.of * warn_at)

    def levels(self) -> Iterator[Level]:
        """How far each limit is used."""
        budget = self.budget
        if budget.max_tokens is not None:
            yield Level("max_tokens", Decimal(self._usage.tokens), Decimal(budget.max_tokens))
        if budget.max_cost is not None:
            yield Level("max_cost_usd", self._usage.cost, Decimal(budget.max_cost))
        if budget.max_steps is not None:
            yield Level("max_steps", Decimal(len(self._calls)), Decimal(budget.max_steps))

    def _reached(self, level: Level, path: str) -> BudgetError:
        return BudgetError(
            f"the budget is used up: {level.limit} is {level.of:f} and {level.used:f} are used",
            fix=f"raise {level.limit} in the workflow's budgets, or make the work smaller",
            place=Place(path=path),
            limit=level.limit,
            budget=self.path,
        )
