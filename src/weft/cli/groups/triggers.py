"""``weft triggers``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from weft.app.automation.desk import NewAutomation
from weft.app.automation.rules import FileTrigger, Rule, RunTrigger, made
from weft.app.service import Service
from weft.cli.groups.automations import listed, told
from weft.cli.groups.schedules import Given, Out, Pin, Vars
from weft.cli.options import AsJson, BaseUrl, File, Model, Offline, Provider, choice
from weft.cli.reach import ask
from weft.cli.variables import variables
from weft.core.errors import InputError
from weft.spec.recurrence import seconds
from weft.store.automations import Automation


class Ending(StrEnum):
    """How a run may end."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


def add(  # noqa: PLR0917 -- a command's options are its parameters
    file: File,
    folder: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Start when a file arrives in this folder.", show_default=False)
    ] = None,
    pattern: Annotated[str, typer.Option(metavar="GLOB", help="Which files.")] = "*",
    settle: Annotated[str, typer.Option(metavar="LENGTH", help="How long a file must not have changed.")] = "2s",
    variable: Annotated[str, typer.Option(metavar="NAME", help="The input that gets the path of the file.")] = "path",
    after: Annotated[
        str | None,
        typer.Option(metavar="WORKFLOW", help="Start when a run of this workflow ends.", show_default=False),
    ] = None,
    status: Annotated[
        list[Ending] | None,
        typer.Option(help="How that run has to end; may be repeated. `completed` by default.", show_default=False),
    ] = None,
    name: Given = "",
    var: Vars = None,
    out: Out = Path("artifacts"),
    pin: Pin = False,
    provider: Provider = None,
    model: Model = None,
    base_url: BaseUrl = None,
    offline: Offline = False,
    as_json: AsJson = False,
) -> None:
    """Run a workflow when a file arrives (--folder) or a run ends (--after). A worker (`weft worker`) starts the runs."""
    if (folder is None) == (after is None):
        raise InputError("a trigger has either a folder or a workflow", fix="give --folder DIR or --after WORKFLOW")
    rule: Rule
    if folder is not None:
        rule = made(FileTrigger, folder=str(folder), pattern=pattern, settle_s=seconds(settle), variable=variable)
    else:
        rule = RunTrigger(workflow=str(after), statuses=tuple(one.value for one in status or (Ending.COMPLETED,)))
    models = choice(provider, model, base_url, offline=offline)
    new = NewAutomation(
        rule=rule, file=file, name=name, variables=variables(var or ()), out=out, choice=models, pin=pin
    )

    async def work(service: Service) -> Automation:
        return await service.add_automation(new)

    told(ask(work), as_json=as_json)


def list_all(as_json: AsJson = False) -> None:
    """List all triggers."""
    listed(
        "file",
        "run",
        "webhook",
        none="No triggers yet: `weft triggers add FILE --folder …` makes one.",
        as_json=as_json,
    )
