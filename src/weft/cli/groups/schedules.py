"""``weft schedules``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from weft.app.automation.desk import NewAutomation
from weft.app.automation.rules import Schedule, made
from weft.app.automation.written import Manner
from weft.app.service import Service
from weft.cli.groups.automations import Name, listed, synchronise, told
from weft.cli.options import AsJson, BaseUrl, File, Model, Offline, Provider, choice
from weft.cli.reach import ask
from weft.cli.terminal import say, say_json
from weft.cli.variables import variables
from weft.core.clock import iso
from weft.core.errors import InputError
from weft.spec.recurrence import seconds
from weft.store.automations import Automation

Given = Annotated[str, typer.Option("--name", metavar="NAME", help="Its name; that of the workflow by default.")]
Vars = Annotated[
    list[str] | None,
    typer.Option("--var", metavar="NAME=VALUE", help="A value for an input; may be repeated.", show_default=False),
]
Out = Annotated[Path, typer.Option(metavar="DIR", help="The folder for artifacts; each run has its own in it.")]
Pin = Annotated[bool, typer.Option("--pin", help="Start nothing once the workflow has changed.")]


def add(  # noqa: PLR0917 -- a command's options are its parameters
    file: File,
    cron: Annotated[
        str | None,
        typer.Option(metavar="EXPRESSION", help="Minute, hour, day, month, day of the week.", show_default=False),
    ] = None,
    every: Annotated[
        str | None, typer.Option(metavar="LENGTH", help="Such as 15m or 1h30m.", show_default=False)
    ] = None,
    tz: Annotated[str, typer.Option(metavar="ZONE", help="The time zone of --cron.")] = "UTC",
    name: Given = "",
    overlap: Annotated[
        Literal["skip", "buffer", "allow", "cancel"],
        typer.Option(help="What happens when the run before has not ended."),
    ] = "skip",
    catch_up: Annotated[
        str, typer.Option(metavar="LENGTH", help="How old a missed time may be to be made up for.")
    ] = "1h",
    jitter: Annotated[str, typer.Option(metavar="LENGTH", help="Put each start off by up to this.")] = "0",
    var: Vars = None,
    out: Out = Path("artifacts"),
    pin: Pin = False,
    provider: Provider = None,
    model: Model = None,
    base_url: BaseUrl = None,
    offline: Offline = False,
    as_json: AsJson = False,
) -> None:
    """Run a workflow at set times. A worker (`weft worker`) starts the runs.

    Without --cron and --every, make active what the file itself says under `schedule` and `triggers`.
    """
    models = choice(provider, model, base_url, offline=offline)
    if cron is None and every is None:
        if name or var or (tz, overlap, catch_up, jitter) != ("UTC", "skip", "1h", "0"):
            raise InputError(
                "a schedule has either a cron expression or a length, or all that is said of it stands in the file",
                fix="give --cron or --every, or leave out --name, --var, --tz, --overlap, --catch-up and --jitter",
            )
        synchronise(file, Manner(out=out, choice=models, pin=pin), as_json=as_json)
        return
    rule = made(
        Schedule,
        cron=cron,
        every=None if every is None else seconds(every),
        tz=tz,
        overlap=overlap,
        catch_up_s=seconds(catch_up),
        jitter_s=seconds(jitter),
    )
    new = NewAutomation(
        rule=rule, file=file, name=name, variables=variables(var or ()), out=out, choice=models, pin=pin
    )

    async def work(service: Service) -> Automation:
        return await service.add_automation(new)

    told(ask(work), as_json=as_json)


def sync(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="A workflow file, or a folder of them.", show_default=False)
    ],
    out: Out = Path("artifacts"),
    pin: Pin = False,
    provider: Provider = None,
    model: Model = None,
    base_url: BaseUrl = None,
    offline: Offline = False,
    as_json: AsJson = False,
) -> None:
    """Make active what workflow files say under `schedule` and `triggers`, and forget what they no longer say."""
    models = choice(provider, model, base_url, offline=offline)
    synchronise(path, Manner(out=out, choice=models, pin=pin), as_json=as_json)


def list_all(as_json: AsJson = False) -> None:
    """List all schedules."""
    listed("schedule", none="No schedules yet: `weft schedules add FILE --cron …` makes one.", as_json=as_json)


def upcoming(
    name: Name,
    count: Annotated[int, typer.Option("-n", metavar="N", min=1, max=1_000, help="How many.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Show when a schedule is next due."""

    async def look(service: Service) -> list[int]:
        return service.upcoming(name, count)

    times = [iso(at) for at in ask(look)]
    if as_json:
        say_json({"name": name, "next": times})
        return
    for at in times:
        say(at)
