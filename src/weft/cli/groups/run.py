"""``weft run``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from weft.app.service import RunRequest
from weft.cli.commands import WORK
from weft.cli.options import AsJson, BaseUrl, Durability, Model, Offline, Provider, Quiet, Trace, choice
from weft.cli.variables import variables
from weft.core.errors import InputError

WorkflowFile = Annotated[
    Path | None,
    typer.Argument(metavar="FILE", help="The workflow file, or file.py:name.", show_default=False),
]
HitlResponse = Annotated[
    str | None,
    typer.Option(
        "--hitl-response",
        metavar="TEXT",
        help="With --resume: the answer to its gate, as `weft approve RUN --answer TEXT` gives it.",
        show_default=False,
    ),
]
AutoResume = Annotated[
    bool,
    typer.Option("--auto-resume", help="Make the last run of this very file go on, if one has stopped on its way."),
]
SaveSession = Annotated[
    bool, typer.Option("--save-session/--no-save-session", help="Keep the run once it has completed, or delete it.")
]
BypassToolConsent = Annotated[
    bool, typer.Option("--bypass-tool-consent", help="Tell tools that ask by themselves that they need not.")
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Log what happens to standard error.")]
Debug = Annotated[bool, typer.Option("--debug", help="Log everything, and show where a defect of Weft is.")]


_WHICH = "`weft run FILE` starts a run, `weft resume RUN` makes one go on"


def run(
    *,
    file: WorkflowFile = None,
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
    hitl_response: HitlResponse = None,
    auto_resume: AutoResume = False,
    save_session: SaveSession = True,
    bypass_tool_consent: BypassToolConsent = False,
    verbose: Verbose = False,
    debug: Debug = False,
    durability: Durability = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Run a workflow. The result goes to standard output, everything else to standard error; Ctrl-C leaves the run resumable."""
    if (file is None) == (resume is None):
        raise InputError(
            "give a workflow file" if file is None else "give a workflow file or --resume, not both", fix=_WHICH
        )
    _say_to_the_process(verbose=verbose, debug=debug, bypass_tool_consent=bypass_tool_consent)
    if auto_resume and file is not None:
        resume = WORK["again"].load()(file, choice(provider, model, base_url, offline=offline))
    if hitl_response is not None:
        return _respond(resume, hitl_response, quiet=quiet, as_json=as_json)
    if resume is not None:
        return int(WORK["resume"].load()(resume, trace=trace, durability=durability, quiet=quiet, as_json=as_json))
    assert file is not None
    request = RunRequest(
        file=file,
        variables=variables(var or ()),
        out=out,
        force=force,
        choice=choice(provider, model, base_url, offline=offline),
        queued=detach,
    )
    code: int = WORK["run"].load()(
        request, ask=ask, trace=trace, durability=durability, quiet=quiet, as_json=as_json, keep=save_session
    )
    return code


def _say_to_the_process(*, verbose: bool, debug: bool, bypass_tool_consent: bool) -> None:
    """Set what settings and tools read from the environment."""
    if verbose or debug:
        os.environ["WEFT_LOG__LEVEL"] = "debug" if debug else "info"
    if bypass_tool_consent:
        os.environ["BYPASS_TOOL_CONSENT"] = "true"


def _respond(run: str | None, text: str, *, quiet: bool, as_json: bool) -> int:
    if run is None:
        raise InputError("--hitl-response answers a run that waits", fix="name it with --resume RUN")
    code: int = WORK["respond"].load()(run, text, quiet=quiet, as_json=as_json)
    return code
