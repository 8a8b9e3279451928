"""Secret values that are known, taken out of texts and JSON: as they are, or as JSON, URLs, HTML, Base64 and hexadecimal write them."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "[redacted]"
"""What stands where a secret stood."""

MIN_SECRET = 6
"""Shorter values are left alone: they would turn up in ordinary words."""


_LEFT_AS_THEY_ARE = ("", "/", "!'()*", "/!$&'()*+,:;=@", "/!$&'()*+,:;=@?")
"""What those who write URLs leave as it is: all of it quoted, a path, JavaScript's way, and parts of a path and of a query as they may be."""
_PERCENT = re.compile("%[0-9A-F]{2}")
_ESCAPED_FOR_HTML = (re.compile("[<>&]"), re.compile("[<>&']"))


_HOLD = 8
"""By so many characters at its end a form is found that was cut off."""


class _Ends:
    """Ends of forms, so short that what was cut off begins or ends with one, and the forms that each is of."""

    def __init__(self) -> None:
        self._forms: dict[str, list[str]] = {}
        self._pattern: re.Pattern[str] | None = None

    def add(self, ends: Iterable[tuple[str, str]]) -> None:
        """Find these as well."""
        for end, form in ends:
            self._forms.setdefault(end, []).append(form)
        self._pattern = re.compile("|".join(map(re.escape, self._forms))) if self._forms else None

    def found(self, text: str, begin: int, until: int) -> Iterator[tuple[int, str]]:
        """Where in that part of `text` one stands, and a form that it is of."""
        while self._pattern is not None and (match := self._pattern.search(text, begin, until)):
            for form in self._forms[match[0]]:
                yield match.start(), form
            begin = match.start() + 1


class KnownValues:
    """The secret values that somebody has told, and nothing that would show them.

    At the beginning and the end of a text, where one may have been cut off, the greater half of one is enough.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._heads, self._tails = _Ends(), _Ends()
        self._longest = 0
        for value in values:
            self.register(value)

    def register(self, value: str) -> bool:
        """Mask `value` from now on. False when it is shorter than `MIN_SECRET` and therefore ignored."""
        value = value.strip()
        if len(value) < MIN_SECRET:
            return False
        forms = {value, *_encoded(value)}
        if not forms <= self._forms:
            long = [form for form in forms - self._forms if len(form) > _HOLD]
            self._heads.add((form[:_HOLD], form) for form in long)
            self._tails.add((form[-_HOLD:], form) for form in long)
            self._longest = max(self._longest, *map(len, forms))
            self._forms |= forms
            # Longest first: a secret that begins with another one must go as a whole.
            self._pattern = re.compile("|".join(map(re.escape, sorted(self._forms, key=len, reverse=True))))
        return True

    def text(self, text: str) -> str:
        """`text` without them."""
        if self._pattern is None:
            return text
        text = self._pattern.sub(MASK, text)
        return self._without_ends(text) if len(text) >= _HOLD else text

    def _without_ends(self, text: str) -> str:
        """`text` without what a cut has left of them at its ends; a mark that it was cut may stand there."""
        whole = text.rstrip("…")
        for at, form in self._heads.found(whole, max(0, len(whole) - self._longest), len(whole)):
            if 2 * (len(whole) - at) > len(form) and form.startswith(whole[at:]):
                text = whole[:at] + MASK + text[len(whole) :]
                break
        whole = text.lstrip("…")
        for at, form in self._tails.found(whole, 0, self._longest):
            until = at + _HOLD
            if 2 * until > len(form) and form.endswith(whole[:until]):
                return text[: len(text) - len(whole)] + MASK + whole[until:]
        return text

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
    for text in (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]):
        yield text
        yield text.replace("/", "\\/")
        # As it is written where JSON may stand inside HTML, and JSON inside JSON.
        for escaped in _ESCAPED_FOR_HTML:
            yield escaped.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
        yield json.dumps(text)[1:-1]
    for safe in _LEFT_AS_THEY_ARE:
        for quoted in (quote(value, safe=safe, errors="replace"), quote_plus(value, safe=safe, errors="replace")):
            yield quoted
            yield _PERCENT.sub(lambda found: found[0].lower(), quoted)
    yield escape(value, quote=False)
    yield escape(value)
    yield escape(value).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
    yield raw.hex()
    yield raw.hex().upper()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        # A secret inside a longer Base64 text (user:secret) is found by its middle, at each of the three offsets.
        for lead in range(3):
            code = encode(b"\0" * lead + raw).decode().rstrip("=")
            middle = code[(0, 2, 3)[lead] : len(code) - (1 if (lead + len(raw)) % 3 else 0)]
            if len(middle) >= 8:
                yield middle
