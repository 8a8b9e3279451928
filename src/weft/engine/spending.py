"""What a run consumes: its total, what its children have consumed so far, and the budgets that all of it counts against."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from weft.core.usage import Usage
from weft.engine.budget import Ledger, Level
from weft.engine.port import Settings
from weft.engine.state import RunState, within
from weft.plan.nodes import Budget


class Above(Protocol):
    """What a child run spends counts above it as well."""

    def admit(self) -> None:
        """Let a request begin, or raise a `BudgetError`."""
        ...

    def spent(self, total: Usage) -> None:
        """So much has been spent in all."""
        ...


Warned = tuple[str, Level]
"""The path of a budget, and the limit of it that is used to the share at which it warns."""


class Spending:
    """Counts what is consumed as it comes, and says which budgets have to warn of it for the first time."""

    def __init__(self, state: RunState, above: Above | None) -> None:
        self.total = state.total()
        self._state = state
        self._ledgers: dict[tuple[str, Budget], Ledger] = {}
        self._ahead: dict[str, Usage] = {}
        self._above = above
        if above is not None:
            above.spent(self.total)

    def open_budget(self, path: str, budget: Budget) -> None:
        """Count what is inside `path` from now on, starting with what the journal says."""
        # Blocks directly inside each other may share a path, and each has its own limits.
        if (path, budget) not in self._ledgers:
            self._ledgers[path, budget] = Ledger(path, budget, self._state)

    def admit(self, path: str, settings: Settings, *, call: bool, spends: bool) -> Iterable[Warned]:
        """Let a call or a request begin, or not.

        Raises:
            BudgetError: a budget that it counts against is used up.
        """
        if not settings.budgets and not (spends and self._above is not None):
            return ()
        ledgers = [self._ledgers[name] for name in settings.budgets]
        for ledger in ledgers:
            if call:
                ledger.admit_call(path)
            if spends:
                ledger.admit_request(path)
        if spends and self._above is not None:
            self._above.admit()
        if not call:
            return ()
        # Counted only when every budget lets it begin.
        for ledger in ledgers:
            ledger.count_call(path)
        return self._warnings(ledgers)

    def ended(self, path: str, usage: Usage) -> Iterable[Warned]:
        """The step at `path`, whose `usage` is in the total, has ended."""
        # What a child spent was counted while it did.
        return self._count(path, usage - self._ahead.pop(path, Usage()))

    def child(self, path: str, total: Usage) -> Iterable[Warned]:
        """The child run at `path` has consumed `total` so far, which counts here before it ends."""
        more = total - self._ahead.get(path, Usage())
        self._ahead[path] = total
        return self._count(path, more)

    def _count(self, path: str, usage: Usage) -> Iterable[Warned]:
        around = [ledger for ledger in self._ledgers.values() if within(path, ledger.path)]
        for ledger in around:
            ledger.add(usage)
        if self._above is not None:
            self._above.spent(sum(self._ahead.values(), self.total))
        return self._warnings(around)

    def _warnings(self, ledgers: Iterable[Ledger]) -> Iterator[Warned]:
        for ledger in ledgers:
            for level in ledger.warnings():
                if (ledger.path, level.limit) not in self._state.warned:
                    yield ledger.path, level
