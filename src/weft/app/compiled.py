"""Workflow files that were loaded and compiled, kept for as long as every file that they were made of stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from weft.app.service import ModelChoice
from weft.plan.nodes import Plan
from weft.spec.model.workflow import Workflow
from weft.spec.reads import Stamp, stamp, watched

_MOST = 256
Made = tuple[Workflow, Plan]
_Key = tuple[Path, str, ModelChoice]


@dataclass(frozen=True, slots=True)
class _Known:
    made: Made
    of: Mapping[Path, Stamp]


class CompiledFiles:
    """Workflows and plans by file, agent and choice of model.

    A plan that is kept is the same object each time, by which others know that they have seen it.
    """

    def __init__(self) -> None:
        self._known: dict[_Key, _Known] = {}

    def made(self, file: Path, agent: str, choice: ModelChoice, make: Callable[[], Made]) -> Made:
        """What `make` makes of a file, or has made of it before."""
        key = (file.absolute(), agent, choice)
        known = self._known.get(key)
        if known is not None and all(stamp(path) == before for path, before in known.of.items()):
            return known.made
        with watched() as files:
            made = make()
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[key] = _Known(made, files)
        return made
