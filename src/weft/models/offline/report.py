"""Report: a document of quotations, one section for each part of its question, or for each source or heading of the text."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from weft.models.offline.brief import Brief
from weft.models.offline.evidence import PROPER
from weft.models.offline.find import find
from weft.models.offline.phrases import unanswered
from weft.models.offline.question import parts_of
from weft.models.offline.rank import central
from weft.models.offline.sentences import Sentence
from weft.models.offline.words import terms

_TITLE = re.compile(
    r"\b(?:report|briefing|memo|brief|dossier|paper|article|overview|document)\s+(?:on|about|of|for|covering)\s+([^.\n:?!]{3,100})",
    re.IGNORECASE,
)
_HANDED_ON = re.compile(r"^- (?:\"[^\n]+\"|[^\n]+ \[[^\[\]\n]+\])$", re.MULTILINE)
"""A quotation as an earlier step writes it."""
_SECTIONS = 8
_EACH = 3
_FOR_A_PART = 5
_WEAK = 0.5

Quotes = Callable[[Sequence[Sentence]], str]


def report(brief: Brief, *, quotes: Quotes) -> str:
    """A Markdown report on the text of `brief`, with the sources that it quotes; empty when there is no text."""
    sections = _answers(brief) if "?" in brief.ask else _overview(brief)
    if not any(units for _, units in sections):
        return ""
    lines = [f"# {_title(brief)}"]
    silent = [name for name, units in sections if not units]
    for name, units in sections:
        if units:
            lines += ["", f"## {name}", "", quotes(units)]
    if silent:
        lines += ["", unanswered(silent)]
    if sources := dict.fromkeys(unit.source for _, units in sections for unit in units if unit.source):
        lines += ["", "## Sources", "", "\n".join(f"- {source}" for source in sources)]
    return "\n".join(lines)


def _answers(brief: Brief) -> list[tuple[str, list[Sentence]]]:
    """A section for each part of the question, also one for which there is nothing."""
    limit = brief.limit or _FOR_A_PART * _SECTIONS
    answers = find(brief.units, brief.question, limit=limit, hints=brief.hints, weak=_WEAK)
    return [
        (_heading(answer.part.text), [hit.sentence for hit in answer.hits[: brief.limit or _FOR_A_PART]])
        for answer in answers
    ]


def _heading(part: str) -> str:
    return f"{part[0].upper()}{part[1:]}?"


def _overview(brief: Brief) -> list[tuple[str, list[Sentence]]]:
    """What carries the text, and what each of its parts adds to that.

    Findings of earlier steps that stand under headings keep these, and have been chosen once already.
    """
    headings = {unit.heading for unit in brief.units if unit.heading}
    findings = len(headings) > 1 and bool(_HANDED_ON.search(brief.raw))
    parts = _parts(brief, by_source=len(brief.sources) > 1 and not findings)
    overview = [] if findings else central(brief.units, limit=brief.limit or 5, focus=brief.ask)
    sections = [("Overview", overview)] if overview else []
    said = [frozenset(terms(unit.text)) for unit in overview]
    for name, units in parts:
        chosen = central(units, limit=_FOR_A_PART if findings else _EACH, said=said)
        if chosen:
            sections.append((name, chosen))
            said += [frozenset(terms(unit.text)) for unit in chosen]
    return sections


def _title(brief: Brief) -> str:
    found = _TITLE.search(brief.ask) or _TITLE.search(brief.role)
    topic = (
        re.split(r"\s+(?:from|using|based on|with|by|that|which|for)\s", found.group(1), maxsplit=1)[0] if found else ""
    )
    topic = topic.strip()
    if topic and not re.match(r"(?:what|how|why|who|when|which|this|it)\b|.*\bquestions?$", topic, re.IGNORECASE):
        return topic[0].upper() + topic[1:]
    if "?" in brief.ask:
        # The first letter of a question is a capital and begins no name.
        first = next((name for part in parts_of(brief.question) for name in PROPER.findall(part.text[1:])), "")
    else:
        first = next((unit.text for unit in brief.units if unit.kind == "heading"), "")
    return f"Report: {first}" if first else "Report"


def _parts(brief: Brief, *, by_source: bool) -> list[tuple[str, list[Sentence]]]:
    """The text by source or by heading; the largest parts, in document order."""
    parts: dict[str, list[Sentence]] = {}
    for unit in brief.units:
        if name := unit.source if by_source else unit.heading:
            parts.setdefault(name, []).append(unit)
    largest = set(sorted(parts, key=lambda name: -len(parts[name]))[:_SECTIONS])
    return [(name, units) for name, units in parts.items() if name in largest]
