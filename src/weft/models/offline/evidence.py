# ruff: noqa: RUF001 -- typographic marks in patterns are meant
# ruff: noqa: SIM905 -- word lists read best as prose
"""Evidence: what a text says about a named field, found by labels, by nearness and by JSON that it carries."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import cached_property
from typing import Any

from weft.models.offline.sentences import Sentence
from weft.models.offline.words import name_terms, stem, terms

NUMBER = re.compile(
    r"(?<![\w.])[-+−]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d{1,3})?(?![\w]|\.\d)(?:\s*(million|billion|thousand))?"
)
EMAIL = re.compile(r"[A-Za-z0-9][\w.+-]*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}")
URL = re.compile(r"https?://[^\s<>\"'`{}|\\^\]]*[^\s<>\"'`{}|\\^\].,;:!?)]")
UUID = re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b")
CODE = re.compile(r"(?<![\w.-])(?=[\w/#-]*\d)#?[A-Z]{1,8}[-/#]?[A-Z0-9]+(?:[-/][A-Z0-9]+)*(?![\w-])")
"""A number with letters, such as INV-2024-017."""
YEAR = re.compile(r"\b(?:1[0-9]|20)\d\d\b")
PHONE = re.compile(r"(?<![\w.-])\+?\d[\d ()/-]{6,18}\d(?![\w-])")
_MONTHS = "january february march april may june july august september october november december".split()
_MONTH = "|".join(f"{month[:3]}(?:{month[3:]})?" for month in _MONTHS)
DATE = re.compile(
    rf"\b(?P<y>\d{{4}})-(?P<m>\d\d)-(?P<d>\d\d)(?P<t>T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?)?\b"
    rf"|\b(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?\.? (?P<m2>{_MONTH})\.?,? (?P<y2>\d{{4}})\b"
    rf"|\b(?P<m3>{_MONTH})\.? (?P<d3>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<y3>\d{{4}})\b",
    re.IGNORECASE,
)
PROPER = re.compile(
    r"(?<![\w])[A-ZÀ-ÖØ-Þ][\w'’&.-]*[\w](?:\s+(?:of|de|van|von|der|la|the|and|&)?\s?[A-ZÀ-ÖØ-Þ][\w'’&-]+){0,4}"
)
_LABELLED = re.compile(
    r"(?:^|[;\n]\s*|\.\s+)[*_`\"']{0,3}([A-Za-z][\w /()-]{0,48}?)[*_`\"']{0,3}\s*(?::|=|\s[–—]\s)\s*(?=\S)"
)
_PLACEHOLDER = re.compile(r"<[^<>]{1,400}>")
_MAX_JSON = 40
_VALUE = 400


class Evidence:
    """The units of a text, indexed as far as the questions need it."""

    def __init__(self, units: Sequence[Sentence], raw: str = "") -> None:
        self.units = [unit for unit in units if unit.kind != "heading"]
        self.headings = [unit for unit in units if unit.kind == "heading"]
        self._raw = raw

    @cached_property
    def _terms(self) -> list[set[str]]:
        return [set(terms(unit.text)) for unit in self.units]

    @cached_property
    def _labels(self) -> list[tuple[set[str], str]]:
        found: list[tuple[set[str], str]] = []
        for unit in self.units:
            marks = list(_LABELLED.finditer(unit.text))
            for place, mark in enumerate(marks):
                end = marks[place + 1].start() if place + 1 < len(marks) else len(unit.text)
                found.append((set(name_terms(mark.group(1))), unit.text[mark.end() : end].strip(" ;*_`\"'")[:_VALUE]))
        return found

    @cached_property
    def objects(self) -> list[dict[str, Any]]:
        """The JSON objects that the text carries, outermost first, in order."""
        found: list[dict[str, Any]] = []
        decoder, place = json.JSONDecoder(), 0
        for _ in range(_MAX_JSON):
            place = self._raw.find("{", place)
            if place < 0:
                break
            try:
                value, place = decoder.raw_decode(self._raw, place)
            except (ValueError, RecursionError):
                place += 1
                continue
            if isinstance(value, dict):
                found.append(value)
        return found

    def keyed(self, name: str) -> Iterator[Any]:
        """Values under the key `name` in the JSON that the text carries, outer ones first; no placeholders of an example."""
        wanted = name_terms(name) or [name.lower()]
        layer: list[Any] = list(self.objects)
        for _ in range(6):
            inner: list[Any] = []
            for value in layer:
                if isinstance(value, dict):
                    under = (v for k, v in value.items() if k == name or (name_terms(str(k)) or [k]) == wanted)
                    yield from (v for v in under if not (isinstance(v, str) and _PLACEHOLDER.fullmatch(v.strip())))
                    inner.extend(value.values())
                elif isinstance(value, list):
                    inner.extend(value)
            layer = inner[:500]

    def labelled(self, name: str) -> str | None:
        """What stands behind the label `name`, as in ``Due date: 3 May 2026``."""
        wanted = set(name_terms(name))
        if not wanted:
            return None
        exact = next((value for label, value in self._labels if label == wanted), None)
        return exact or next(
            (value for label, value in self._labels if wanted < label or (label and label < wanted)), None
        )

    def near(self, name: str, about: str, pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
        """Matches of `pattern`, the most likely to belong to `name` first; none that share no word with it."""
        wanted, hints = set(name_terms(name)), set(terms(about))
        rated: list[tuple[float, int, int, re.Match[str]]] = []
        for place, (unit, own) in enumerate(zip(self.units, self._terms, strict=True)):
            shared = 2 * len(wanted & own) + len(hints & own)
            if not shared:
                continue
            spots = [m.start() for m in re.finditer(r"[^\W_]+", unit.text) if stem(m.group().lower()) in wanted | hints]
            for match in pattern.finditer(unit.text):
                away = min((abs(match.start() - spot) for spot in spots), default=len(unit.text))
                rated.append((-shared, away, place, match))
        return (match for *_, match in sorted(rated, key=lambda r: r[:3])[:50])

    def every(self, pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
        """All matches of `pattern`, in order."""
        return (match for unit in self.units for match in pattern.finditer(unit.text))

    def best(self, name: str, about: str) -> Sentence | None:
        """The sentence that shares most with the field's name and description."""
        wanted, hints = set(name_terms(name)), set(terms(about))
        rated = [(2 * len(wanted & own) + len(hints & own), -i) for i, own in enumerate(self._terms)]
        score, place = max(rated, default=(0, 0))
        return self.units[-place] if score else None


