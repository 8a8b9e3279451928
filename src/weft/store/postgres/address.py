"""Where a Postgres database is, and how this process talks to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from weft.core.errors import InputError
from weft.store.postgres.narrow import NarrowConnection

_CONNECT_S = 5
_IDLE_MS = 1_500
"""How long a transaction may wait for its process: one that is frozen, or cut off, must not hold up the others."""
_LOCK_MS = 10_000
_LONGEST_MS = 15_000
_SERVER = {
    "idle_in_transaction_session_timeout": str(_IDLE_MS),
    "lock_timeout": str(_LOCK_MS),
    "transaction_timeout": str(_LONGEST_MS),
    "tcp_keepalives_idle": "2",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "2",
    "tcp_user_timeout": "3000",
    "timezone": "UTC",
}
_PATIENT = dict.fromkeys(("idle_in_transaction_session_timeout", "transaction_timeout", "lock_timeout"), "0")
_CLIENT = {
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 2,
    "tcp_user_timeout": 3_000,
}


@dataclass(frozen=True, slots=True)
class Address:
    """A database. `conninfo` may hold a password, `shown` never does."""

    conninfo: str
    shown: str

    @classmethod
    def of(cls, url: str) -> Address:
        """The address that a ``postgresql://`` URL names.

        Raises:
            InputError: it is none.
        """
        try:
            parts = conninfo_to_dict(url)
        except psycopg.Error:
            # What libpq says of it may repeat the password.
            raise InputError(
                "store.url is no address of a Postgres database",
                fix="write it as postgresql://user@host:5432/database",
            ) from None
        host, port = parts.get("host") or "localhost", parts.get("port")
        shown = f"postgresql://{host}{f':{port}' if port else ''}/{parts.get('dbname') or ''}"
        return cls(make_conninfo(url), shown)

    def connect(
        self, *, durability: Literal["full", "fast"] = "full", patient: bool = False, **how: Any
    ) -> NarrowConnection:
        """A new connection in autocommit mode; a `patient` one may take any time over a transaction. `how` is for psycopg."""
        given = conninfo_to_dict(self.conninfo)
        server = {
            **_SERVER,
            **(_PATIENT if patient else {}),
            "synchronous_commit": "on" if durability == "full" else "off",
        }
        options = " ".join([*(f"-c {name}={value}" for name, value in server.items()), str(given.pop("options", ""))])
        settings: dict[str, Any] = {"application_name": "weft", "connect_timeout": _CONNECT_S, **_CLIENT, **given}
        return NarrowConnection.connect(**settings, options=options.strip(), autocommit=True, **how)
