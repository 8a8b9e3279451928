"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from weft.app.service import ModelChoice

File = Annotated[Path, typer.Argument(metavar="FILE", help="The workflow file, or file.py:name.", show_default=False)]
RunName = Annotated[
    str,
    typer.Argument(
        metavar="RUN", help="The id of a run, its beginning or end when only one fits, or `last`.", show_default=False
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Provider = Annotated[
    str | None,
    typer.Option("--provider", metavar="NAME", help="Use this provider, whatever the file says.", show_default=False),
]
Model = Annotated[
    str | None,
    typer.Option("--model", metavar="NAME", help="Use this model, whatever the file says.", show_default=False),
]
BaseUrl = Annotated[
    str | None,
    typer.Option("--base-url", metavar="URL", help="Reach the provider at this address.", show_default=False),
]
Offline = Annotated[
    bool, typer.Option("--offline", help="Run every agent on the built-in model: no network, no key, no cost.")
]
Durability = Annotated[
    Literal["full", "fast"] | None,
    typer.Option(
        "--durability",
        help="`full` survives power loss; `fast` survives a killed process and may lose the tail on power loss.",
        show_default=False,
    ),
]
Trace = Annotated[bool, typer.Option("--trace", help="Write `<name>-trace.json` into the output folder.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print the result and errors, nothing else.")]


def choice(provider: str | None, model: str | None, base_url: str | None, *, offline: bool) -> ModelChoice:
    """The choice of model that the flags make."""
    return ModelChoice(provider=provider, model=model, base_url=base_url, offline=offline)
