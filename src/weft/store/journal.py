"""The journal: one door to everything that is stored."""

from __future__ import annotations

import os
from pathlib import Path

from weft.core.event import Event
from weft.core.ids import Entropy
from weft.store import history
from weft.store.append import Append
from weft.store.audit import Audit
from weft.store.automations import Automations
from weft.store.chains import Chains
from weft.store.consumption import Consumption
from weft.store.database import BUSY_S, Durability
from weft.store.flags import SetFlags
from weft.store.forks import Forks
from weft.store.gates import Gates
from weft.store.history import Verdict
from weft.store.identity import Identities
from weft.store.inbox import Inbox
from weft.store.opening import open_database
from weft.store.runs import Runs
from weft.store.sessions import Sessions
from weft.store.shipments import Shipments
from weft.store.signals import Signals
from weft.store.task_hooks import Hooks
from weft.store.tasks import Tasks
from weft.store.webhooks import Webhooks
from weft.store.workflows import Workflows
from weft.store.writer import Writer


class Journal:
    """A journal with its writer and its readers: a file under `path`, or the Postgres database at this address.

    ``Journal(":memory:")`` is private to this process and commits inline, which makes simulations deterministic. `entropy`
    feeds the salts of payload commitments; `busy_s` is how long another program may keep the file locked before a write fails.

    Raises:
        StorageError: the file cannot be opened.
        MismatchError: it was written by a newer Weft.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        durability: Durability = "full",
        entropy: Entropy = os.urandom,
        inline: bool = False,
        busy_s: float = BUSY_S,
    ) -> None:
        self.database = database = open_database(path, durability, busy_s)
        self.writer = Writer(database, entropy=entropy, inline=inline or database.in_memory)
        self.drivers = database.drivers
        self._read = database.reading
        engine, path = database.engine, database.path
        self.runs = Runs(engine, self.drivers, path, self._read)
        self.forks = Forks(self._read, self.drivers)
        self.gates = Gates(engine, path)
        self.signals = Signals(self._read)
        self.automations = Automations(engine, path)
        self.workflows = Workflows(engine, path, self._read)
        self.audit = Audit(engine, path)
        self.shipments = Shipments(engine, path)
        self.tasks = Tasks(engine, path)
        self.hooks = Hooks(engine, path)
        self.sessions = Sessions(engine, path)
        self.chains = Chains(engine, path)
        self.webhooks = Webhooks(engine, path)
        self.flags = SetFlags(engine, path)
        self.identities = Identities(engine, path)
        self.consumption = Consumption(engine, path)
        self.inbox = Inbox(database.bell)

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
            return list(history.read(connection, run_id, after=after, limit=limit))

    def proven_events(self, run_id: str) -> list[Event]:
        """All events of a run, oldest first, after checking that they are what was appended.

        Raises:
            NotFoundError: there is no such run.
            MismatchError: an event has been changed, moved or removed.
        """
        with self._read() as connection:
            history.verify(connection, run_id).demand()
            events = list(history.read(connection, run_id))
            # What is still there at the end was there all the time.
            history.head_of(connection, run_id)
            return events

    def verify(self, run_id: str) -> Verdict:
        """Check the hash chain of a run.

        Raises:
            NotFoundError: there is no such run.
        """
        with self._read() as connection:
            return history.verify(connection, run_id)

    def close(self) -> None:
        """Make everything durable and let go of the file."""
        self.writer.close()
        self.database.close()
