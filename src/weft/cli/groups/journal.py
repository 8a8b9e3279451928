"""``weft events``, ``weft why`` and ``weft verify``."""

from __future__ import annotations

import dataclasses
import sys
from typing import Annotated

import typer

from weft.app.service import Service
from weft.cli.options import AsJson, RunName
from weft.cli.reach import ask
from weft.cli.render.events import event_json, event_line
from weft.cli.render.figures import when
from weft.cli.terminal import clean, paint, say, say_json, symbol
from weft.core.clock import iso
from weft.core.errors import EXIT_CODES
from weft.engine.why import WakeSource
from weft.store.history import Verdict
from weft.store.runs import Run


def events(
    run: RunName,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is to come, until it ends.")] = False,
    after: Annotated[int, typer.Option(metavar="SEQ", min=0, help="Only events after this one.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Print the events of a run, one a line. With --json a list of them; with --follow --json one object a line."""

    async def print_all(service: Service) -> None:
        found = service.find(run)
        if as_json and not follow:
            say_json([event_json(event) for event in service.events(found.id, after=after)])
            return
        if not follow:
            for event in service.events(found.id, after=after):
                say(event_line(event))
            return
        async for event in service.follow(found.id, after=after):
            if as_json:
                say_json(event_json(event), indent=None)
            else:
                say(event_line(event))
            sys.stdout.flush()

    ask(print_all)


def why(run: RunName, as_json: AsJson = False) -> None:
    """Say what a run is waiting for, and what can be done about it."""

    async def look(service: Service) -> tuple[Run, list[WakeSource]]:
        found = service.find(run)
        return found, service.why(found.id)

    found, sources = ask(look)
    if as_json:
        waits = [source.as_json() | ({"due": iso(source.due)} if source.due else {}) for source in sources]
        say_json({"run_id": found.id, "status": found.status, "driven": found.driven, "waits_for": waits})
        return
    if found.ended:
        say(f"Run {found.id} has ended ({found.status}): it waits for nothing.")
        return
    say(f"Run {found.id} is {found.status}.")
    for source in sources:
        due = f" at {when(source.due)}" if source.due else ""
        say(f"  {clean(source.path)}{' ' if source.path else ''}{clean(source.text)}{due}")
        if source.fix:
            say(f"    {paint('fix:', 'bold')} {clean(source.fix)}")


def verify(run: RunName, as_json: AsJson = False) -> int:
    """Prove that nobody has changed a run: its events, and its row by them; name what does not fit (exit code 17)."""

    async def look(service: Service) -> Verdict:
        return service.verify(service.find(run).id)

    verdict = ask(look)
    if as_json:
        bad = None if verdict.bad_seq is None else {"seq": verdict.bad_seq, "reason": verdict.reason}
        say_json(
            {
                "run_id": verdict.run_id,
                "intact": verdict.intact,
                "events": verdict.events,
                "erased": verdict.erased,
                "first_bad": bad,
                "row": [dataclasses.asdict(flaw) for flaw in verdict.row],
                "unproven": list(verdict.unproven),
            }
        )
    elif verdict.intact:
        erased = f", {verdict.erased} of them erased on purpose" if verdict.erased else ""
        mark = paint(symbol("✓", "ok"), "green")
        say(
            f"{mark} {verdict.run_id}: {verdict.events} events{erased}, every one as it was written; its row says the same"
        )
        if verdict.unproven:
            say(f"  its events say nothing that can be read of: {', '.join(verdict.unproven)}")
    else:
        mark = paint(symbol("✗", "BAD"), "red")
        if verdict.bad_seq is not None:
            say(f"{mark} {verdict.run_id}: event {verdict.bad_seq} is the first that does not fit: {verdict.reason}")
        else:
            say(
                f"{mark} {verdict.run_id}: {verdict.events} events, every one as it was written; its row is not as they say"
            )
        for flaw in verdict.row:
            say(f"  {clean(str(flaw))}")
        say(
            f"  {paint('fix:', 'bold')} the journal was changed or damaged after it was written: restore it from a backup"
        )
    return 0 if verdict.intact else EXIT_CODES["mismatch"]
