"""``weft db``: look after the store."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from weft.app import upkeep
from weft.cli.options import AsJson
from weft.cli.terminal import clean, say, say_json, tell
from weft.core.errors import InputError

_UNSOUND = 10
To = Annotated[
    str | None,
    typer.Option("--to", metavar="REVISION", help="This revision, forward or back; the newest by default."),
]
BackupFile = Annotated[Path, typer.Argument(metavar="FILE", help="The backup.", show_default=False)]

Role = Annotated[str, typer.Argument(metavar="ROLE", help="A role of the database that is there.", show_default=False)]
Tenant = Annotated[
    str | None,
    typer.Option("--tenant", metavar="ID", help="What it sees; without this, what its sessions set weft.tenant to."),
]
Remove = Annotated[bool, typer.Option("--remove", help="Let it see nothing any more.")]


def migrate(to: To = None, as_json: AsJson = False) -> None:
    """Bring the schema of the store to the newest revision, or to another one."""
    before, after = upkeep.migrated(to)
    if as_json:
        say_json({"before": before, "after": after})
    else:
        say(f"The schema is at {after}." if before == after else f"The schema was at {before or 'none'}, now {after}.")


def check(as_json: AsJson = False) -> int:
    """Look whether the store is sound: the database, the schema, and every run by its proof. Exit code 10 when it is not."""
    found = upkeep.checked()
    if as_json:
        say_json({**dataclasses.asdict(found), "sound": found.sound})
    else:
        say(clean(f"{found.where}, schema {found.schema}: {found.runs:,} runs, {found.events:,} events"))
        for problem in found.problems:
            tell(clean(problem))
        if found.sealed:
            tell(
                f"{found.sealed:,} payloads are sealed and were not looked into: give encryption.key to have them checked."
            )
        if found.sound:
            say("Everything is as it was written.")
    return 0 if found.sound else _UNSOUND


def backup(file: BackupFile, as_json: AsJson = False) -> None:
    """Write everything that is stored into a new file, while work goes on."""
    _tell("backed_up", upkeep.backed_up(file), f"Backed up into {file}", as_json=as_json)


def restore(file: BackupFile, as_json: AsJson = False) -> None:
    """Fill an empty store from a backup, whichever database either is in."""
    _tell("restored", upkeep.restored(file), f"Restored from {file}", as_json=as_json)


def role(role: Role, tenant: Tenant = None, remove: Remove = False, as_json: AsJson = False) -> None:
    """Let a role of the Postgres database, for reports, read what is one tenant's, and nothing else."""
    if remove and tenant is not None:
        raise InputError("--tenant and --remove exclude each other", fix="leave one of them out")
    if remove:
        upkeep.reader_removed(role)
    else:
        upkeep.reader_made(role, tenant)
    if as_json:
        say_json({"role": role, "tenant": tenant, "reads": not remove})
        return
    what = (
        f"what is of the tenant {tenant}" if tenant is not None else "the tenant that its sessions set weft.tenant to"
    )
    say(clean(f"{role} reads nothing any more." if remove else f"{role} reads {what}."))


def _tell(key: str, counts: dict[str, int], what: str, *, as_json: bool) -> None:
    if as_json:
        say_json({key: counts})
    else:
        say(clean(f"{what}: {counts['runs']:,} runs, {counts['events']:,} events, {sum(counts.values()):,} rows."))
