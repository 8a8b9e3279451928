"""Runs that have just begun."""

from __future__ import annotations

from dataclasses import dataclass

from weft.engine.state import RunState
from weft.plan.nodes import Plan
from weft.store.append import NewRun
from weft.store.runs import Run, created


@dataclass(slots=True)
class Fresh:
    """A run that an engine has just created and claimed in one append; `bell` is what the inbox rang `at` that time."""

    new: NewRun
    at: int
    plan: Plan
    state: RunState
    bell: tuple[int, int]

    @property
    def run(self) -> Run:
        """The run as its row says it."""
        return created(self.new, self.at)
