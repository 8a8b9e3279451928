"""What a step consumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Requests, tokens and money of one step or a sum of them.

    `cost` is in US dollars and counts only priced requests; `unpriced` says how many requests had no known price, so that
    a sum is shown as ``unknown`` rather than too small.
    """

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost: Decimal = Decimal(0)
    unpriced: int = 0

    @property
    def tokens(self) -> int:
        """Input and output tokens together."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Usage) -> Usage:
        """The sum, field by field."""
        return Usage(
            requests=self.requests + other.requests,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cache_read_tokens=self.cache_read_tokens + other.cache_read_tokens,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
            cost=self.cost + other.cost,
            unpriced=self.unpriced + other.unpriced,
        )

    def __sub__(self, other: Usage) -> Usage:
        """What this has more than `other`, field by field."""
        return Usage(
            requests=self.requests - other.requests,
            input_tokens=self.input_tokens - other.input_tokens,
            output_tokens=self.output_tokens - other.output_tokens,
            cache_read_tokens=self.cache_read_tokens - other.cache_read_tokens,
            cache_write_tokens=self.cache_write_tokens - other.cache_write_tokens,
            cost=self.cost - other.cost,
            unpriced=self.unpriced - other.unpriced,
        )

    def as_json(self) -> dict[str, Any]:
        """The usage as journaled: only what is not zero, money as a decimal string."""
        data = {name: value for name in Usage.__slots__ if (value := getattr(self, name))}
        if "cost" in data:
            data["cost"] = str(data["cost"])
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Usage:
        """The inverse of `as_json`; unknown names are ignored."""
        known = {name: data[name] for name in cls.__slots__ if name in data}
        if "cost" in known:
            known["cost"] = Decimal(known["cost"])
        return cls(**known)
