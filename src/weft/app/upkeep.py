"""Looking after the store that the settings name: its schema, its soundness, its backups."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from weft.app.auditing.acts import Act
from weft.app.auditing.trail import Trail
from weft.app.opening import open_journal
from weft.core.clock import SystemClock
from weft.core.errors import InputError
from weft.core.owner import LOCAL
from weft.core.settings import load_settings
from weft.engine.proof import proof
from weft.store.backup import back_up, restore
from weft.store.checking import Soundness, check
from weft.store.journal import Journal
from weft.store.opening import let_in, open_database, revision_of, shut_out
from weft.store.schema import HEAD


def migrated(to: str | None = None) -> tuple[str | None, str]:
    """Bring the schema of the store to a revision, or to the newest; which one it was at before, and which it is at now.

    Raises:
        InputError: there is no such revision.
    """
    where = load_settings().journal
    before = revision_of(where)
    if to is not None and not (to.isdigit() and len(to) == len(HEAD) and "0001" <= to <= HEAD):
        raise InputError(f"there is no revision {to!r}", fix=f"revisions are 0001 to {HEAD}")
    # Opening it brings it to the newest one.
    if before is not None and (to or HEAD) != before:
        # Before, for an older schema may have no place for it.
        _note(Act("db.migrate", "store", {"from": before, "to": to or HEAD}))
    database = open_database(where)
    try:
        if to is not None and to != HEAD:
            database.migrate(to)
    finally:
        database.close()
    return before, revision_of(where) or HEAD


def checked() -> Soundness:
    """Look at the whole store."""
    settings = load_settings()
    journal = open_journal(settings, keyless_too=True)
    try:
        return check(journal, partial(proof, journal))
    finally:
        journal.close()


def backed_up(file: Path) -> dict[str, int]:
    """Write the whole store into a new file; how many rows of each table."""
    # First, as with an export of the log: what is taken out says so itself.
    _note(Act("db.backup", "store", {"file": file.name}))
    with _journal() as journal:
        return back_up(journal.database, file, at=SystemClock().micros())


def restored(file: Path) -> dict[str, int]:
    """Fill the store, which is to be empty, from a file; how many rows of each table."""
    if not file.is_file():
        raise InputError(f"there is no file {file}", fix="give a file that `weft db backup` has made")
    with _journal() as journal:
        counts = restore(journal.database, file)
    _note(Act("db.restore", "store", {"file": file.name, "rows": sum(counts.values())}))
    return counts


def reader_made(role: str, tenant: str | None) -> None:
    """Let a role of the database see one tenant, or the one that its sessions name."""
    migrated()
    let_in(load_settings().journal, role, tenant)
    _note(Act("db.role", f"role/{role}", {"reads": True, "of": tenant or "session"}))


def reader_removed(role: str) -> None:
    """Let a role of the database see nothing any more."""
    shut_out(load_settings().journal, role)
    _note(Act("db.role", f"role/{role}", {"reads": False}))


def _note(act: Act) -> None:
    settings = load_settings()
    with _journal() as journal:
        trail = Trail(journal, SystemClock(), settings.home)
        trail.later(trail.of(LOCAL, act), soon=True)
        journal.writer.drain()


@contextmanager
def _journal() -> Iterator[Journal]:
    # Rows are copied as they are: what is sealed stays sealed, and needs no key.
    journal = Journal(load_settings().journal)
    try:
        yield journal
    finally:
        journal.close()
