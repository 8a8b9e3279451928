"""Tenants, their users, and the keys that users show. Of a key only the hash is kept."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, select

from weft.core.errors import ConflictError, NotFoundError
from weft.store.seen import seen_by
from weft.store.service_tables import keys, tenants, users
from weft.store.sql import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A tenant; `created_at` is in microseconds."""

    id: str
    name: str
    created_at: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user of a tenant, in one role."""

    id: str
    name: str
    role: str
    disabled: bool = False
    created_at: int = 0
    tenant: str = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key of a user, in the user's role or a lesser one; `rights`, with spaces between, narrow it further. Times are microseconds."""

    id: str
    principal: str
    hash: str
    name: str
    role: str
    created_at: int = 0
    expires_at: int | None = None
    revoked_at: int | None = None
    rights: str = ""
    tenant: str = "local"


class Identities:
    """Questions about who there is."""

    def __init__(self, engine: Engine, path: Path | str) -> None:
        self._engine = engine
        self._path = path

    def tenants(self) -> list[Tenant]:
        """All tenants, by id."""
        with self._read() as connection:
            return [Tenant(**row._mapping) for row in connection.execute(select(tenants).order_by(tenants.c.id))]  # noqa: SLF001 -- SQLAlchemy's documented way to a mapping

    def users(self, *, tenant: str = "local") -> list[User]:
        """The users of a tenant, by id."""
        query = select(users).where(users.c.tenant == tenant).order_by(users.c.id)
        with self._read(tenant) as connection:
            return [_user(row._mapping) for row in connection.execute(query)]  # noqa: SLF001 -- same

    def user(self, user_id: str, *, tenant: str = "local") -> User:
        """The user of this id.

        Raises:
            NotFoundError: there is none.
        """
        found = self.find_user(user_id, tenant=tenant)
        if found is None:
            raise NotFoundError(f"there is no user {user_id!r}", fix="list the users to see those there are")
        return found

    def find_user(self, user_id: str, *, tenant: str = "local") -> User | None:
        """The user of this id, if there is one."""
        query = select(users).where(users.c.tenant == tenant, users.c.id == user_id)
        with self._read(tenant) as connection:
            row = connection.execute(query).first()
        return None if row is None else _user(row._mapping)  # noqa: SLF001 -- same

    def keys(self, *, tenant: str = "local", principal: str | None = None) -> list[Key]:
        """The keys of a tenant or of one user, the newest first."""
        query = select(keys).where(keys.c.tenant == tenant).order_by(keys.c.created_at.desc(), keys.c.id)
        if principal is not None:
            query = query.where(keys.c.principal == principal)
        with self._read(tenant) as connection:
            return [Key(**row._mapping) for row in connection.execute(query)]  # noqa: SLF001 -- same

    def key_with(self, hash_: str) -> Key | None:
        """The key whose hash this is, of whatever tenant."""
        with self._read() as connection:
            row = connection.execute(select(keys).where(keys.c.hash == hash_)).first()
        return None if row is None else Key(**row._mapping)  # noqa: SLF001 -- same

    def _read(self, tenant: str | None = None) -> AbstractContextManager[Connection]:
        return seen_by(self._engine, self._path, tenant)


def _user(mapping: object) -> User:
    data = dict(mapping)  # type: ignore[call-overload]  # a row's mapping
    return User(**{**data, "disabled": bool(data["disabled"])})


def add_user(user: User) -> Callable[[Transaction], None]:
    """Work for the writer: keep a new user.

    Raises:
        ConflictError: there is one of this id.
    """

    def work(connection: Transaction) -> None:
        known = connection.execute("SELECT 1 FROM users WHERE tenant=? AND id=?", (user.tenant, user.id)).fetchone()
        if known is not None:
            raise ConflictError(f"there is a user {user.id!r} already", fix="choose another id")
        connection.execute(
            "INSERT INTO users (tenant, id, name, role, disabled, created_at) VALUES (?,?,?,?,?,?)",
            (user.tenant, user.id, user.name, user.role, int(user.disabled), user.created_at),
        )

    return work


def change_user(user: User) -> Callable[[Transaction], None]:
    """Work for the writer: keep what has changed of a user."""

    def work(connection: Transaction) -> None:
        connection.execute(
            "UPDATE users SET name=?, role=?, disabled=? WHERE tenant=? AND id=?",
            (user.name, user.role, int(user.disabled), user.tenant, user.id),
        )

    return work


def add_key(key: Key) -> Callable[[Transaction], None]:
    """Work for the writer: keep a new key."""

    def work(connection: Transaction) -> None:
        connection.execute(
            "INSERT INTO keys (tenant, id, principal, hash, name, role, created_at, expires_at, rights) "
            "VALUES (?,?,?,?,?,?,?,?,?)",
            (
                key.tenant,
                key.id,
                key.principal,
                key.hash,
                key.name,
                key.role,
                key.created_at,
                key.expires_at,
                key.rights,
            ),
        )

    return work


def revoke_key(key_id: str, *, at: int, tenant: str = "local") -> Callable[[Transaction], None]:
    """Work for the writer: take a key back.

    Raises:
        NotFoundError: there is none of this id.
    """

    def work(connection: Transaction) -> None:
        done = connection.execute(
            "UPDATE keys SET revoked_at=COALESCE(revoked_at, ?) WHERE tenant=? AND id=?", (at, tenant, key_id)
        )
        if not done.rowcount:
            raise NotFoundError(f"there is no key {key_id!r}", fix="list the keys to see those there are")

    return work
