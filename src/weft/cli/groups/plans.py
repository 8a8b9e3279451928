"""``weft plans list`` and ``weft plans invalidate``, and what ``weft plan --request`` prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.table import Table

from weft.app.service import Service
from weft.cli.options import AsJson
from weft.cli.reach import ask
from weft.cli.render.consoles import console
from weft.cli.render.figures import short, when
from weft.cli.terminal import clean, say, say_json, tell
from weft.core.errors import InputError
from weft.store.planned import Kept

_KEY = 12
_REQUEST = 70


def list_plans(as_json: AsJson = False) -> None:
    """List the plans that were made and are used again for the same request, the newest first."""

    async def look(service: Service) -> list[Kept]:
        return service.kept_plans()

    kept = ask(look)
    if as_json:
        say_json({"plans": [one.as_json() for one in kept]})
        return
    if not kept:
        tell("No plans are kept: a workflow of the pattern `plan` makes them.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("KEY", "WORKFLOW", "BY", "STEPS", "MADE", "EXPIRES", "REQUEST"):
        table.add_column(title, no_wrap=True)
    for one in kept:
        drafts = one.draft.get("drafts") or [{}]
        steps = str(len(drafts[0].get("steps") or ()))
        request = short(clean(one.request), _REQUEST)
        table.add_row(one.key[:_KEY], clean(one.workflow), one.by, steps, when(one.made), when(one.expires), request)
    console().print(table)


def invalidate(
    key: Annotated[
        str | None, typer.Argument(metavar="[KEY]", help="The beginning of its key.", show_default=False)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    expired: Annotated[bool, typer.Option("--expired", help="Those that have expired.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove plans that were kept, so that the next run with the same request makes a new one."""
    if (key is not None) + everything + expired != 1:
        raise InputError("say which plans", fix="give a key, --expired or --all")

    async def remove(service: Service) -> list[str]:
        return service.forget_plans(key, expired=expired)

    gone = ask(remove)
    if as_json:
        say_json({"removed": gone})
        return
    say(f"{len(gone)} plan{'' if len(gone) == 1 else 's'} removed.")


def print_preview(found: Mapping[str, Any], *, as_json: bool) -> int:
    """Print what a request would become; 10 when it cannot become a plan as it stands."""
    code = 0 if found["drafts"] else 10
    if as_json:
        say_json(dict(found))
        return code
    if found["writer"]:
        tell(f"{found['writer']} writes the plan at run time; this is what the rules make.")
    for task in found["missing"]:
        say(f"No agent can do this: {clean(task)}")
    for question in found["questions"]:
        say(f"{clean(question['text'])} {' | '.join(question['choices'])}")
    for place, draft in enumerate(found["drafts"], 1):
        say(f"Plan {place}: {draft['why']}")
        for line in draft["outline"]:
            say(f"  {clean(line)}")
        say(f"  {draft['takes']} ({draft['hash'][:_KEY]})")
    return code
