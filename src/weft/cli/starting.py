"""Starting a run: staying with it, or leaving it to a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace

import typer

from weft.app.service import UNSET, ModelChoice, RunRequest, Service
from weft.cli import logs, reach
from weft.cli.attending import Manner, asks, attend
from weft.cli.drive import Interrupts
from weft.cli.outcome import Ending, ending, tell_ending
from weft.cli.render.problems import problem_lines
from weft.cli.terminal import say, say_json, steers_error, tell
from weft.cli.unsupported import write_report
from weft.cli.variables import required
from weft.core.errors import InputError, UnsupportedError
from weft.core.settings import Settings, load_settings


def start(
    request: RunRequest,
    *,
    ask: bool,
    trace: bool,
    durability: str | None,
    quiet: bool,
    as_json: bool,
    keep: bool = True,
) -> int:
    """Start a run as `request` says, in the background when it is queued, and return the exit code.

    Unless it is to be kept, what is recorded of it is deleted once it has completed.
    """
    settings = load_settings()
    logs.start(settings.log.level, settings.log.format)
    if not reach.elsewhere():
        request = replace(request, choice=chosen(settings, request.choice))
    try:
        if request.queued:
            if not keep:
                raise InputError(
                    "a run in the background cannot be thrown away at its end", fix="leave one of them out"
                )
            return _detached(request, ask=ask, trace=trace, durability=durability, as_json=as_json)
        return _attended(request, ask=ask, trace=trace, durability=durability, quiet=quiet, as_json=as_json, keep=keep)
    except UnsupportedError as error:
        report = write_report(request.out, request.file, error)
        if not as_json:
            tell(f"The report is in {report}.")
        raise


def _attended(
    request: RunRequest,
    *,
    ask: bool,
    trace: bool,
    durability: str | None,
    quiet: bool,
    as_json: bool,
    keep: bool,
) -> int:
    """Start a run and stay with it."""

    async def whole(service: Service) -> Ending:
        prepared = _prepared(service, request, ask=ask, quiet=quiet or as_json)
        with Interrupts() as interrupts:
            run_id = await service.start(prepared)
            drove = await attend(
                service, run_id, interrupts, manner=Manner(quiet=quiet or as_json, ask=asks(as_json=as_json))
            )
            end = await ending(service, drove, trace=trace)
            if not keep and end.status == "completed":
                await service.delete(run_id)
            return end

    end = reach.ask(whole, durability=durability, streaming=steers_error() and not (quiet or as_json))
    return tell_ending(end, as_json=as_json, quiet=quiet)


def _detached(request: RunRequest, *, ask: bool, trace: bool, durability: str | None, as_json: bool) -> int:
    """Start a run, leave it to a process of its own, and print its id."""

    async def start(service: Service) -> str:
        return await service.start(_prepared(service, request, ask=ask, quiet=as_json))

    run_id = reach.ask(start, durability=durability)
    if reach.elsewhere():
        if as_json:
            say_json({"run_id": run_id, "status": "queued"})
        else:
            say(run_id)
            tell(f"The service drives it.\n  weft events {run_id} --follow\n  weft cancel {run_id}")
        return 0
    log = logs.folder() / f"{run_id}.log"
    command = [sys.executable, "-m", "weft", "resume", run_id]
    command += ["--trace"] if trace else []
    command += ["--durability", durability] if durability else []
    with log.open("ab") as output:
        subprocess.Popen(  # noqa: S603 -- this very program
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    if as_json:
        say_json({"run_id": run_id, "status": "queued", "log": str(log)})
    else:
        say(run_id)
        tell(f"It runs in the background and writes to {log}.\n  weft events {run_id} --follow\n  weft cancel {run_id}")
    return 0


def _prepared(service: Service, request: RunRequest, *, ask: bool, quiet: bool) -> RunRequest:
    """The request with what the user was asked for; warnings about the file are told on the way."""
    if not quiet:
        problems = service.check(request.file, request.choice).problems
        # With an error among them, whoever refuses the file tells all of them; and a secret that lacks is told by the refusal.
        for problem in () if any(each.severity == "error" for each in problems) else problems:
            for line in problem_lines(problem, sys.stderr) if problem.rule != UNSET else ():
                tell(line)
    if not ask:
        return request
    missing = service.missing_inputs(request.file, request.variables)
    if missing and not sys.stdin.isatty():
        raise required(missing)
    return replace(request, variables={**request.variables, **_answers(missing)})


def _answers(missing: Mapping[str, str]) -> dict[str, str]:
    return {
        name: str(typer.prompt(f"{name} ({about})" if about else name, err=True)) for name, about in missing.items()
    }


def chosen(settings: Settings, flags: ModelChoice) -> ModelChoice:
    """The flags, and what the settings say where they are silent; settings for one provider do not fit another."""
    if flags.offline or (flags.provider and flags.provider != settings.provider):
        return flags
    return replace(
        flags,
        provider=flags.provider or settings.provider,
        model=flags.model or settings.model,
        base_url=flags.base_url or settings.base_url,
    )
