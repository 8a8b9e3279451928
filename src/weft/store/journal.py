"""The journal: one door to everything that is stored."""

from __future__ import annotations

import os
from pathlib import Path

from weft.core.errors import WeftError
from weft.core.event import Event
from weft.core.ids import Entropy
from weft.store import history
from weft.store.append import Append
from weft.store.audit import Audit
from weft.store.automations import Automations
from weft.store.box import SealedBox
from weft.store.chains import Chains
from weft.store.claims import Claims
from weft.store.consumption import Consumption
from weft.store.data_keys import DataKeys, Keys
from weft.store.database import BUSY_S, Durability
from weft.store.flags import SetFlags
from weft.store.forks import Forks
from weft.store.gates import Gates
from weft.store.history import Verdict
from weft.store.identity import Identities
from weft.store.inbox import Inbox
from weft.store.opening import open_database
from weft.store.plans import Plans
from weft.store.rows import Row, read_row
from weft.store.runs import Runs
from weft.store.sessions import Sessions
from weft.store.shipments import Shipments
from weft.store.signals import Signals
from weft.store.signins import SignIns
from weft.store.task_hooks import Hooks
from weft.store.tasks import Tasks
from weft.store.webhooks import Webhooks
from weft.store.workflows import Workflows
from weft.store.writer import Writer


class Journal:
    """A journal with its writer and its readers: a file under `path`, or the Postgres database at this address.

    ``Journal(":memory:")`` is private to this process and commits inline, which makes simulations deterministic. `entropy`
    feeds the salts of payload commitments; `busy_s` is how long another program may keep the file locked before a write fails. With a
    `seal`, what users give and get is sealed as it is written.

    Raises:
        StorageError: the file cannot be opened.
        MismatchError: it was written by a newer Weft.
        StorageError: what is sealed in it is so under a key that the `seal` does not have.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        durability: Durability = "full",
        entropy: Entropy = os.urandom,
        inline: bool = False,
        busy_s: float = BUSY_S,
        seal: Keys | None = None,
    ) -> None:
        self.database = database = open_database(path, durability, busy_s)
        self.data_keys = DataKeys(database)
        self.seal = seal
        if seal is not None:
            self._attach(seal)
        self.writer = Writer(database, entropy=entropy, inline=inline or database.in_memory, seal=seal)
        self.drivers = database.drivers
        self._read = database.reading
        engine, path = database.engine, database.path
        self.runs = Runs(engine, self.drivers, path, self._read, seal)
        self.claims = Claims(self.drivers)
        self.plans = Plans(engine, path, seal)
        self.forks = Forks(self._read, self.drivers)
        self.gates = Gates(engine, path, seal)
        self.signals = Signals(self._read, seal)
        self.automations = Automations(engine, path, seal)
        self.workflows = Workflows(engine, path, self._read, seal)
        self.audit = Audit(engine, path, self._read)
        self.shipments = Shipments(engine, path)
        self.tasks = Tasks(engine, path, seal)
        self.hooks = Hooks(engine, path, seal)
        self.sessions = Sessions(engine, path, seal)
        self.chains = Chains(engine, path, seal)
        self.webhooks = Webhooks(engine, path, seal)
        self.flags = SetFlags(engine, path)
        self.identities = Identities(engine, path)
        self.signins = SignIns(self._read)
        self.consumption = Consumption(engine, path, seal)
        self.inbox = Inbox(database.bell)

    def is_sealed(self) -> bool:
        """Whether anything in it may be sealed."""
        with self._read() as connection:
            return connection.execute("SELECT 1 FROM data_keys WHERE ended_at IS NULL LIMIT 1").fetchone() is not None

    @property
    def box(self) -> SealedBox | None:
        """Seals what is kept in files beside the store, where the store is sealed."""
        return None if self.seal is None else SealedBox(self.seal, self.writer)

    def _attach(self, seal: Keys) -> None:
        try:
            seal.attach(self.data_keys)
        except WeftError:
            self.database.close()
            raise

    async def append(self, append: Append) -> int:
        """Append, and return the last sequence number once it is durable.

        Raises:
            ConflictError: the run has ended or somebody else drives it.
            StorageError: the disk refused.
        """
        return int(await self.writer.submit(append))

    def events(self, run_id: str, *, after: int = 0, limit: int = -1) -> list[Event]:
        """The events of a run after sequence number `after`, oldest first."""
        with self._read() as connection:
            return list(history.read(connection, run_id, after=after, limit=limit, seal=self.seal))

    def readable_events(self, run_id: str, *, after: int = 0, limit: int = -1) -> list[Event]:
        """As `events`; what is sealed under a key that is not there reads as ``{"$sealed": true}``."""
        with self._read() as connection:
            return list(history.read(connection, run_id, after=after, limit=limit, seal=self.seal, keyless=True))

    def row(self, run_id: str) -> Row:
        """The row of a run as it is stored.

        Raises:
            NotFoundError: there is no such run.
        """
        with self._read() as connection:
            return read_row(connection, run_id, self.seal)

    def proven_events(self, run_id: str) -> list[Event]:
        """All events of a run, oldest first, after checking that they are what was appended.

        Raises:
            NotFoundError: there is no such run.
            MismatchError: an event has been changed, moved or removed.
        """
        with self._read() as connection:
            history.verify(connection, run_id, seal=self.seal).demand()
            events = list(history.read(connection, run_id, seal=self.seal))
            # What is still there at the end was there all the time.
            history.head_of(connection, run_id)
            return events

    def verify(self, run_id: str) -> Verdict:
        """Check the hash chain of a run.

        Raises:
            NotFoundError: there is no such run.
        """
        with self._read() as connection:
            return history.verify(connection, run_id, seal=self.seal)

    def close(self) -> None:
        """Make everything durable and let go of the file."""
        self.writer.close()
        self.database.close()
