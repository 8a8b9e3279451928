"""When to try again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from weft.core.errors import RateLimitError, TransientError, WeftError
from weft.plan.nodes import Retry

MAX_WAIT = 3_600.0
"""However long somebody asks us to wait, a step looks again after an hour (seconds)."""


@dataclass(frozen=True, slots=True)
class Again:
    """The verdict on an error: wait `delay` seconds; a parked step has spent no attempt."""

    delay: float
    parked: bool


def verdict(error: WeftError, policy: Retry, *, attempt: int, parks: int, key: str) -> Again | None:
    """Whether and when to try again after `error` in attempt number `attempt` (from 1), or None.

    Waits grow exponentially up to `wait_max` and are drawn from the whole interval below ("full jitter", after AWS's
    "Exponential Backoff And Jitter"), except for ``constant``. The draw depends on `key` alone, so that it is repeatable. What
    the other side asks for by Retry-After is a lower bound.
    """
    if error.final or not error.retryable:
        return None
    asked = getattr(error, "retry_after", None) or 0.0
    if isinstance(error, RateLimitError) and policy.attempts > 1:
        return Again(min(MAX_WAIT, max(asked, _wait(policy, parks + 1, key))), parked=True)
    if attempt >= policy.attempts:
        return None
    delay = _wait(policy, attempt, key)
    if isinstance(error, TransientError):
        delay = max(delay, asked)
    return Again(min(MAX_WAIT, delay), parked=False)


def _wait(policy: Retry, round_: int, key: str) -> float:
    if policy.backoff == "constant":
        return policy.wait_min
    ceiling = min(policy.wait_max, policy.wait_min * 2.0 ** min(round_, 32))
    draw = int.from_bytes(hashlib.sha256(f"{key}#{round_}".encode()).digest()[:8], "big") / 2**64
    return max(min(policy.wait_min, ceiling), draw * ceiling)
