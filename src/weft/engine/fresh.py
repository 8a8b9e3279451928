"""Runs that have just begun."""

from __future__ import annotations

from dataclasses import dataclass

from weft.engine.state import RunState
from weft.plan.nodes import Plan
from weft.store.runs import Run


@dataclass(slots=True)
class Fresh:
    """A run that an engine has just created and claimed in one append; `bell` is what the inbox rang then."""

    run: Run
    plan: Plan
    state: RunState
    bell: tuple[int, int]
