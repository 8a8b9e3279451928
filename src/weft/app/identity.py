"""Who may do what: roles, users, and the keys that they show."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from weft.core.clock import Clock
from weft.core.errors import AuthError, InputError
from weft.core.ids import uuid7
from weft.core.owner import LOCAL, Owner
from weft.spec.suggest import did_you_mean
from weft.store.identity import Key, User, add_key, add_user, change_user, revoke_key
from weft.store.journal import Journal

PREFIX = "weft_"
EVERYTHING = frozenset({"*"})
_READ = frozenset(
    {
        "runs:read",
        "workflows:read",
        "gates:read",
        "agents:read",
        "tools:read",
        "plans:read",
        "automations:read",
        "sessions:use",
        "usage:read",
        "flags:read",
    }
)
_OPERATE = _READ | {"runs:start", "runs:write", "automations:write", "gates:decide"}
ROLES: Mapping[str, frozenset[str]] = {
    "admin": EVERYTHING,
    "developer": _OPERATE | {"workflows:write", "webhooks:read", "webhooks:write", "plans:write"},
    "operator": _OPERATE | {"audit:read", "webhooks:read", "settings:read"},
    "approver": _READ | {"gates:decide"},
    "viewer": _READ - {"sessions:use"},
}
"""What each role may do."""


@dataclass(frozen=True, slots=True)
class Known:
    """Somebody who has shown a key: who, and what they may do."""

    owner: Owner
    rights: frozenset[str]


class Identity:
    """Users and keys of one journal."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock

    def users(self, *, tenant: str = "local") -> list[User]:
        """The users of a tenant; the local one is always there."""
        kept = self._journal.identities.users(tenant=tenant)
        local = [] if tenant != "local" else [User(id=LOCAL.principal, name="the user of this machine", role="admin")]
        return [*(one for one in local if one.id not in {user.id for user in kept}), *kept]

    async def add_user(self, user_id: str, name: str, role: str, *, tenant: str = "local") -> User:
        """Make a user.

        Raises:
            InputError: there is no such role.
            ConflictError: there is one of this id.
        """
        _check_role(role)
        user = User(id=user_id, name=name or user_id, role=role, created_at=self._clock.micros(), tenant=tenant)
        await self._journal.writer.submit(add_user(user))
        return user

    async def change_user(self, user: User) -> User:
        """Keep another name or role of a user, or disable them; their keys count no more then."""
        _check_role(user.role)
        await self._journal.writer.submit(change_user(user))
        return user

    async def new_key(
        self, principal: str, name: str, role: str, *, days: int | None = None, tenant: str = "local"
    ) -> tuple[Key, str]:
        """A key for a user, and what is to be shown: it is told this once.

        Raises:
            InputError: there is no such user or role, or the role may do what the user's may not.
        """
        _check_role(role)
        owner = next((one for one in self.users(tenant=tenant) if one.id == principal), None)
        if owner is None or owner.disabled:
            raise InputError(f"there is no user {principal!r}", fix="make the user first")
        if not covers(ROLES[owner.role], ROLES[role]):
            raise InputError(
                f"a key cannot be {role!r}: its user is {owner.role!r}", fix="give it that role or a lesser one"
            )
        shown = PREFIX + secrets.token_urlsafe(32)
        now = self._clock.micros()
        key = Key(
            id=uuid7(),
            principal=principal,
            hash=hashed(shown),
            name=name,
            role=role,
            created_at=now,
            expires_at=None if days is None else now + days * 86_400_000_000,
            tenant=tenant,
        )
        await self._journal.writer.submit(add_key(key))
        return key, shown

    async def revoke(self, key_id: str, *, tenant: str = "local") -> None:
        """Take a key back."""
        await self._journal.writer.submit(revoke_key(key_id, at=self._clock.micros(), tenant=tenant))

    def known(self, shown: str) -> Known:
        """Who shows this key.

        Raises:
            AuthError: it is none, is over, or its user is disabled.
        """
        # What is looked up is the hash: how long that takes tells nothing of the key.
        key = self._journal.identities.key_with(hashed(shown))
        now = self._clock.micros()
        if key is None or key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now):
            raise AuthError("the key is unknown, over or taken back", fix="ask for a new one")
        user = next((one for one in self.users(tenant=key.tenant) if one.id == key.principal), None)
        if user is None or user.disabled:
            raise AuthError("the key is unknown, over or taken back", fix="ask for a new one")
        return Known(Owner(key.tenant, key.principal), common(ROLES[key.role], ROLES[user.role]))


def hashed(shown: str) -> str:
    """What is kept of a key. It is random and long: a plain hash is enough."""
    return hashlib.sha256(shown.encode()).hexdigest()


def covers(wide: frozenset[str], narrow: frozenset[str]) -> bool:
    """Whether whoever has the rights `wide` has all of `narrow`."""
    return "*" in wide or narrow <= wide


def common(first: frozenset[str], second: frozenset[str]) -> frozenset[str]:
    """The rights that both give."""
    if "*" in first:
        return second
    return first if "*" in second else first & second


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise InputError(f"there is no role {role!r}", fix=did_you_mean(role, ROLES, noun="roles"))
