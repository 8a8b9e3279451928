"""Sessions of browsers: each is a row for as long as it counts, so that any one of them can be ended by itself."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import astuple, dataclass, fields

from weft.store.sql import Transaction

_MOST = 100
"""So many sessions a user may have; the oldest end when there are more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """A session of a user's browser. `how` is ``login`` or ``link``, `agent` what the browser calls itself; times are microseconds."""

    tenant: str
    id: str
    principal: str
    how: str
    agent: str
    created_at: int
    expires_at: int


_COLUMNS = ", ".join(one.name for one in fields(SignIn))


class SignIns:
    """Questions about sessions of browsers."""

    def __init__(self, reading: Callable[[], AbstractContextManager[Transaction]]) -> None:
        self._reading = reading

    def stands(self, tenant: str, signin_id: str) -> bool:
        """Whether nobody has ended this session. When it runs out is its cookie's own business."""
        with self._reading() as connection:
            row = connection.execute("SELECT 1 FROM signins WHERE tenant=? AND id=?", (tenant, signin_id)).fetchone()
        return row is not None

    def of(self, tenant: str, *, principal: str | None, now: int, limit: int) -> list[SignIn]:
        """The sessions of a user, or of everybody in the tenant, that are not over, the newest first."""
        whose = "" if principal is None else " AND principal=:principal"
        sql = (
            f"SELECT {_COLUMNS} FROM signins WHERE tenant=:tenant AND expires_at>:now{whose} "  # noqa: S608 -- ours
            "ORDER BY created_at DESC, id DESC LIMIT :limit"
        )
        given: dict[str, object] = {"tenant": tenant, "now": now, "limit": limit}
        if principal is not None:
            given["principal"] = principal
        with self._reading() as connection:
            rows = connection.execute(sql, given).fetchall()
        return [SignIn(**dict(zip(_COLUMNS.split(", "), row, strict=True))) for row in rows]


def add_signin(one: SignIn) -> Callable[[Transaction], None]:
    """Work for the writer: somebody has signed in."""

    def work(connection: Transaction) -> None:
        connection.execute(f"INSERT INTO signins ({_COLUMNS}) VALUES (?,?,?,?,?,?,?)", astuple(one))  # noqa: S608 -- ours
        connection.execute(
            "DELETE FROM signins WHERE tenant=:tenant AND principal=:principal AND id NOT IN (SELECT id FROM signins "
            "WHERE tenant=:tenant AND principal=:principal ORDER BY created_at DESC, id DESC LIMIT :most)",
            {"tenant": one.tenant, "principal": one.principal, "most": _MOST},
        )

    return work


def end_signin(tenant: str, signin_id: str, *, principal: str | None) -> Callable[[Transaction], str | None]:
    """Work for the writer: end a session, if it is one of `principal`'s (or anybody's, for None); says whose it was."""

    def work(connection: Transaction) -> str | None:
        row = connection.execute(
            "SELECT principal FROM signins WHERE tenant=? AND id=?", (tenant, signin_id)
        ).fetchone()
        if row is None or principal not in {None, row[0]}:
            return None
        connection.execute("DELETE FROM signins WHERE tenant=? AND id=?", (tenant, signin_id))
        return str(row[0])

    return work


def forget_signins(before: int) -> Callable[[Transaction], None]:
    """Work for the writer: forget sessions that were over at `before`."""

    def work(connection: Transaction) -> None:
        connection.execute("DELETE FROM signins WHERE expires_at<=?", (before,))

    return work