def number(match: re.Match[str]) -> float | int:
    """The value of a match of `NUMBER`, scale words applied."""
    digits = re.sub(r"\s*(?:million|billion|thousand)$", "", match.group()).replace(",", "").replace("−", "-")
    factor = {None: 1, "thousand": 10**3, "million": 10**6, "billion": 10**9}[match.group(1)]
    value = float(digits) * factor
    return int(value) if value.is_integer() and abs(value) < 1e15 and "e" not in digits.lower() else value


def iso_date(match: re.Match[str]) -> str | None:
    """A match of `DATE` as ``YYYY-MM-DD``; None when there is no such day."""
    part = match.groupdict()
    year, month, day = (next(part[f"{unit}{n}"] for n in ("", "2", "3") if part[f"{unit}{n}"]) for unit in "ymd")
    index = (
        int(month) if month.isdigit() else next(i for i, m in enumerate(_MONTHS, 1) if m.startswith(month[:3].lower()))
    )
    try:
        return date(int(year), index, int(day)).isoformat()
    except ValueError:
        return None


def iso_datetime(match: re.Match[str]) -> str | None:
    """A match of `DATE` as an RFC 3339 time in UTC unless it says otherwise; a day without a time begins at midnight."""
    day, at = iso_date(match), match.group("t")
    if day is None:
        return None
    if not at:
        return f"{day}T00:00:00Z"
    seconds = at if re.match(r"T\d\d:\d\d:\d\d", at) else f"{at[:6]}:00{at[6:]}"
    return day + (seconds if re.search(r"Z|[+-]\d\d:\d\d$", seconds) else f"{seconds}Z")


Finder = tuple[re.Pattern[str], Callable[[re.Match[str]], str | None]]
FORMATS: dict[str, Finder] = {
    "email": (EMAIL, re.Match.group),
    "uri": (URL, re.Match.group),
    "url": (URL, re.Match.group),
    "uuid": (UUID, re.Match.group),
    "date": (DATE, iso_date),
    "date-time": (DATE, iso_datetime),
}
"""How a string of a format is found and written."""
