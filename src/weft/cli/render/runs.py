"""Runs: one as data, many as a table."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from weft.cli.render.figures import consumed, short, usage_json, when
from weft.cli.terminal import clean
from weft.core.clock import iso
from weft.store.runs import Run

COLOURS = {
    "queued": "cyan",
    "running": "blue",
    "waiting": "yellow",
    "completed": "green",
    "failed": "red",
    "cancelled": "magenta",
    "stalled": "red",
}


def run_json(run: Run) -> dict[str, Any]:
    """The run as ``--json`` prints it. Times are ISO 8601 in UTC."""
    return {
        "run_id": run.id,
        "workflow": run.workflow,
        "status": run.status,
        "driven": run.driven,
        "created_at": iso(run.created_at),
        "updated_at": iso(run.updated_at),
        "session": run.session,
        "plan_hash": run.plan_hash,
        "events": run.head_seq,
        "inputs": run.inputs,
        "options": run.options,
        "waits": list(run.waits),
        "usage": usage_json(run.usage),
        "error": run.error,
        "parent": run.parent,
        "forked_from": None if run.base_run is None else {"run_id": run.base_run, "seq": run.base_seq},
    }


def status_text(run: Run) -> Text:
    """The status of a run, with what lists should say besides."""
    text = Text(run.status, style=COLOURS.get(run.status, ""))
    if run.status in {"queued", "running"} and not run.driven:
        text.append(" (not driven)", style="dim")
    elif run.status == "waiting" and run.waits:
        text.append(f" ({', '.join(sorted({str(wait.get('kind', '?')) for wait in run.waits}))})", style="dim")
    return text


def runs_table(runs: Sequence[Run], current: Collection[str] = ()) -> Table:
    """Runs, one a line; those that are the `current` ones of their lines of forks are marked."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("RUN", no_wrap=True, min_width=36)
    table.add_column("STATUS", overflow="ellipsis", no_wrap=True, min_width=9)
    table.add_column("WORKFLOW", overflow="ellipsis", no_wrap=True, ratio=1)
    table.add_column("STARTED", no_wrap=True)
    table.add_column("CONSUMED", overflow="ellipsis", no_wrap=True)
    for run in runs:
        workflow = Text(short(clean(run.workflow), 60))
        if run.id in current:
            workflow.append(" *", style="bold")
        if run.base_run is not None:
            workflow.append(f" (fork of {run.base_run[-12:]} at {run.base_seq})", style="dim")
        elif run.parent is not None:
            workflow.append(f" (child of {run.parent[-12:]})", style="dim")
        table.add_row(run.id, status_text(run), workflow, when(run.created_at), consumed(run.usage))
    return table
