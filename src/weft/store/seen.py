"""Reading what is one tenant's.

Each query names the tenant itself. Where the database knows tenants (Postgres), it sees to it as well: what is another's is not
there for the statement, whatever the query forgets.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine

from weft.store.complaints import translated


@contextmanager
def seen_by(engine: Engine, path: Path | str, tenant: str | None) -> Iterator[Connection]:
    """A connection to read from as `tenant`; without one, for what is asked of all of them. Complaints come in our words."""
    with translated(path), engine.connect() as connection:
        narrow = None if tenant is None else getattr(connection.connection.driver_connection, "narrow", None)
        if narrow is None:
            yield connection
            return
        with narrow(tenant):
            yield connection
