"""``weft fork``, ``weft rerun``, ``weft diff``, ``weft replay``, ``weft promote`` and ``weft discard``."""

from __future__ import annotations

from typing import Annotated

import typer

from weft.app.service import Service
from weft.cli.commands import WORK
from weft.cli.options import AsJson, Quiet, RunName
from weft.cli.reach import ask
from weft.cli.render.consoles import console
from weft.cli.render.runs import run_json
from weft.cli.render.travel import diff_table
from weft.cli.terminal import clean, paint, say, say_json, symbol, tell
from weft.core.errors import EXIT_CODES, InputError
from weft.engine.diff import Line
from weft.engine.replayed import Replayed
from weft.store.runs import Run

Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A new value of the run (topic=…) or of a recorded step (/draft.response=…); may be repeated.",
        show_default=False,
    ),
]
Other = Annotated[str, typer.Argument(metavar="OTHER", help="The run to compare it with.", show_default=False)]


def fork(
    run: RunName,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="STEP|SEQ",
            help="Share the past up to the end of this step or composite, or up to the event of this number.",
            show_default=False,
        ),
    ] = None,
    changes: Changes = None,
    no_drive: Annotated[
        bool, typer.Option("--no-drive", help="Only make the new run; `weft resume` makes it go.")
    ] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Start a new run that shares the past of another one. Without --at it forks where that run stands."""

    async def make(service: Service) -> str:
        return await service.fork(service.find(run).id, at=at, changes=_changes(changes))

    return _go(ask(make), drive=not no_drive, quiet=quiet, as_json=as_json)


def rerun(
    run: RunName,
    step: Annotated[
        str,
        typer.Option("--from", metavar="STEP", help="The step or composite that is done again.", show_default=False),
    ],
    changes: Changes = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Do a run again from a step on, as a new run that shares what came before it."""

    async def make(service: Service) -> str:
        return await service.fork(service.find(run).id, before=step, changes=_changes(changes))

    return _go(ask(make), drive=True, quiet=quiet, as_json=as_json)


def diff(
    run: RunName,
    other: Other,
    everything: Annotated[bool, typer.Option("--all", help="Show also what is the same.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare two runs path by path: status, value, consumption and duration. Times make no difference."""

    async def look(service: Service) -> tuple[Run, Run, list[Line]]:
        first, second = service.find(run), service.find(other)
        return first, second, service.diff(first.id, second.id)

    first, second, lines = ask(look)
    same = sum(line.change == "same" for line in lines)
    if as_json:
        shown = [line.as_json() for line in lines if everything or line.change != "same"]
        say_json({"first": first.id, "second": second.id, "same": same, "lines": shown})
        return
    shown_lines = [line for line in lines if everything or line.change != "same"]
    if shown_lines:
        console().print(diff_table(shown_lines, first.id, second.id))
    say(f"{same} the same, {len(lines) - same} different")


def replay(run: RunName, as_json: AsJson = False) -> int:
    """Walk the plan of a run again over its journal, perform nothing, and prove that the same events come out (else exit code 17)."""

    async def look(service: Service) -> Replayed:
        return await service.replay(service.find(run).id)

    found = ask(look)
    first = found.difference
    if as_json:
        data = {"run_id": found.run_id, "same": first is None, "events": found.events, "derived": found.derived}
        say_json(data | {"first_difference": first.as_json() if first else None})
    elif first is None:
        mark = paint(symbol("✓", "ok"), "green")
        say(f"{mark} {found.run_id}: {found.events} events, {found.derived} of them derived again, all the same")
    else:
        mark = paint(symbol("✗", "BAD"), "red")
        say(
            f"{mark} {found.run_id}: event {first.seq} does not come out again{' at ' if first.path else ''}{clean(first.path)}"
        )
        say(f"  the journal says  {clean(first.recorded)}")
        say(f"  the replay says   {clean(first.replayed)}")
        say(
            f"  {paint('fix:', 'bold')} `weft verify {found.run_id}` proves the journal; replay with the Weft that recorded it"
        )
    return 0 if first is None else EXIT_CODES["mismatch"]


def promote(run: RunName, as_json: AsJson = False) -> None:
    """Make a run the current one of its line: the run that it and its siblings were forked from, and all of those."""

    async def act(service: Service) -> Run:
        found = service.find(run)
        await service.promote(found.id)
        return found

    found = ask(act)
    if as_json:
        say_json({**run_json(found), "current": True})
    else:
        say(f"Run {found.id} is the current one of its line.")


def discard(run: RunName, as_json: AsJson = False) -> None:
    """Drop a fork and its children for good. Refused while a process drives it or others build on it."""

    async def act(service: Service) -> list[str]:
        return await service.discard(service.find(run).id)

    gone = ask(act)
    if as_json:
        say_json({"discarded": gone})
    else:
        for run_id in gone:
            say(f"Run {run_id} is gone.")


def _go(run_id: str, *, drive: bool, quiet: bool, as_json: bool) -> int:
    if drive:
        work = WORK["resume"].load()
        code: int = work(run_id, trace=False, durability=None, quiet=quiet, as_json=as_json)
        return code
    if as_json:
        say_json({"run_id": run_id, "status": "queued"})
    else:
        say(run_id)
        tell(f"  weft resume {run_id}   make it go")
    return 0


def _changes(assignments: list[str] | None) -> dict[str, str]:
    changes = {}
    for text in assignments or ():
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise InputError(f"--set {text!r} is not NAME=VALUE", fix="write for example --set topic=rain")
        changes[name] = value
    return changes
