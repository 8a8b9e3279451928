"""The writer's connection to Postgres: statements are kept until an answer is needed, and go there and back together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import psycopg

from weft.store.postgres.statements import Statements, numbered

TURNS = b"SELECT pg_advisory_xact_lock(1464157780, 1)"
"""Waits for those of other processes who have to take turns, until the transaction ends."""
_XID = b"SELECT pg_current_xact_id()::text"


class Answer:
    """What statements come to, once somebody asks; see `weft.store.sql.Rows`."""

    def __init__(self, asked: Writing) -> None:
        self.cursors: list[psycopg.Cursor[Any]] = []
        self._asked = asked

    @property
    def rowcount(self) -> int:
        """How many rows were written."""
        self._asked.hear()
        return sum(cursor.rowcount for cursor in self.cursors)

    def fetchone(self) -> Any:
        """The next row, or None."""
        self._asked.hear()
        return self.cursors[-1].fetchone()

    def fetchall(self) -> list[Any]:
        """The rows that are left."""
        self._asked.hear()
        return self.cursors[-1].fetchall()

    def __iter__(self) -> Iterator[Any]:
        """The rows that are left, one by one."""
        return iter(self.fetchall())


class Writing(Statements):
    """One transaction after the other.

    The server's name of a transaction is remembered, so that one whose end nobody has heard of can be asked for.
    """

    def __init__(self, raw: psycopg.Connection[Any]) -> None:
        super().__init__(raw)
        self._kept: list[tuple[Answer, bytes, Sequence[Any]]] = []
        self._begun = False
        self._named = Answer(self)

    @property
    def xid(self) -> str:
        """The server's name of the transaction that was begun last; empty when it never came that far."""
        with suppress(psycopg.Error):
            row = self._named.cursors[-1].fetchone() if self._named.cursors else None
            return str(row[0]) if row is not None else ""
        return ""

    def begin(self, *, in_turn: bool) -> None:
        """Begin a transaction, `in_turn` with those of other processes that have to be, too."""
        self._kept.clear()
        self._begun = False
        self.send(b"BEGIN")
        if in_turn:
            self.send(TURNS)
        self._named = self.send(_XID)

    def send(self, statement: bytes, parameters: Sequence[Any] = ()) -> Answer:
        """Run one statement, at the latest when somebody asks for an answer."""
        answer = Answer(self)
        self._kept.append((answer, statement, parameters))
        return answer

    def execute(self, sql: str, parameters: Any = (), /) -> Any:
        """Run one statement."""
        if sql.startswith("ROLLBACK"):
            # Back to a savepoint: what was kept since is as good as undone, unless the savepoint itself is among it.
            with suppress(psycopg.Error):
                self.hear()
        return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> Any:
        """Run one statement for each of these."""
        answer = Answer(self)
        self._kept.extend((answer, numbered(sql)[0], given) for given in parameters)
        return answer

    def hear(self) -> None:
        """Send what is kept, and wait for the answers."""
        if not self._kept:
            return
        kept, self._kept = self._kept, []
        self._begun = True
        with self.raw.pipeline():
            for answer, statement, parameters in kept:
                answer.cursors.append(self.raw.execute(statement, parameters))

    def commit(self) -> None:
        """Make it durable."""
        self.hear()
        self.raw.execute(b"COMMIT")

    def roll_back(self) -> None:
        """Undo it."""
        self._kept.clear()
        if self._begun and not self.raw.closed:
            self.raw.execute(b"ROLLBACK")
        self._begun = False

    def renew(self, raw: psycopg.Connection[Any]) -> None:
        """Go on with another connection: this one is lost, and what it had begun is undone."""
        self.raw.close()
        self.raw, self._begun = raw, False
        self._kept.clear()
