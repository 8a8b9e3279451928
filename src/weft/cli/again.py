"""The run of a workflow that is to go on, for ``weft run --auto-resume``."""

from __future__ import annotations

from pathlib import Path

from weft.app.service import ModelChoice, Service
from weft.cli.reach import ask, elsewhere
from weft.cli.starting import chosen
from weft.core.settings import load_settings
from weft.store.runs import Run

_PAGE = 100


def latest_open(file: Path, choice: ModelChoice) -> str | None:
    """The newest run of this very workflow that stopped on its way and that nobody drives; None when there is none."""
    selected = choice if elsewhere() else chosen(load_settings(), choice)

    async def look(service: Service) -> str | None:
        checked = service.check(file, selected)
        for run in service.runs(workflow=checked.workflow, limit=_PAGE):
            if run.plan_hash == checked.plan_hash and _stopped(run):
                return run.id
        return None

    return ask(look)


def _stopped(run: Run) -> bool:
    return run.status != "completed" and not run.driven
