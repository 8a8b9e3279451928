"""Statements of one tenant's: the server lets them see nothing else.

Before such a statement goes another one, on the same way there, that takes on the role under which policies hold and names the tenant. Both
hold until the end of the transaction, which the two of them make up: nothing is left on the connection for whoever uses it next.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import psycopg
from psycopg import Cursor, RawCursor

_AS = b"SELECT set_config('role', $1, true), set_config('weft.tenant', $2, true)"


class NarrowConnection(psycopg.Connection[Any]):
    """A connection that is read from. `serving` is the role for what is one tenant's, if there is one."""

    serving: str | None = None
    tenant: str | None = None

    @contextmanager
    def narrow(self, tenant: str | None) -> Iterator[None]:
        """Statements meanwhile see what is this tenant's and nothing else; with None, everything."""
        self.tenant = tenant if self.serving is not None else None
        try:
            yield
        finally:
            self.tenant = None


@contextmanager
def _as_it_is(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """One statement meanwhile sees what its connection is to see at that moment."""
    if not isinstance(connection, NarrowConnection) or connection.tenant is None:
        yield
        return
    with connection.pipeline():
        RawCursor(connection).execute(_AS, (connection.serving, connection.tenant))
        yield


class NarrowCursor(Cursor[Any]):
    """Runs statements as its connection is at that moment."""

    def execute(self, query: Any, params: Any = None, **how: Any) -> Self:
        """Run one statement."""
        with _as_it_is(self.connection):
            super().execute(query, params, **how)
        return self


class NarrowRawCursor(RawCursor[Any]):
    """`NarrowCursor` for statements whose parameters are numbered."""

    def execute(self, query: Any, params: Any = None, **how: Any) -> Self:
        """Run one statement."""
        with _as_it_is(self.connection):
            super().execute(query, params, **how)
        return self
