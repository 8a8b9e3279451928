"""``weft worker``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from weft.cli.commands import WORK
from weft.cli.options import AsJson


def worker(
    path: Annotated[
        Path | None,
        typer.Argument(
            metavar="PATH",
            help="A workflow file or a folder of them, whose schedules and triggers are made active first.",
            show_default=False,
        ),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Do what is due now, then end.")] = False,
    concurrency: Annotated[int, typer.Option(metavar="N", min=1, max=1_000, help="Runs driven at once.")] = 16,
    drain: Annotated[
        float, typer.Option(metavar="SECONDS", min=0, help="How long running work may go on after a signal to stop.")
    ] = 30.0,
    as_json: AsJson = False,
) -> int:
    """Drive runs that are due, those whose process has died, and those that schedules and triggers start, until it is stopped."""
    code: int = WORK["worker"].load()(path, once=once, concurrency=concurrency, drain=drain, as_json=as_json)
    return code
