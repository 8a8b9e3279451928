# ruff: noqa: RUF001 -- typographic marks in patterns are meant
"""Fields: what the name of a field says about how to fill it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from weft.models.offline.answer import respond, subject, subtasks
from weft.models.offline.brief import Brief
from weft.models.offline.evidence import CODE, NUMBER, PHONE, PROPER, YEAR, Evidence, number
from weft.models.offline.find import matching
from weft.models.offline.judge import Verdict, judge, on_scale, scale
from weft.models.offline.options import choose, find_options
from weft.models.offline.rank import central
from weft.models.offline.words import STOPWORDS, name_terms, stem, words


@dataclass(frozen=True)
class Field:
    """One place to fill: its name and description, and the text that may fill it."""

    name: str
    about: str
    brief: Brief
    evidence: Evidence

    @cached_property
    def _stems(self) -> frozenset[str]:
        return frozenset(name_terms(self.name))

    def named(self, *names: str) -> bool:
        """Whether the field's name holds one of `names`."""
        return any(stem(name) in self._stems for name in names)

    @cached_property
    def verdict(self) -> Verdict:
        """The judgement of the whole request."""
        return judge(self.brief)


def strings(field: Field) -> Iterator[str]:
    """Texts that may stand in a string field, the best first."""
    yield from (value for value in field.evidence.keyed(field.name) if isinstance(value, str) and value)
    for names, find in _STRINGS.items():
        if field.named(*names):
            yield from find(field)
            break
    if (value := field.evidence.labelled(field.name)) is not None:
        yield value
    if unit := field.evidence.best(field.name, field.about):
        yield unit.text
    yield from (unit.text for unit in central(field.evidence.units, limit=1, focus=f"{field.name} {field.about}"))


def _choice(field: Field) -> Iterator[str]:
    options = find_options(field.brief.ask) or find_options(field.brief.role) or find_options(field.about)
    if options:
        yield choose(options, subject(field.brief))[0].name


def _prose(field: Field) -> Iterator[str]:
    if (value := field.evidence.labelled(field.name)) is not None:
        yield value
    if field.brief.intent in ("question", "summary", "report", "identity") and field.evidence.units:
        yield respond(field.brief)
    chosen = central(field.evidence.units, limit=3)
    if chosen:
        yield " ".join(unit.text for unit in chosen)


def _brief_prose(field: Field) -> Iterator[str]:
    if (value := field.evidence.labelled(field.name)) is not None:
        yield value
    chosen = central(field.evidence.units, limit=field.brief.limit or 3, focus=field.about)
    if chosen:
        yield " ".join(unit.text for unit in chosen)


def _reason(field: Field) -> Iterator[str]:
    if field.brief.intent == "score":
        held, missing = ", ".join(field.verdict.held[:8]), ", ".join(field.verdict.missing)
        yield f"By overlap of words; covered: {held or 'nothing'}; missing: {missing or 'nothing'}."
    hits = matching(field.evidence.units, field.brief.question, limit=1)
    yield from (hit.sentence.text for hit in hits)


def _title(field: Field) -> Iterator[str]:
    if (value := field.evidence.labelled(field.name)) is not None:
        yield value
    yield from (unit.text for unit in field.evidence.headings[:1])
    for unit in central(field.evidence.units, limit=1):
        yield shorten(unit.text, 80)


def _quotation(field: Field) -> Iterator[str]:
    if field.brief.intent == "question":
        yield from (hit.sentence.text for hit in matching(field.evidence.units, field.brief.question, limit=1))
    yield from (unit.text for unit in central(field.evidence.units, limit=1, focus=field.about))


def _source(field: Field) -> Iterator[str]:
    yield from (unit.source for unit in field.evidence.units if unit.source)


