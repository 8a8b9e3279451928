"""Who may do what: roles, users, and the keys that they show."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from weft.app.rights import RIGHTS, ROLES
from weft.core.clock import Clock
from weft.core.errors import AuthError, InputError, StorageError
from weft.core.ids import uuid7
from weft.core.owner import LOCAL, Owner
from weft.spec.suggest import did_you_mean
from weft.store.identity import Key, User, add_key, add_user, change_user, revoke_key
from weft.store.journal import Journal
from weft.store.signins import SignIn, end_signin

PREFIX = "weft_"
RESERVED = frozenset({"weft", "hook"})
"""Who acts of their own accord: nobody may be taken for them in the audit log."""
_LOCAL_USER = User(id=LOCAL.principal, name="the user of this machine", role="admin")


@dataclass(frozen=True, slots=True)
class Known:
    """Somebody who has shown a key: who, and what they may do; `signin` is the session of a browser that they come with."""

    owner: Owner
    rights: frozenset[str]
    role: str = ""
    signin: str = ""


class Identity:
    """Users and keys of one journal."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock

    def users(self, *, tenant: str = "local") -> list[User]:
        """The users of a tenant; the local one is always there."""
        kept = self._journal.identities.users(tenant=tenant)
        local = [_LOCAL_USER] if tenant == LOCAL.tenant else []
        return [*(one for one in local if one.id not in {user.id for user in kept}), *kept]

    async def add_user(self, user_id: str, name: str, role: str, *, tenant: str = "local") -> User:
        """Make a user.

        Raises:
            InputError: there is no such role, or nobody can have this id.
            ConflictError: there is one of this id.
        """
        _check_role(role)
        if user_id in RESERVED or (user_id == LOCAL.principal and tenant != LOCAL.tenant):
            raise InputError(
                f"nobody can be called {user_id!r}", fix="choose another id: the service itself acts under this one"
            )
        user = User(id=user_id, name=name or user_id, role=role, created_at=self._clock.micros(), tenant=tenant)
        await self._journal.writer.submit(add_user(user))
        return user

    async def change_user(self, user: User) -> User:
        """Keep another name or role of a user, or disable them; their keys count no more then."""
        _check_role(user.role)
        await self._journal.writer.submit(change_user(user))
        self._tell()
        return user

    async def new_key(
        self,
        principal: str,
        name: str,
        role: str,
        *,
        days: int | None = None,
        rights: Iterable[str] = (),
        tenant: str = "local",
    ) -> tuple[Key, str]:
        """A key for a user, and what is to be shown: it is told this once. With `rights` it may do no more than these.

        Raises:
            InputError: there is no such user or role, or the role may do what the user's may not.
        """
        _check_role(role)
        unknown = sorted(set(rights) - RIGHTS.keys())
        if unknown:
            raise InputError(f"there is no right {unknown[0]!r}", fix=did_you_mean(unknown[0], RIGHTS, noun="rights"))
        owner = self.user(principal, tenant=tenant)
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
            rights=" ".join(sorted(set(rights))),
            tenant=tenant,
        )
        await self._journal.writer.submit(add_key(key))
        return key, shown

    async def revoke(self, key_id: str, *, tenant: str = "local") -> None:
        """Take a key back."""
        await self._journal.writer.submit(revoke_key(key_id, at=self._clock.micros(), tenant=tenant))
        self._tell()

    def signins(self, *, tenant: str = LOCAL.tenant, principal: str | None = None, limit: int = 1_000) -> list[SignIn]:
        """The sessions of a user's browsers, or of everybody's in the tenant, that are not over, the newest first."""
        return self._journal.signins.of(tenant, principal=principal, now=self._clock.micros(), limit=limit)

    async def end_signin(
        self, signin_id: str, *, tenant: str = LOCAL.tenant, principal: str | None = None
    ) -> str | None:
        """End a session, if it is one of `principal`'s, or anybody's where none is named; says whose it was.

        What is read in its name ends as well, in whatever process.
        """
        ended: str | None = await self._journal.writer.submit(end_signin(tenant, signin_id, principal=principal))
        if ended is not None:
            self._tell()
        return ended

    def _tell(self) -> None:
        with suppress(StorageError):  # then streams that are open are looked at when it is time for that
            self._journal.inbox.ring()

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
        user = self.user(key.principal, tenant=key.tenant)
        if user is None or user.disabled:
            raise AuthError("the key is unknown, over or taken back", fix="ask for a new one")
        rights = common(ROLES[key.role], ROLES[user.role])
        if key.rights:
            rights = common(rights, frozenset(key.rights.split()))
        return Known(Owner(key.tenant, key.principal), rights, key.role)

    def user(self, user_id: str, *, tenant: str = LOCAL.tenant) -> User | None:
        """The user of this id, if there is one."""
        kept = self._journal.identities.find_user(user_id, tenant=tenant)
        return _LOCAL_USER if kept is None and (tenant, user_id) == (LOCAL.tenant, LOCAL.principal) else kept

    def person(self, owner: Owner, role: str) -> Known:
        """Somebody for whom another word than a key stands: in the role that they have here, and else in `role`.

        Raises:
            AuthError: they are disabled, or have no role at all.
        """
        user = self.user(owner.principal, tenant=owner.tenant)
        if user is not None and user.disabled:
            raise AuthError("this user may not come in any more", fix="ask whoever runs the service")
        role = user.role if user is not None else role
        if role not in ROLES:
            raise AuthError("you have no role here", fix="ask whoever runs the service to make you a user")
        return Known(owner, ROLES[role], role)


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
