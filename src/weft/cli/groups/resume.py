"""``weft resume``."""

from __future__ import annotations

from typing import Annotated

import typer

from weft.cli.commands import WORK
from weft.cli.options import AsJson, Durability, Quiet, RunName, Trace


def resume(
    run: RunName,
    did: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH=yes|no",
            help="Say of a doubtful step whether it happened; may be repeated.",
            show_default=False,
        ),
    ] = None,
    trace: Trace = False,
    durability: Durability = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Make a run go on where it stopped. What is recorded is not done again; a failed or cancelled run is opened again."""
    work = WORK["resume"].load()
    code: int = work(run, did=did or (), trace=trace, durability=durability, quiet=quiet, as_json=as_json)
    return code
