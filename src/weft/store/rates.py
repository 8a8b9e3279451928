"""Limits on how often something is begun: buckets that fill with time, kept where every process sees them.

A bucket is one number, the time at which it is full again (the generic cell rate algorithm): nothing has to be refilled, and whoever
takes from several takes from all or from none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from weft.store.sql import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """At most `count` in `seconds`, for what `name` says."""

    name: str
    count: int
    seconds: int

    @property
    def step(self) -> int:
        """The time that one takes, in microseconds."""
        return self.seconds * 1_000_000 // self.count


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a bucket stands: `left` in it now, full again in `reset_s`; `wait_s` until there is one more, 0 when there was."""

    rate: Rate
    left: int
    reset_s: float
    wait_s: float = 0.0


def standing(rate: Rate, full_at: int, now: int) -> tuple[Standing, int]:
    """How a bucket stands after one is taken out of it, and when it is full then; nothing is taken when there is none."""
    window = rate.seconds * 1_000_000
    then = max(full_at, now) + rate.step
    if then - now > window:
        wait = (then - now - window) / 1_000_000
        return Standing(rate=rate, left=0, reset_s=max(0, full_at - now) / 1_000_000, wait_s=wait), full_at
    left = (window - (then - now)) // rate.step
    return Standing(rate=rate, left=int(left), reset_s=(then - now) / 1_000_000), then


def take(rates: Sequence[Rate], now: int) -> Callable[[Transaction], list[Standing]]:
    """Work for the writer: take one out of each bucket, or none out of any."""

    def work(connection: Transaction) -> list[Standing]:
        found, changed = [], []
        for rate in rates:
            row = connection.execute("SELECT full_at FROM rates WHERE name=?", (rate.name,)).fetchone()
            one, then = standing(rate, row[0] if row is not None else 0, now)
            found.append(one)
            changed.append((rate.name, then))
        if all(not one.wait_s for one in found):
            connection.executemany(
                "INSERT INTO rates (name, full_at) VALUES (?,?) ON CONFLICT (name) DO UPDATE SET full_at=excluded.full_at",
                changed,
            )
        return found

    return work


def forget(now: int) -> Callable[[Transaction], None]:
    """Work for the writer: forget buckets that are full."""

    def work(connection: Transaction) -> None:
        connection.execute("DELETE FROM rates WHERE full_at<?", (now,))

    return work
