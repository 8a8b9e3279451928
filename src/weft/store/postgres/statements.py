"""The store's SQL on a connection to Postgres: parameters are written ``$1`` there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import psycopg

from weft.store.postgres.complaints import lost
from weft.store.postgres.narrow import NarrowConnection
from weft.store.sealing import Seal

_TOKEN = re.compile(r"'(?:[^']|'')*'|\?|(?<!:):([a-z_]+)")


@cache
def numbered(sql: str) -> tuple[bytes, tuple[str, ...]]:
    """`sql` with numbered parameters, and the names of them in this order, when it has named ones."""
    names: dict[str, int] = {}
    count = 0

    def place(found: re.Match[str]) -> str:
        nonlocal count
        if found[1]:
            return f"${names.setdefault(found[1], len(names) + 1)}"
        if found[0] != "?":
            return found[0]
        count += 1
        return f"${count}"

    text = _TOKEN.sub(place, sql)
    return text.encode(), tuple(names)


class Statements:
    """See `weft.store.sql.Transaction`. `raw` is the connection, which its owner may put another in the place of."""

    seal: Seal | None = None

    def __init__(self, raw: psycopg.Connection[Any]) -> None:
        self.raw = raw

    def send(self, statement: bytes, parameters: Sequence[Any] = ()) -> Any:
        """Run one statement whose parameters are numbered; its answer may still be on the way."""
        return self.raw.execute(statement, parameters)

    def hear(self) -> None:
        """Wait for the answers to what was sent."""

    def execute(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = (), /) -> Any:
        """Run one statement."""
        text, names = numbered(sql)
        given = [parameters[name] for name in names] if isinstance(parameters, Mapping) else parameters
        return self.send(text, given)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> Any:
        """Run one statement for each of these."""
        given = list(parameters)
        if not given:
            return _NOTHING
        cursor = self.raw.cursor()
        cursor.executemany(numbered(sql)[0], given)
        return cursor


class Reading(Statements):
    """Statements that only read, each by itself: one that met a lost connection is asked again on a new one."""

    raw: NarrowConnection
    tenant: str | None = None
    """Whose statements they are, and so what they see."""

    def __init__(self, connect: Callable[[], NarrowConnection]) -> None:
        super().__init__(connect())
        self._connect = connect

    def send(self, statement: bytes, parameters: Sequence[Any] = ()) -> Any:
        """Run one statement whose parameters are numbered."""
        with self.raw.narrow(self.tenant):
            return super().send(statement, parameters)

    def execute(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = (), /) -> Any:
        """Run one statement."""
        try:
            return super().execute(sql, parameters)
        except psycopg.OperationalError as error:
            if not lost(error):
                raise
            self.raw.close()
            self.raw = self._connect()
            return super().execute(sql, parameters)


class _Nothing:
    """What a statement comes to that was run for nothing at all."""

    rowcount = 0

    def fetchone(self) -> None:
        return None

    def fetchall(self) -> list[Any]:
        return []

    def __iter__(self) -> Iterator[Any]:
        return iter(())


_NOTHING = _Nothing()
