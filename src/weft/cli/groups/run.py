"""``weft run``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from weft.app.service import RunRequest
from weft.cli.commands import WORK
from weft.cli.options import AsJson, BaseUrl, Durability, Model, Offline, Provider, Quiet, Trace, choice
from weft.cli.variables import variables
from weft.core.errors import InputError


def run(
    *,
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="The workflow file.", show_default=False)] = None,
    var: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="A value for an input; may be repeated. NAME=@FILE reads it from a file.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder for artifacts.")] = Path("artifacts"),
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that this run did not write.")] = False,
    provider: Provider = None,
    model: Model = None,
    base_url: BaseUrl = None,
    offline: Offline = False,
    ask: Annotated[bool, typer.Option("--ask", "-a", help="Ask for required inputs that are missing.")] = False,
    trace: Trace = False,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Run it in the background and print its id.")] = False,
    resume: Annotated[
        str | None,
        typer.Option("--resume", "-r", metavar="RUN", help="The same as `weft resume RUN`.", show_default=False),
    ] = None,
    hitl_response: Annotated[
        str | None,
        typer.Option(
            "--hitl-response",
            metavar="TEXT",
            help="With --resume: the answer to its gate, as `weft approve RUN --answer TEXT` gives it.",
            show_default=False,
        ),
    ] = None,
    durability: Durability = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Run a workflow. The result goes to standard output, everything else to standard error; Ctrl-C leaves the run resumable."""
    if (file is None) == (resume is None):
        raise InputError(
            "give a workflow file" if file is None else "give a workflow file or --resume, not both",
            fix="`weft run FILE` starts a run, `weft resume RUN` makes one go on",
        )
    if hitl_response is not None and resume is None:
        raise InputError("--hitl-response answers a run that waits", fix="name it with --resume RUN")
    if resume is not None and hitl_response is not None:
        answered: int = WORK["respond"].load()(resume, hitl_response, quiet=quiet, as_json=as_json)
        return answered
    if resume is not None:
        going_on: int = WORK["resume"].load()(resume, trace=trace, durability=durability, quiet=quiet, as_json=as_json)
        return going_on
    assert file is not None
    request = RunRequest(
        file=file,
        variables=variables(var or ()),
        out=out,
        force=force,
        choice=choice(provider, model, base_url, offline=offline),
        queued=detach,
    )
    code: int = WORK["run"].load()(request, ask=ask, trace=trace, durability=durability, quiet=quiet, as_json=as_json)
    return code
