"""``weft audit``: the log of who did what, its proof, and its export."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from weft.app.auditing.keys import AuditKey, public_from, public_pem
from weft.app.auditing.proof import head_from, head_line, lines, verify_file
from weft.app.auditing.proof import verify as verify_log
from weft.app.auditing.shipping import Shipper, targets
from weft.app.auditing.trail import Trail
from weft.cli.options import AsJson
from weft.cli.render.consoles import console
from weft.cli.render.figures import when
from weft.cli.terminal import clean, paint, say, say_json, symbol, tell
from weft.core.clock import SystemClock, iso
from weft.core.errors import EXIT_CODES, InputError
from weft.core.settings import Settings, load_settings
from weft.store.audit import AuditFilter, Entry
from weft.store.audit_chain import Finding, Head
from weft.store.journal import Journal

Tenant = Annotated[str, typer.Option("--tenant", metavar="ID", help="Whose log.")]
_LOCAL = "local"


def list_entries(
    principal: Annotated[
        str | None, typer.Option("--by", metavar="NAME", help="Only what they did.", show_default=False)
    ] = None,
    act: Annotated[
        str | None,
        typer.Option("--act", metavar="ACT", help="Only this act; `run.*` for all of a kind.", show_default=False),
    ] = None,
    outcome: Annotated[
        str | None, typer.Option("--outcome", metavar="WORD", help="done, denied or failed.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=10_000, help="How many.")] = 50,
    tenant: Tenant = _LOCAL,
    as_json: AsJson = False,
) -> None:
    """List who did what, the latest first."""
    with _journal() as (_, journal):
        found = journal.audit.list(
            AuditFilter(principal=principal, act=act, outcome=outcome), tenant=tenant, limit=limit
        )
    if as_json:
        say_json({"entries": [_entry(one) for one in found]})
        return
    if not found:
        tell("No entries.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("NO", "AT", "WHO", "ACT", "TARGET", "OUTCOME"):
        table.add_column(title, overflow="fold")
    for one in found:
        table.add_row(
            str(one.seq), when(one.at), clean(one.principal), clean(one.act), clean(one.target), clean(one.outcome)
        )
    console().print(table)


def verify(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="An export; the log of this home by default.", show_default=False),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(
            "--key", metavar="FILE", help="The public key that the head has to be signed with.", show_default=False
        ),
    ] = None,
    head: Annotated[
        list[Path] | None,
        typer.Option(
            "--head", metavar="FILE", help="A head that was kept elsewhere; may be given again.", show_default=False
        ),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Prove that the audit log is what was written; name the first entry that does not fit (exit code 17)."""
    settings = load_settings()
    public = public_from(_read(key), key) if key is not None else AuditKey(settings.home).public
    kept = [one for path in head or () for one in _heads(path)]
    if file is not None:
        findings = [verify_file(file, public, kept=kept)]
    else:
        with _journal(settings) as (_, journal):
            findings = verify_log(journal.audit, public, kept=kept)
    intact = all(one.bad is None for one in findings)
    if as_json:
        say_json({"intact": intact, "logs": [_finding(one) for one in findings]})
    elif not findings:
        tell("No entries.")
    else:
        for one in findings:
            _say(one)
    return 0 if intact else EXIT_CODES["mismatch"]


def export(
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write it there.", show_default=False)
    ] = None,
    after: Annotated[int, typer.Option("--after", metavar="NO", min=0, help="Only entries after this one.")] = 0,
    tenant: Tenant = _LOCAL,
    as_json: AsJson = False,
) -> None:
    """Print the log as JSON Lines, the oldest first, with its signed head as the last line. The export is itself an entry."""
    with _journal() as (settings, journal):
        trail = Trail(journal, SystemClock(), settings.home)
        made = trail.entry("local", "audit.export", "audit", {"after": after}, tenant=tenant)
        trail.later(made, soon=True)
        journal.writer.drain()
        count = _write(lines(journal.audit, tenant, after=after), out)
    if out is not None and as_json:
        say_json({"file": str(out), "entries": count - 1})
    elif out is not None:
        tell(f"{count - 1} entries in {out}; check them with `weft audit verify {out}`")


