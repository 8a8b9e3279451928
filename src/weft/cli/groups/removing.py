"""``weft runs delete`` and ``weft runs cleanup``."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer

from weft.app.service import Service
from weft.cli.options import AsJson, RunName
from weft.cli.reach import ask
from weft.cli.terminal import say, say_json, tell
from weft.core.errors import ConflictError, InputError
from weft.store.runs import Run

_DAY_US = 86_400_000_000
_PAGE = 500
_ENDED = ("completed", "failed", "cancelled")

Force = Annotated[bool, typer.Option("--force", "-f", help="Do not ask first.")]


def delete(run: RunName, force: Force = False, as_json: AsJson = False) -> None:
    """Delete a run that has ended, with its child runs and everything recorded of it. This cannot be undone."""

    async def find(service: Service) -> Run:
        return service.find(run)

    found = ask(find)
    _sure(f"Delete run {found.id} ({found.workflow}, {found.status})?", force=force)

    async def remove(service: Service) -> list[str]:
        return await service.delete(found.id)

    gone = ask(remove)
    if as_json:
        say_json({"deleted": gone})
    else:
        say("\n".join(f"Deleted run {one}." for one in gone))


def cleanup(
    max_age_days: Annotated[
        int, typer.Option("--max-age-days", metavar="N", min=0, help="Keep what is younger than so many days.")
    ] = 7,
    keep_completed: Annotated[
        bool,
        typer.Option("--keep-completed/--no-keep-completed", help="Keep runs that have completed, whatever their age."),
    ] = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Delete the runs that have ended long ago. Runs that forks are made of stay."""
    before = time.time_ns() // 1_000 - max_age_days * _DAY_US

    async def look(service: Service) -> list[Run]:
        statuses = _ENDED[1:] if keep_completed else _ENDED
        return [run for status in statuses for run in _all(service, status) if run.updated_at < before]

    old = ask(look)
    if old:
        _sure(
            f"Delete {len(old)} run{'' if len(old) == 1 else 's'} that ended {max_age_days} days ago or more?",
            force=force,
        )

    async def remove(service: Service) -> tuple[list[str], list[str]]:
        gone: list[str] = []
        kept: list[str] = []
        # The newest first: a fork is younger than what it is made of.
        for run in sorted(old, key=lambda run: run.created_at, reverse=True):
            if run.id in gone:
                continue
            try:
                gone += await service.delete(run.id)
            except ConflictError:
                kept.append(run.id)
        return gone, kept

    gone, kept = ask(remove)
    if as_json:
        say_json({"deleted": gone, "kept": kept})
        return
    say(f"Deleted {len(gone)} runs." if len(gone) != 1 else "Deleted 1 run.")
    if kept:
        tell(f"Kept {len(kept)} that other runs need.")


def _all(service: Service, status: str) -> list[Run]:
    found: list[Run] = []
    last: Run | None = None
    while page := service.runs(status=status, limit=_PAGE, before=last):
        found += page
        last = page[-1]
    return found


def _sure(question: str, *, force: bool) -> None:
    if force:
        return
    if not sys.stdin.isatty():
        raise InputError("deleting is to be confirmed, and nobody can be asked here", fix="add --force")
    typer.confirm(question, abort=True, err=True)
