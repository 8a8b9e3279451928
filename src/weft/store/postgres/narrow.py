"""Statements of one tenant's: the server lets them see nothing else.

Before such a statement goes another one, on the same way there, that takes on the role under which policies hold and names the tenant. Both
hold until the end of the transaction, which the two of them make up: nothing is left on the connection for whoever uses it next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

import psycopg
from psycopg import Cursor, RawCursor

_AS = b"SELECT set_config('role', $1, true), set_config('weft.tenant', $2, true)"
_NOBODYS = "\uffff"
"""No character, by the standard, and yet one that the server takes."""


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
        RawCursor(connection).execute(_AS, (connection.serving, _text(connection.tenant)))
        yield


def _askable(params: Any) -> Any:
    """Parameters as the server takes them.

    It holds no text with a NUL in it, and refuses to look for one: what is asked for by such a text is not there, and is looked for by
    one that nobody can have meant.
    """
    if isinstance(params, Mapping):
        return {name: _text(value) for name, value in params.items()}
    return None if params is None else [_text(value) for value in params]


def _text(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", _NOBODYS) if "\0" in value else value
    return [_text(one) for one in value] if isinstance(value, list) else value


class NarrowCursor(Cursor[Any]):
    """Runs statements as its connection is at that moment."""

    def execute(self, query: Any, params: Any = None, **how: Any) -> Self:
        """Run one statement."""
        with _as_it_is(self.connection):
            super().execute(query, _askable(params), **how)
        return self


class NarrowRawCursor(RawCursor[Any]):
    """`NarrowCursor` for statements whose parameters are numbered."""

    def execute(self, query: Any, params: Any = None, **how: Any) -> Self:
        """Run one statement."""
        with _as_it_is(self.connection):
            super().execute(query, _askable(params), **how)
        return self
