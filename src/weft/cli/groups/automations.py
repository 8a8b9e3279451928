"""What ``weft schedules`` and ``weft triggers`` have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from weft.app.automation.rules import describe, read
from weft.app.automation.written import Manner, Synced
from weft.app.service import Service
from weft.cli.options import AsJson
from weft.cli.reach import ask
from weft.cli.render.consoles import console
from weft.cli.render.figures import when
from weft.cli.terminal import clean, say, say_json, tell
from weft.core.clock import iso
from weft.store.automations import Automation, Firing

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of a schedule or trigger.", show_default=False)]


def automation_json(one: Automation) -> dict[str, Any]:
    """An automation as ``--json`` prints it. Times are ISO 8601 in UTC."""
    return {
        "name": one.name,
        "kind": one.kind,
        "rule": dict(one.rule),
        "paused": one.paused,
        "next": None if one.next_at is None else iso(one.next_at),
        "file": one.request["file"],
        "variables": one.request.get("variables", {}),
        "out": one.request["out"],
        "written": bool(one.request.get("written")),
        "pinned": bool(one.request.get("plan_hash")),
        "created_at": iso(one.created_at),
    }


def listed(*kinds: str, none: str, as_json: bool) -> None:
    """Print the automations of these kinds; `none` is said when there are none."""

    async def look(service: Service) -> list[Automation]:
        return service.automations(*kinds)

    found = ask(look)
    if as_json:
        say_json({"automations": [automation_json(one) for one in found]})
        return
    if not found:
        tell(none)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("NAME", "RULE", "NEXT", "WORKFLOW"):
        table.add_column(title, overflow="fold")
    for one in found:
        next_at = "paused" if one.paused else "" if one.next_at is None else when(one.next_at)
        table.add_row(
            clean(one.name),
            Text(clean(describe(read(one.kind, one.rule)))),
            next_at,
            Text(clean(one.request["file"])),
        )
    console().print(table)


def told(one: Automation, *, as_json: bool) -> None:
    """Print what has become of an automation."""
    if as_json:
        say_json(automation_json(one))
        return
    say(one.name)
    then = "paused" if one.paused else "" if one.next_at is None else f"next {iso(one.next_at)}"
    tell("; ".join(filter(None, (clean(describe(read(one.kind, one.rule))), then))))


def synchronise(path: Path, how: Manner, *, as_json: bool) -> None:
    """Make active what files say, and print what has become of each automation."""

    async def work(service: Service) -> Synced:
        return await service.sync_automations(path, how)

    synced = ask(work)
    parts = {what: getattr(synced, what) for what in ("added", "changed", "unchanged", "removed")}
    if as_json:
        say_json({what: [automation_json(one) for one in found] for what, found in parts.items()})
        return
    for what, found in parts.items():
        for one in found:
            say(f"{what}  {clean(one.name)}: {clean(describe(read(one.kind, one.rule)))}")
    if not any(parts.values()):
        tell("No file there says when it runs: `schedule` and `triggers` do.")


def show(name: Name, as_json: AsJson = False) -> None:
    """Show a schedule or trigger, and what it has done lately."""

    async def look(service: Service) -> tuple[Automation, list[Firing]]:
        return service.automation(name)

    one, firings = ask(look)
    if as_json:
        done = [
            {
                "key": firing.key,
                "status": firing.status,
                "run_id": firing.run_id,
                "nominal": iso(firing.nominal),
                "reason": firing.reason,
            }
            for firing in firings
        ]
        say_json({**automation_json(one), "firings": done})
        return
    say(f"{clean(one.name)}: {clean(describe(read(one.kind, one.rule)))}{' (paused)' if one.paused else ''}")
    say(f"  {clean(one.request['file'])}")
    if one.next_at is not None:
        say(f"  next {iso(one.next_at)}")
    for firing in firings:
        note = f"  {clean(firing.reason)}" if firing.reason else ""
        say(f"  {iso(firing.nominal)}  {firing.status}  {firing.run_id if firing.status == 'started' else ''}{note}")


def pause(name: Name, as_json: AsJson = False) -> None:
    """Keep a schedule or trigger from starting runs, until it is resumed."""
    _paused(name, paused=True, as_json=as_json)


def resume(name: Name, as_json: AsJson = False) -> None:
    """Let a paused schedule or trigger start runs again. Times and ends that fell into the pause are not made up for."""
    _paused(name, paused=False, as_json=as_json)


def remove(name: Name, as_json: AsJson = False) -> None:
    """Forget a schedule or trigger. Runs that it has started stay."""

    async def work(service: Service) -> None:
        await service.remove_automation(name)

    ask(work)
    if as_json:
        say_json({"removed": name})
    else:
        tell(f"{clean(name)} starts no more runs.")


def _paused(name: str, *, paused: bool, as_json: bool) -> None:
    async def work(service: Service) -> Automation:
        return await service.pause_automation(name, paused=paused)

    told(ask(work), as_json=as_json)
