"""``weft mcp serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from weft.cli.commands import WORK
from weft.cli.options import AsJson
from weft.core.errors import UnsupportedError


def serve(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FOLDER]...", help="Folders whose workflows and agents are served."),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Use the built-in model, whatever workflows say.")] = False,
    as_json: AsJson = False,
) -> int:
    """Serve workflows and agents as tools of MCP over standard input and output, for the program that starts it."""
    del as_json  # it speaks the protocol alone; an error at the start is printed as JSON where that is asked for
    try:
        work = WORK["mcp"].load()
    except ModuleNotFoundError as error:
        raise UnsupportedError(
            f"the service needs the package {error.name!r}", fix="pip install 'weft[server]'"
        ) from error
    code: int = work(folders=folders or [], offline=offline)
    return code
