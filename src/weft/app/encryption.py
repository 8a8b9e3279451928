"""Looking after the keys that seal the store: what there is, new ones, and sealing anew what older ones have sealed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from weft.app.auditing.trail import Trail
from weft.app.opening import open_journal
from weft.core.clock import SystemClock
from weft.core.errors import ConflictError, InputError
from weft.core.settings import Settings, load_settings
from weft.store.audit import Entry
from weft.store.data_keys import KeyRow, rewrap
from weft.store.journal import Journal
from weft.store.keyring import Keyring
from weft.store.resealing import Resealing, census
from weft.store.shredding import shredding


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How a store is sealed: by which master key new data keys are wrapped, the data keys, and how many values each has sealed."""

    master: str
    writes: bool
    keys: tuple[KeyRow, ...]
    values: Counter[tuple[str, int]] = field(default_factory=Counter)


def status(*, values: bool = False) -> Status:
    """What there is; with `values`, every value that is stored is looked at."""
    with _desk() as desk:
        keys = tuple(desk.journal.data_keys.all())
        counted = census(desk.journal) if values else Counter[tuple[str, int]]()
        return Status(master=desk.keyring.master.id, writes=desk.keyring.writes, keys=keys, values=counted)


def rewrapped() -> tuple[str, int]:
    """Wrap all data keys by the master key of now; its id, and how many there were to do. No data is rewritten."""
    with _desk() as desk:
        master, done = desk.keyring.master.id, 0
        for row in desk.journal.data_keys.all():
            if row.wrapped is not None and row.master != master:
                done += bool(desk.journal.writer.call(rewrap(row, desk.keyring.rewrapped(row), master)))
        desk.note("encryption.rewrap", f"master-key/{master}", keys=done)
        return master, done


def rotated(tenant: str | None = None) -> dict[str, int]:
    """Give a tenant a new data key, or each that has one; the version by tenant. What older ones have sealed still opens."""
    with _desk() as desk:
        desk.demand_writing()
        known = sorted({row.tenant for row in desk.journal.data_keys.all() if row.version})
        if tenant is not None and tenant not in known:
            raise InputError(
                f"the tenant {tenant!r} has no data key", fix="it gets one with the first thing that it keeps"
            )
        made: dict[str, int] = {}
        for one in known if tenant is None else [tenant]:
            made[one] = desk.journal.writer.call(_another(desk.keyring, one))
            desk.note("encryption.rotate", f"data-key/{one or 'shared'}/{made[one]}", tenant=one)
        return made


def resealed(told: Callable[[str, int], object]) -> Resealing:
    """Seal what is plain, and what older data keys have sealed, with the newest ones; where the settings say `plain`, open everything."""
    with _desk() as desk:
        act = "encryption.reseal" if desk.keyring.writes else "encryption.unseal"
        desk.note(act, "store", state="begun")
        work = Resealing(desk.journal, desk.keyring)
        work.run(at=desk.clock.micros(), told=told)
        desk.note(act, "store", state="done", values=sum(work.done.values()))
        return work


def shredded(tenant: str) -> int:
    """Destroy the data keys of a tenant; how many."""
    with _desk() as desk:
        keys: int = desk.journal.writer.call(shredding(tenant, desk.clock.micros()))
        desk.journal.database.scrub()
        desk.note("encryption.shred", f"tenant/{tenant}", tenant=tenant, keys=keys)
        return keys


def _another(keyring: Keyring, tenant: str) -> Callable[[Any], int]:
    return lambda connection: keyring.another(connection, tenant)


@dataclass(frozen=True, slots=True)
class _Desk:
    settings: Settings
    journal: Journal
    keyring: Keyring
    clock: SystemClock
    trail: Trail

    def demand_writing(self) -> None:
        """Do nothing where the settings say that what is written is sealed.

        Raises:
            ConflictError: they say otherwise.
        """
        if not self.keyring.writes:
            raise ConflictError(
                "the settings say that nothing is sealed any more", fix="set encryption.write to sealed"
            )

    def note(self, act: str, target: str, tenant: str = "", **data: Any) -> None:
        """Say in the audit log what was done; what is nobody's own is in that of `local`."""
        entry = Entry(
            principal="local", act=act, target=target, at=self.clock.micros(), data=data, tenant=tenant or "local"
        )
        self.trail.later(entry, soon=True)
        self.journal.writer.drain()


@contextmanager
def _desk() -> Iterator[_Desk]:
    settings = load_settings()
    if settings.encryption.key is None:
        raise InputError(
            "the settings name no master key", fix="set encryption.key, such as WEFT_ENCRYPTION__KEY=env:…"
        )
    journal = open_journal(settings)
    try:
        assert isinstance(journal.seal, Keyring)
        clock = SystemClock()
        yield _Desk(settings, journal, journal.seal, clock, Trail(journal, clock, settings.home))
    finally:
        journal.close()
