"""How often runs may be started and models asked, and how often anything may be asked at all."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field

from weft.core.clock import Clock
from weft.core.errors import RateLimitError
from weft.core.owner import LOCAL, Owner
from weft.core.settings_model import Rates
from weft.store.journal import Journal
from weft.store.rates import Rate, Standing, standing, take

_KNOWN = 10_000
_HOUR, _MINUTE = 3_600, 60
_WHOSE = frozenset({"user", "tenant", "key", "session"})


@dataclass(slots=True)
class Asking:
    """One request, for whoever answers it: the credential that it came with, and how its limits stand."""

    key: str = ""
    standings: list[Standing] = field(default_factory=list)

    @property
    def tightest(self) -> Standing | None:
        """The limit that is nearest."""
        return min(self.standings, key=lambda one: (-one.wait_s, one.left), default=None)


ASKING: ContextVar[Asking | None] = ContextVar("asking", default=None)
"""The request that is being answered."""


class Limits:
    """Limits of one service. The user of this machine has none. `denied` is told whom they have kept from beginning something, and why."""

    def __init__(
        self, settings: Rates, journal: Journal, clock: Clock, *, denied: Callable[[Owner, str], None] | None = None
    ) -> None:
        self._denied = denied
        self._told: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._settings = settings
        self._journal = journal
        self._clock = clock
        self._reads: OrderedDict[str, int] = OrderedDict()

    async def start(self, owner: Owner) -> None:
        """Let a run begin, or a model be asked.

        Raises:
            RateLimitError: it was done too often; `retry_after_s` says when it can be done again.
        """
        if (owner.tenant, owner.principal) == (LOCAL.tenant, LOCAL.principal):
            return
        rates = self._rates(owner)
        if rates:
            found = await self._journal.writer.submit(take(rates, self._clock.micros()))
            try:
                _demand(found)
            except RateLimitError as refusal:
                self._tell(owner, refusal.message)
                raise

    def read(self, tenant: str, principal: str) -> None:
        """Let a request be answered, whatever it asks for.

        Raises:
            RateLimitError: as for `start`.
        """
        if (tenant, principal) == (LOCAL.tenant, LOCAL.principal) or not self._settings.requests_minute:
            return
        name = f"requests\n{tenant}\n{principal}"
        rate = Rate(name=name, count=self._settings.requests_minute, seconds=_MINUTE)
        found, then = standing(rate, self._reads.get(name, 0), self._clock.micros())
        self._reads[name] = then
        self._reads.move_to_end(name)
        if len(self._reads) > _KNOWN:
            self._reads.popitem(last=False)
        if found.wait_s:
            _demand([found])

    def _tell(self, owner: Owner, message: str) -> None:
        """Whoever is refused asks again and again: once a minute is enough to know of."""
        key, now = (owner.tenant, owner.principal), self._clock.monotonic()
        if self._denied is None or now - self._told.get(key, -_MINUTE) < _MINUTE:
            return
        self._told[key] = now
        self._told.move_to_end(key)
        if len(self._told) > _KNOWN:
            self._told.popitem(last=False)
        self._denied(owner, message)

    def _rates(self, owner: Owner) -> list[Rate]:
        settings, asking = self._settings, ASKING.get()
        user, key = f"{owner.tenant}\n{owner.principal}", asking.key if asking is not None else ""
        wanted = [
            (f"user\n{_MINUTE}\n{user}", settings.user_minute, _MINUTE),
            (f"user\n{_HOUR}\n{user}", settings.user_hour, _HOUR),
            (f"tenant\n{_HOUR}\n{owner.tenant}", settings.tenant_hour, _HOUR),
        ]
        if key:
            wanted.append((f"key\n{_HOUR}\n{key}", settings.key_hour, _HOUR))
        if owner.session:
            wanted.append((f"session\n{_HOUR}\n{owner.tenant}\n{owner.session}", settings.session_hour, _HOUR))
        return [Rate(name=name, count=count, seconds=seconds) for name, count, seconds in wanted if count]


def _demand(found: list[Standing]) -> None:
    asking = ASKING.get()
    if asking is not None:
        asking.standings = found
    late = max(found, key=lambda one: one.wait_s)
    if late.wait_s:
        whose = late.rate.name.partition("\n")[0]
        about = f" for a {whose}" if whose in _WHOSE else ""
        per = "an hour" if late.rate.seconds == _HOUR else "a minute"
        raise RateLimitError(
            f"more than {late.rate.count} {per}{about}",
            fix=f"ask again in {late.wait_s:.0f} seconds, or raise the limit in the settings under rates",
            retry_after_s=max(1, int(late.wait_s + 0.999)),
        )