def _proper(field: Field) -> Iterator[str]:
    if (value := field.evidence.labelled(field.name)) is not None:
        yield value
    for match in field.evidence.near(field.name, field.about, PROPER):
        if words(match.group())[0] not in STOPWORDS:
            yield match.group()
    counts = Counter(
        m.group() for m in field.evidence.every(PROPER) if m.start() > 0 and words(m.group())[0] not in STOPWORDS
    )
    yield from (name for name, _ in counts.most_common(3))


def _code(field: Field) -> Iterator[str]:
    if (value := field.evidence.labelled(field.name)) is not None:
        yield value
    for pattern in (CODE, NUMBER):
        yield from (match.group() for match in field.evidence.near(field.name, field.about, pattern))
    yield from (match.group() for match in field.evidence.every(CODE))


def _phone(field: Field) -> Iterator[str]:
    yield from (match.group() for match in field.evidence.near(field.name, field.about, PHONE))
    yield from (match.group() for match in field.evidence.every(PHONE))


_STRINGS: Mapping[tuple[str, ...], Callable[[Field], Iterator[str]]] = {
    (
        "route",
        "choice",
        "category",
        "label",
        "agent",
        "next",
        "intent",
        "class",
        "department",
        "team",
        "queue",
    ): _choice,
    ("title", "headline", "heading", "subject", "topic"): _title,
    (
        "quote",
        "quotation",
        "evidence",
        "excerpt",
        "citation",
        "sentence",
        "claim",
        "fact",
        "statement",
        "point",
    ): _quotation,
    ("source", "file", "path", "document", "filename"): _source,
    ("reason", "rationale", "reasoning", "justification", "why", "feedback", "comment"): _reason,
    ("summary", "overview", "abstract", "description", "synopsis"): _brief_prose,
    (
        "answer",
        "response",
        "report",
        "text",
        "content",
        "output",
        "result",
        "explanation",
        "analysis",
        "message",
    ): _prose,
    ("phone", "telephone", "mobile", "fax"): _phone,
    ("number", "id", "identifier", "code", "reference", "sku"): _code,
    ("name", "person", "author", "company", "organisation", "organization", "city", "country", "place"): _proper,
    ("location", "customer", "product", "vendor", "supplier", "employer", "owner", "manager", "contact"): _proper,
    ("engineer", "builder", "architect", "founder", "director", "captain", "editor", "client", "sender"): _proper,
}


def numbers(field: Field, low: float | None, high: float | None, *, whole: bool) -> Iterator[float | int]:
    """Numbers that may stand in a numeric field, the best first; none is made up."""
    if not field.brief.judging:
        yield from _given(field)
    if field.named("score", "rating", "grade", "relevance", "quality", "confidence", "overlap"):
        named_low, named_high = scale(f"{field.about}\n{field.brief.ask}\n{field.brief.role}")
        bottom, top = (named_low if low is None else low), (named_high if high is None else high)
        if bottom < top:
            share = _certainty(field) if field.named("confidence") else field.verdict.share
            yield on_scale(share, bottom, top, whole=whole or top > 1)
    if field.named("year"):
        years = (*field.evidence.near(field.name, field.about, YEAR), *field.evidence.every(YEAR))
        yield from (int(match.group()) for match in years)
    yield from (number(match) for match in field.evidence.near(field.name, field.about, NUMBER))
    lone = list(field.evidence.every(NUMBER))
    if len(lone) == 1 and not YEAR.fullmatch(lone[0].group()):
        # A year is none of anything else.
        yield number(lone[0])


def _given(field: Field) -> Iterator[float | int]:
    """Numbers under the field's name in JSON or behind its label."""
    yield from (v for v in field.evidence.keyed(field.name) if isinstance(v, int | float) and not isinstance(v, bool))
    value = field.evidence.labelled(field.name)
    if value is not None and (match := NUMBER.search(value)):
        yield number(match)


def _certainty(field: Field) -> float:
    options = find_options(field.brief.ask) or find_options(field.brief.role)
    return choose(options, subject(field.brief))[1] if options else field.verdict.share


