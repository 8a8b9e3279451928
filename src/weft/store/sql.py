"""What SQL is written against: one small surface that every database of the store has.

Statements are in the words that SQLite and Postgres share (``ON CONFLICT`` rather than ``INSERT OR IGNORE``), with ``?`` or
``:name`` for parameters. SQLite's own connection is such a surface as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from weft.store.sealing import Seal


class Rows(Protocol):
    """What a statement came to."""

    @property
    def rowcount(self) -> int:
        """How many rows it has written."""

    def fetchone(self) -> Any:
        """The next row, or None."""

    def fetchall(self) -> list[Any]:
        """The rows that are left."""

    def __iter__(self) -> Iterator[Any]:
        """The rows that are left, one by one."""


class Transaction(Protocol):
    """Where statements are run: inside the transaction of a batch, or each by itself for reading."""

    seal: Seal | None
    """What seals what is written here, if anything does."""

    def execute(self, sql: str, parameters: Any = ..., /) -> Rows:
        """Run one statement."""

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> Rows:
        """Run one statement for each of these; `rowcount` is the sum."""
