"""Feature flags: what can be switched while the service runs, each with a type and what it says by default."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from weft.core.clock import Clock
from weft.core.errors import InputError, NotFoundError
from weft.spec.suggest import did_you_mean
from weft.store.flags import SetFlag, set_flag, unset_flag
from weft.store.journal import Journal

_FRESH_S = 1.0
"""How long what was read counts: another process may set flags too."""


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag. `type` is ``bool`` or ``int``; an integer is between `least` and `most`."""

    name: str
    type: type
    default: Any
    about: str
    least: int = 0
    most: int = 1_000_000


FLAGS: Mapping[str, Flag] = {
    flag.name: flag
    for flag in (
        Flag("runs.accept", bool, True, "New runs are taken. Off, whoever asks is told to come back later."),
        Flag("runs.open_most", int, 0, "Runs that may be open at once; 0 sets no limit."),
        Flag("chat.thoughts", bool, True, "Streams tell what agents write on the way to an answer."),
        Flag("hooks.accept", bool, True, "Messages to webhook triggers start runs."),
    )
}
"""Every flag that there is."""


class Flags:
    """What the flags say now."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._set: dict[tuple[str, str], SetFlag] = {}
        self._read_at = float("-inf")

    def value(self, name: str, *, tenant: str = "local") -> Any:
        """What a flag says."""
        known = self._known().get((tenant, name))
        return FLAGS[name].default if known is None else known.value

    def all(self, *, tenant: str = "local") -> list[tuple[Flag, SetFlag | None]]:
        """Every flag, and how it was set if it was."""
        known = self._known()
        return [(flag, known.get((tenant, flag.name))) for flag in FLAGS.values()]

    async def set(self, name: str, value: Any, *, principal: str, tenant: str = "local") -> None:
        """Have a flag say `value` from now on; None for what it says by default.

        Raises:
            NotFoundError: there is no such flag.
            InputError: the value is not of its type.
        """
        flag = FLAGS.get(name)
        if flag is None:
            raise NotFoundError(f"there is no flag {name!r}", fix=did_you_mean(name, FLAGS, noun="flags"))
        if value is None:
            await self._journal.writer.submit(unset_flag(name, tenant=tenant))
        else:
            _check(flag, value)
            made = SetFlag(name=name, value=value, principal=principal, updated_at=self._clock.micros(), tenant=tenant)
            await self._journal.writer.submit(set_flag(made))
        self._read_at = float("-inf")

    def _known(self) -> Mapping[tuple[str, str], SetFlag]:
        now = time.monotonic()
        if now - self._read_at > _FRESH_S:
            self._set = {(one.tenant, one.name): one for one in self._journal.flags.all()}
            self._read_at = now
        return self._set


def _check(flag: Flag, value: Any) -> None:
    # A boolean is an integer to Python, and none to people.
    if type(value) is not flag.type:
        raise InputError(f"{flag.name} is a {flag.type.__name__}, and {str(value)[:40]!r} is none")
    if isinstance(value, int) and flag.type is int and not flag.least <= value <= flag.most:
        raise InputError(f"{flag.name} is between {flag.least} and {flag.most}", fix="choose another value")