def head(tenant: Tenant = _LOCAL, as_json: AsJson = False) -> None:
    """Print the signed end of the log. Kept elsewhere, it shows later whether anything was cut off or written anew."""
    del as_json  # it is JSON as it stands
    with _journal() as (_, journal):
        found = journal.audit.head(tenant)
    if found is None:
        raise InputError("there are no entries yet", fix="the first act makes one")
    say(head_line(found).decode())


def key(as_json: AsJson = False) -> None:
    """Print the public key of the log, with which anybody can check an export."""
    found = AuditKey(load_settings().home)
    if as_json:
        say_json({"id": found.key, "public_key": public_pem(found.public)})
        return
    say(public_pem(found.public).rstrip())


def ship(as_json: AsJson = False) -> None:
    """Ship what is new in the log of every tenant to where the settings say (`audit.*`), once."""
    with _journal() as (settings, journal):
        found = targets(settings.audit)
        if not found:
            raise InputError(
                "the settings name no place to ship the audit log to",
                fix="set WEFT_AUDIT__S3_BUCKET or WEFT_AUDIT__LOG_GROUP",
            )
        shipper = Shipper(journal, found, SystemClock(), batch=settings.audit.batch)
        shipped = [(target.name, one) for target in found for one in shipper.patiently(target)]
    if as_json:
        say_json({"shipped": [{"target": name, **asdict(one)} for name, one in shipped]})
        return
    for name, one in shipped:
        tell(f"{clean(one.tenant)}: entries {one.first} to {one.last} to {clean(name)}")
    if not shipped:
        tell("Nothing is new, or another process ships it.")


@contextmanager
def _journal(settings: Settings | None = None) -> Iterator[tuple[Settings, Journal]]:
    settings = settings or load_settings()
    journal = Journal(settings.journal, durability=settings.durability)
    try:
        yield settings, journal
    finally:
        journal.close()


def _write(found: Iterator[bytes], out: Path | None) -> int:
    """Write lines to a new file, or print them; how many there were."""
    count = 0
    try:
        with nullcontext(sys.stdout.buffer) if out is None else out.open("xb") as file:
            for count, line in enumerate(found, 1):  # noqa: B007 -- the last number is the answer
                file.write(line + b"\n")
    except FileExistsError as error:
        raise InputError(f"{out} is there already", fix="name another file") from error
    except OSError as error:
        raise InputError(
            f"cannot write {out or 'standard output'}: {error.strerror}", fix="name a file that you may write"
        ) from error
    return count


def _entry(one: Entry) -> dict[str, Any]:
    return {
        "seq": one.seq,
        "at": iso(one.at),
        "principal": one.principal,
        "act": one.act,
        "target": one.target,
        "outcome": one.outcome,
        "data": dict(one.data),
        "hash": one.hash,
    }


def _finding(one: Finding) -> dict[str, Any]:
    bad = None if one.bad is None else {"seq": one.bad, "reason": one.reason}
    return {"tenant": one.tenant, "first": one.first, "entries": one.entries, "first_bad": bad}


def _say(one: Finding) -> None:
    if one.bad is None:
        mark = paint(symbol("✓", "ok"), "green")
        since = "" if one.first == 1 else f", from number {one.first} on"
        say(f"{mark} {clean(one.tenant)}: {one.entries} entries{since}, every one as it was written")
        return
    mark = paint(symbol("✗", "BAD"), "red")
    say(f"{mark} {clean(one.tenant)}: entry {one.bad} is the first that does not fit: {clean(one.reason)}")
    say(f"  {paint('fix:', 'bold')} the log was changed after it was written: compare it with an export kept elsewhere")


def _heads(path: Path) -> list[Head]:
    return [head_from(text) for text in _read(path).splitlines() if text.strip()]


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(65_536)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", fix="name a file that is there") from error