_NO = re.compile(r"\b(?:no|not|never|none|without|cannot|false|neither|nor|lacks?)\b|n['’]t\b", re.IGNORECASE)
_YES = re.compile(r"^\W*(?:yes|true|y|on|enabled|done|ok|x|✓|✔)\b", re.IGNORECASE)


def boolean(field: Field) -> bool:
    """Whether the text says so: True needs a sentence that shares words with the field and does not deny it."""
    given = next((value for value in field.evidence.keyed(field.name) if isinstance(value, bool)), None)
    if given is not None:
        return given
    label = field.evidence.labelled(field.name)
    if label is not None:
        return bool(_YES.match(label)) or not _NO.search(label)
    if field.named("approved", "approve", "pass", "passed", "acceptable", "accept", "valid", "good"):
        return field.verdict.share >= 0.5
    unit = field.evidence.best(field.name, "")
    return unit is not None and not _NO.search(unit.text)


def lists(field: Field, limit: int) -> list[str]:
    """Texts for a list of strings: `limit` at most."""
    keyed = iter(()) if field.brief.judging else field.evidence.keyed(field.name)
    given = next((value for value in keyed if isinstance(value, list)), None)
    if given and all(isinstance(item, str) for item in given):
        return given[:limit]
    for names, find in _LISTS.items():
        if field.named(*names) and (found := find(field, limit)) is not None:
            return found
    return _under(field)[:limit] or [
        unit.text for unit in central(field.evidence.units, limit=limit, focus=f"{field.name} {field.about}")
    ]


def _under(field: Field) -> list[str]:
    """List items under a heading, or words behind a label, of the field's name."""
    wanted = set(name_terms(field.name))
    for title in ("lead", "heading"):
        items = [
            u.text for u in field.evidence.units if u.kind == "item" and wanted & set(name_terms(getattr(u, title)))
        ]
        if items:
            return items
    label = field.evidence.labelled(field.name)
    return (
        [part.strip(" .") for part in re.split(r",\s*(?:and\s+)?|;\s*|\s+and\s+", label) if part.strip(" .")]
        if label
        else []
    )


def _issues(field: Field, _: int) -> list[str] | None:
    return list(field.verdict.issues) if field.brief.intent == "score" else None


def _fixes(field: Field, _: int) -> list[str] | None:
    return list(field.verdict.fixes) if field.brief.intent == "score" else None


def _tasks(field: Field, limit: int) -> list[str] | None:
    return subtasks(field.brief)[:limit]


def _keywords(field: Field, limit: int) -> list[str] | None:
    counts = Counter(
        word
        for unit in field.evidence.units
        for word in set(words(unit.text))
        if word not in STOPWORDS and len(word) > 3
    )
    return [word for word, _ in sorted(counts.items(), key=lambda kv: (-kv[1], kv[0]))[:limit]]


def _sources(field: Field, limit: int) -> list[str] | None:
    return list(dict.fromkeys(_source(field)))[:limit]


def _names(field: Field, limit: int) -> list[str] | None:
    found = dict.fromkeys(
        m.group()
        for m in field.evidence.every(PROPER)
        if words(m.group())[0] not in STOPWORDS and (m.start() > 0 or " " in m.group())
    )
    return list(found)[:limit]


_LISTS: Mapping[tuple[str, ...], Callable[[Field, int], list[str] | None]] = {
    ("issue", "problem", "gap", "missing", "weakness"): _issues,
    ("fix", "suggestion", "improvement", "recommendation"): _fixes,
    ("subtask", "task", "step", "plan", "todo"): _tasks,
    ("keyword", "tag", "topic", "term"): _keywords,
    ("source", "file", "document", "path"): _sources,
    ("name", "person", "people", "company", "author", "organization", "organisation", "place", "city"): _names,
}


def shorten(text: str, length: int) -> str:
    """`text` cut at a word to `length` characters at most."""
    if len(text) <= length:
        return text
    cut = text.rfind(" ", 0, length + 1)
    return text[: cut if cut > 0 else length].rstrip(" ,;:")
