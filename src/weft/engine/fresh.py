"""Runs that have just begun."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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


def beginning(
    plan: Plan,
    plan_hash: str,
    scope: Mapping[str, Any],
    inputs: Mapping[str, Any] | None,
    options: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """What a `run.created` says of what is to be run."""
    data = {"workflow": plan.workflow, "plan_hash": plan_hash, "scope": dict(scope), "options": dict(options or {})}
    if inputs is not None and inputs not in (scope, scope.get("inputs")):
        # What lists show is mostly what templates see as well.
        data["inputs"] = dict(inputs)
    return data
