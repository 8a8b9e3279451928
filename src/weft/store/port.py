"""What the journal needs of a database.

SQLite (`weft.store.database`) and Postgres (`weft.store.postgres`) are two; a third would be a class like theirs that passes
`weft.testing.conformance_store`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Engine

from weft.core.errors import WeftError
from weft.store.append import Append
from weft.store.pending import Bulk
from weft.store.sql import Transaction

Work = Append | Callable[[Transaction], Any]
"""An append, or a function that runs inside the batch's transaction. It may be run more than once before one run of it counts."""


@dataclass(frozen=True, slots=True)
class Complaints:
    """The exceptions of a database's driver, by what they mean."""

    any: type[Exception]
    """Every one of them. Unless it is one of the others, the whole batch has failed."""
    taken: type[Exception]
    """Something that may be there once is there already."""
    unfit: tuple[type[Exception], ...]
    """What one piece of a batch wants to write does not fit; its neighbours' does."""


class Drivers(Protocol):
    """Who drives: names that are held as long as their process lives."""

    held_until: float
    """Until then (`weft.core.clock.since_boot`) nobody else takes this process for dead. Infinite where a name is held by what
    dies with its process and with nothing else."""
    gaps: int
    """How often this process may have been taken for dead so far. It grows before `held_until` does again."""

    def enter(self, driver: str) -> None:
        """Hold the name `driver` until `leave`, or until this process dies."""

    def leave(self, driver: str) -> None:
        """Let go of the name."""

    def alive(self, driver: str | None) -> bool:
        """Whether the process behind `driver` still lives."""


class Bell(Protocol):
    """Tells the drivers of all processes that there is something to look at."""

    def ring(self) -> None:
        """Tell them.

        Raises:
            StorageError: it cannot be told; drivers find what there is when they next look.
        """

    def heard(self) -> tuple[int, int]:
        """A value that changes when somebody rings. It is asked for all the time, and must cost next to nothing.

        A process that holds a name and does not ask for seconds may be taken for dead.
        """


class Database(Protocol):
    """One database: its connections, its transactions, and its complaints in our words."""

    in_memory: bool
    """Whether it is private to this process and gone with it."""
    path: Any
    """Where it is, without secrets: for messages."""
    narrows: bool
    """Whether it sees to it by itself that what is read for a tenant is that tenant's."""
    complaints: Complaints
    bulk: Bulk
    engine: Engine
    """Reads, each by itself."""
    drivers: Drivers
    bell: Bell

    def connect(self) -> Transaction:
        """The connection of this process's writer."""

    def disconnect(self, connection: Any) -> None:
        """The writer is done with it."""

    def exclusive(self) -> AbstractContextManager[None]:
        """Hold off those who may not write at the same time."""

    def seize(self, connection: Any) -> bool:
        """Hold off others as `exclusive` does, until `release`, with a transaction begun; False where somebody would have to be waited for.

        Behind a network somebody always has to. What is done meanwhile begins with `begin` and ends with `commit` or `roll_back`.
        """

    def release(self) -> None:
        """Let others write again, after `seize`."""

    def begin(self, connection: Any, batch: Sequence[Work]) -> None:
        """Begin the transaction of a batch."""

    def commit(self, connection: Any) -> None:
        """End it: when this returns, it is durable."""

    def roll_back(self, connection: Any) -> None:
        """Undo it, if there is one."""

    def again(self, connection: Any, error: Exception, attempt: int) -> bool:
        """Whether a batch that failed for `error`, and has left no trace, should be tried again now. It may have waited for that."""

    def tidy(self, connection: Any, commits: int) -> None:
        """Do what is due now and then between batches; there were so many `commits` since the last time."""

    def in_our_words(self, error: Exception) -> WeftError:
        """What the driver complains of, as an error that says what to do."""

    def reading(self, tenant: str | None = None) -> AbstractContextManager[Transaction]:
        """Where this process reads; complaints come in our words. What is read for a `tenant` the database may narrow to what is theirs."""

    def migrate(self, to: str) -> None:
        """Bring the schema to a revision, forward or back; ``head`` is the newest."""

    def snapshot(self) -> AbstractContextManager[Callable[[str], Iterator[Sequence[Any]]]]:
        """What a statement selects, one row after the other; all statements see the same moment."""

    def loading(self) -> AbstractContextManager[Transaction]:
        """One transaction in which an empty database is filled, however long that takes."""

    def flaws(self) -> Sequence[str]:
        """What is wrong with it, by its own word."""

    def scrub(self) -> None:
        """Leave nothing on the disk of what was overwritten or deleted, as far as the database lets us."""

    def close(self) -> None:
        """Let go of everything but the writer's connection."""
