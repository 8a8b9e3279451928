"""Secret values that are known, taken out of texts and JSON: as they are, or as JSON, URLs and Base64 write them."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "[redacted]"
"""What stands where a secret stood."""

MIN_SECRET = 6
"""Shorter values are left alone: they would turn up in ordinary words."""


class KnownValues:
    """The secret values that somebody has told, and nothing that would show them."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        for value in values:
            self.register(value)

    def register(self, value: str) -> bool:
        """Mask `value` from now on. False when it is shorter than `MIN_SECRET` and therefore ignored."""
        value = value.strip()
        if len(value) < MIN_SECRET:
            return False
        forms = {value, *_encoded(value)}
        if not forms <= self._forms:
            self._forms |= forms
            # Longest first: a secret that begins with another one must go as a whole.
            self._pattern = re.compile("|".join(map(re.escape, sorted(self._forms, key=len, reverse=True))))
        return True

    def text(self, text: str) -> str:
        """`text` without them."""
        return text if self._pattern is None else self._pattern.sub(MASK, text)

    def json(self, value: Any) -> Any:
        """JSON without them, keys included."""
        if self._pattern is None:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(key): self.json(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.json(item) for item in value]
        return value


def _encoded(value: str) -> Iterable[str]:
    raw = value.encode(errors="replace")
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield quote(value, safe="", errors="replace")
    yield quote_plus(value, errors="replace")
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        # A secret inside a longer Base64 text (user:secret) is found by its middle, at each of the three offsets.
        for lead in range(3):
            code = encode(b"\0" * lead + raw).decode().rstrip("=")
            middle = code[(0, 2, 3)[lead] : len(code) - (1 if (lead + len(raw)) % 3 else 0)]
            if len(middle) >= 8:
                yield middle
