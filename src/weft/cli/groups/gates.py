"""``weft gates``, ``weft approve``, ``weft reject`` and ``weft signal``."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from weft.app.service import Service
from weft.cli.commands import WORK
from weft.cli.options import AsJson, Quiet, RunName
from weft.cli.reach import ask
from weft.cli.render.consoles import console
from weft.cli.render.figures import now, short, when
from weft.cli.terminal import clean, say_json, tell
from weft.core.clock import iso
from weft.engine.questions import Answer, assignees
from weft.store.gates import Gate

GateName = Annotated[
    str | None,
    typer.Argument(metavar="GATE", help="Its path or id; needed when several are open.", show_default=False),
]
Fields = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A value for its form; may be repeated.", show_default=False),
]
Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="Why; it is kept in the journal.", show_default=False)]
By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who answers; this user by default.", show_default=False)]
NoDrive = Annotated[bool, typer.Option("--no-drive", help="Only answer; another process makes the run go on.")]


def gates(
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=1_000, help="How many.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List what waits for an answer, in all runs, the newest first."""

    async def look(service: Service) -> list[Gate]:
        return service.gates(limit=limit)

    found = ask(look)
    if as_json:
        say_json({"gates": [gate_json(gate) for gate in found]})
        return
    if not found:
        tell("Nothing waits for an answer.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("RUN", no_wrap=True, min_width=36)
    for title in ("GATE", "ASKS", "FOR", "UNTIL"):
        table.add_column(title, overflow="fold")
    for gate in found:
        table.add_row(
            gate.run_id,
            Text(clean(gate.path)),
            Text(short(clean(str(gate.request.get("prompt", ""))), 80)),
            Text(clean(", ".join(assignees(gate.request, now())) or "anybody")),
            when(gate.due) if gate.due is not None else "",
        )
    console().print(table)
    tell(f"weft approve {found[0].run_id} {found[0].path}")


def gate_json(gate: Gate) -> dict[str, Any]:
    """A gate as ``--json`` prints it. Times are ISO 8601 in UTC."""
    request = {
        name: value
        for name, value in gate.request.items()
        if name in {"prompt", "show", "choices", "form", "given", "shown", "default"}
    }
    return {
        "id": gate.id,
        "run_id": gate.run_id,
        "workflow": gate.workflow,
        "path": gate.path,
        "status": gate.status,
        "opened_at": iso(gate.opened_at),
        "due": None if gate.due is None else iso(gate.due),
        "assignees": assignees(gate.request, now()),
        **request,
        "decision": gate.decision,
    }


def approve(
    run: RunName,
    gate: GateName = None,
    *,
    choice: Annotated[
        str | None, typer.Option(metavar="CHOICE", help="One of its choices.", show_default=False)
    ] = None,
    answer: Annotated[str | None, typer.Option(metavar="TEXT", help="An answer in words.", show_default=False)] = None,
    fields: Fields = None,
    why: Why = "",
    by: By = "",
    no_drive: NoDrive = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Answer a gate of a run, and make the run go on. Without a choice or an answer, it is approved."""
    verdict = "approve" if choice is None and answer is None else None
    given = Answer(by=by, choice=choice, response=answer, verdict=verdict, why=why)
    return _decide(run, gate, given, fields, no_drive=no_drive, quiet=quiet, as_json=as_json)


def reject(
    run: RunName,
    gate: GateName = None,
    why: Why = "",
    by: By = "",
    no_drive: NoDrive = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Reject what a gate of a run asks. Its step fails, unless the workflow says otherwise."""
    given = Answer(by=by, verdict="reject", why=why)
    return _decide(run, gate, given, None, no_drive=no_drive, quiet=quiet, as_json=as_json)


def signal(
    run: RunName,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of the signal.", show_default=False)],
    data: Annotated[str | None, typer.Option(metavar="JSON", help="What it carries.", show_default=False)] = None,
    key: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="Sent again under the same key, it counts once.", show_default=False),
    ] = None,
    by: By = "",
    no_drive: NoDrive = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Send a signal to a run, which keeps it until a step waits for it."""
    work, afterwards = WORK["signal"].load(), _afterwards(no_drive=no_drive, quiet=quiet, as_json=as_json)
    code: int = work(run, name, data=data, key=key, by=by, afterwards=afterwards)
    return code


def _decide(
    run: str, gate: str | None, answer: Answer, fields: list[str] | None, *, no_drive: bool, quiet: bool, as_json: bool
) -> int:
    work, afterwards = WORK["decide"].load(), _afterwards(no_drive=no_drive, quiet=quiet, as_json=as_json)
    code: int = work(run, gate, answer=answer, fields=fields or (), afterwards=afterwards)
    return code


def _afterwards(*, no_drive: bool, quiet: bool, as_json: bool) -> Any:
    kind: Any = WORK["afterwards"].load()
    return kind(drive=not no_drive, quiet=quiet, as_json=as_json)
