"""``weft up``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from weft.cli.commands import WORK
from weft.cli.options import AsJson
from weft.cli.terminal import tell
from weft.core.errors import UnsupportedError


def up(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FOLDER]...", help="Folders whose workflows and agents are served."),
    ] = None,
    host: Annotated[str | None, typer.Option(metavar="ADDRESS", help="The address to listen on.")] = None,
    port: Annotated[
        int | None, typer.Option(metavar="N", min=0, max=65_535, help="The port; 0 takes a free one.")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Use the built-in model, whatever workflows say.")] = False,
    profile: Annotated[
        str | None,
        typer.Option("--profile", metavar="NAME", help="Serve for a test kit instead: `a2a-conformance`."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Serve workflows and agents over HTTP until it is stopped."""
    if not as_json:
        tell("starting the service …")
    try:
        serve = WORK["up"].load()
    except ModuleNotFoundError as error:
        raise UnsupportedError(
            f"the service needs the package {error.name!r}", fix="pip install 'weft[server]'"
        ) from error
    code: int = serve(folders=folders or [], host=host, port=port, offline=offline, profile=profile, as_json=as_json)
    return code
