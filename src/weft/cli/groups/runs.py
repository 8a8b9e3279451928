"""``weft runs list``, ``weft show`` and ``weft cancel``."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

import typer

from weft.app.asof import as_it_was
from weft.app.reasoning import Iteration
from weft.app.service import Service
from weft.app.view import RunView
from weft.cli.commands import PICTURE
from weft.cli.options import AsJson, RunName
from weft.cli.reach import ask
from weft.cli.render.consoles import console
from weft.cli.render.reasoning import reasoning_page
from weft.cli.render.run import run_page
from weft.cli.render.runs import run_json, runs_table
from weft.cli.terminal import clean, say, say_json, tell
from weft.core.errors import ConflictError, InputError
from weft.core.event import Event
from weft.engine.fold import fold
from weft.store.runs import OPEN, Run

_STATUSES = (*OPEN, "completed", "failed", "cancelled")
_PATIENCE_S = 5.0
_LOOK_S = 0.05


def list_runs(
    status: Annotated[
        str | None, typer.Option(metavar="STATUS", help="Only runs of this status.", show_default=False)
    ] = None,
    workflow: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only runs of this workflow.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=1_000, help="How many.")] = 20,
    before: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="Only runs older than this one: the next page.", show_default=False),
    ] = None,
    children: Annotated[bool, typer.Option("--children", help="Also the runs that other runs have started.")] = False,
    as_json: AsJson = False,
) -> None:
    """List runs, the newest first. Forks say what they were forked from, and `*` marks the current run of a line of forks."""
    if status is not None and status not in _STATUSES:
        raise InputError(f"there is no status {status!r}", fix=f"it is one of: {', '.join(_STATUSES)}")

    async def page(service: Service) -> tuple[list[Run], frozenset[str]]:
        last = service.find(before) if before else None
        runs = service.runs(status=status, workflow=workflow, limit=limit + 1, before=last, children=children)
        return runs, service.current()

    found, current = ask(page)
    shown, more = found[:limit], len(found) > limit
    if as_json:
        say_json(
            {
                "runs": [{**run_json(run), "current": run.id in current} for run in shown],
                "next": shown[-1].id if more else None,
            }
        )
        return
    if not shown:
        tell("No runs yet: `weft run FILE` starts one." if not (status or workflow or before) else "No runs fit.")
        return
    console().print(runs_table(shown, current))
    if more:
        tell(f"There are more: `weft runs list --before {shown[-1].id}`")


def show(
    run: RunName,
    prompts: Annotated[bool, typer.Option("--prompts", help="Show what steps were given, in full.")] = False,
    at: Annotated[
        int | None,
        typer.Option(metavar="SEQ", min=1, help="Show it as it was just after this event.", show_default=False),
    ] = None,
    reasoning: Annotated[
        bool, typer.Option("--reasoning", help="Show how agents came to their answers: thought, action, observation.")
    ] = False,
    form: Annotated[
        Literal["mermaid", "dot", "svg", "tree"] | None,
        typer.Option(
            "--format", help="Show the plan instead, painted with the path that was taken.", show_default=False
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what happened in a run, step by step: the tree with status, duration, tokens and cost, then the outputs."""
    if reasoning:
        _reasoning(run, as_json=as_json)
        return

    async def look(service: Service) -> tuple[Run, Any, dict[str, Any]]:
        found = service.find(run)
        events = service.events(found.id)
        children = RunView(events).plan_runs() if at is None and form is None else ()
        return found, events, {child: RunView(service.events(child)).milestones for child in children}

    found, events, carried = ask(look)
    state = fold(events if at is None else events[:at])
    idle = not found.ended and not found.driven
    if at is not None:
        found, events = as_it_was(found, events, at, state), events[:at]
    if form is not None:
        _picture(found, events, form, as_json=as_json)
        return
    view, outputs = RunView(events), state.outputs
    view.carried_out = carried
    if as_json:
        root = view.root.as_json()
        say_json(
            {
                **run_json(found),
                "outputs": outputs,
                "steps": root.get("steps", []),
                "warnings": view.warnings,
                "handoffs": view.handoffs(),
                "milestones": [
                    *view.milestones,
                    *({**one, "run": child} for child, reached in carried.items() for one in reached),
                ],
            }
        )
        return
    run_page(console(), found, view, outputs, prompts=prompts, idle=idle)


def _picture(run: Run, events: list[Event], form: str, *, as_json: bool) -> None:
    async def look(service: Service) -> Any:
        return service.plan_of(run.id)

    made = str(PICTURE.load()(ask(look), events, form))
    if as_json:
        say_json({"run_id": run.id, "format": form, "picture": made})
    else:
        say(clean(made).rstrip("\n"))


def _reasoning(run: str, *, as_json: bool) -> None:
    async def look(service: Service) -> tuple[Run, list[Iteration]]:
        found = service.find(run)
        return found, service.reasoning(found.id)

    found, iterations = ask(look)
    if as_json:
        say_json({"run_id": found.id, "iterations": [iteration.as_json() for iteration in iterations]})
        return
    if not iterations:
        tell("No agent has thought in this run.")
    reasoning_page(console(), iterations)


def cancel(
    run: RunName,
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="Why; it is kept in the journal.", show_default=False)
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Cancel a run, whichever process drives it. What it has done so far is kept, and it can be resumed later."""

    async def stop(service: Service) -> Run:
        found = service.find(run)
        told = await service.cancel(found.id, reason=reason)
        now = await _ended(service, found.id) if told else service.find(found.id)
        if not told or now.status == "completed":
            raise ConflictError(
                f"the run has ended already ({now.status})", fix=f"`weft show {now.id}` shows it", run=now.id
            )
        return now

    found = ask(stop)
    if as_json:
        say_json(run_json(found))
    elif found.ended:
        say(f"Run {found.id} is {found.status}.")
    else:
        say(f"Run {found.id} will be cancelled: the process that drives it has been told.")


async def _ended(service: Service, run_id: str) -> Run:
    """The run once it has ended, or as it is when that takes longer than anybody likes to wait."""
    run = service.find(run_id)
    deadline = asyncio.get_running_loop().time() + _PATIENCE_S
    while not run.ended and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(_LOOK_S)
        run = service.find(run_id)
    return run
