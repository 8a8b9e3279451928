# ruff: noqa: RUF001 -- typographic marks in patterns are meant
"""Options: the names that a request offers to choose from, and the choice by overlap."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from weft.models.offline.words import name_terms, stem, terms

_OFFER = re.compile(
    r"(?:one of(?: the following)?|options?|routes?|categor(?:y|ies)|labels?|choices?|agents?|classes|departments?|teams?|"
    r"queues?|(?:choose|pick|select) (?:between|from|among)|either)\b[^:\n.]{0,60}?(?::|\bare\b|\bbetween\b|\bfrom\b|\bamong\b|\beither\b)?\s*"
    r"(?P<names>[^\n]*)",
    re.IGNORECASE,
)
_ITEM = re.compile(
    r"^\s*(?:[-*+•]|\d{1,3}[.)])\s+[*`\"']{0,3}(?P<name>[\w][\w ./-]{0,60}?)[*`\"']{0,3}\s*(?:(?::|\s[-–—]\s|\()\s*(?P<about>.*?)\)?\s*)?$",
)
_NAME = re.compile(r"[*`\"']{0,2}([\w][\w./-]*(?: [\w./-]+){0,3}?)[*`\"']{0,2}\s*(?:\(([^()]{0,200})\))?$")
_PIPES = re.compile(r"\"([\w ./-]{1,60}(?:\s*\|\s*[\w ./-]{1,60})+)\"")
_ALTERNATIVES = re.compile(r"((?:[\w-]+,\s+){1,8}(?:or\s+)?[\w-]+(?:\s+or\s+[\w-]+)?|\b[\w-]+\s+or\s+[\w-]+)\s*\?")
_HINTS: Mapping[str, frozenset[str]] = {
    stem(name): frozenset(map(stem, hints.split()))
    for name, hints in {
        "positive": "good great excellent love loved like happy wonderful perfect nice best amazing pleased recommend",
        "negative": "bad awful terrible hate hated slow worst poor broken disappointed disappointing rude sad angry wrong",
        "bug": "crash crashes error errors fails failure broken exception traceback wrong freezes",
        "technical": "crash error bug install login password server broken fails exception slow",
        "feature": "add wish would support request option ability missing",
        "billing": "invoice payment paid pay refund charge charged price subscription receipt money card",
        "sales": "price quote buy purchase demo offer discount order",
        "urgent": "asap immediately urgent down outage emergency critical",
    }.items()
}
"""Words that speak for a common name of an option, at a third of the weight of the name itself."""
_SORTED = re.compile(
    r"\b(?:classif\w+|categori[sz]\w+|label|tag|mark|triage|sort|route|treat)\b[^\n.:?!]{0,60}?\b(?:as|into|to)\s+(?:either\s+|an?\s+)?"
    r"(?P<names>(?:[\w-]+(?: [\w-]+)?,\s+){0,8}[\w-]+(?: [\w-]+)?,?\s+or\s+[\w-]+)",
    re.IGNORECASE,
)
_BETWEEN = re.compile(
    r"\b(?:between|either|whether)\s+[`\"']?([\w./-]+)[`\"']?\s+(?:and|or)\s+[`\"']?([\w./-]+)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Option:
    """A name that may be answered, and what the request says about it."""

    name: str
    about: str = ""


def find_options(text: str) -> list[Option]:
    """The options that `text` offers, in its order; empty when it offers fewer than two."""
    for finder in (_piped, _listed, _sorted, _inline, _paired, _asked):
        found = finder(text)
        if len(found) > 1:
            return found
    return []


def _piped(text: str) -> list[Option]:
    found = _PIPES.search(text)
    return [Option(name.strip()) for name in found.group(1).split("|")] if found else []


def _listed(text: str) -> list[Option]:
    lines = text.splitlines()
    for place, line in enumerate(lines):
        if not (line.rstrip().endswith(":") and _OFFER.search(line)):
            continue
        found: list[Option] = []
        for item in lines[place + 1 :]:
            match = _ITEM.match(item)
            if match:
                found.append(Option(match.group("name").strip(), (match.group("about") or "").strip()))
            elif item.strip():
                break
        if len(found) > 1:
            return found
    return []


def _inline(text: str) -> list[Option]:
    for offer in _OFFER.finditer(text):
        names = offer.group("names").split(". ")[0].strip().rstrip(".?!")
        parts = [part.strip() for part in re.split(r"\s*[,;|]\s*(?:or\s+|and\s+)?|\s+or\s+", names) if part.strip()]
        matches = [_NAME.match(part) for part in parts]
        if len(parts) > 1 and all(matches):
            return [Option(match.group(1), match.group(2) or "") for match in matches if match]
    return []


def _paired(text: str) -> list[Option]:
    found = _BETWEEN.search(text)
    return [Option(found.group(1)), Option(found.group(2))] if found else []


def _asked(text: str) -> list[Option]:
    """The alternatives of a question: "Is it red, green or blue?"."""
    found = _ALTERNATIVES.search(text)
    return [Option(name) for name in re.split(r",\s*(?:or\s+)?|\s+or\s+", found.group(1))] if found else []


def _sorted(text: str) -> list[Option]:
    """What something is to be sorted into: "Classify the ticket as billing, technical or general"."""
    found = _SORTED.search(text)
    return [Option(name) for name in re.split(r",?\s+or\s+|,\s*", found["names"])] if found else []


def hinted(name: str, text: str) -> str:
    """What a sentence of `text` says that `name` is for, as in ``"high" for outages``."""
    said = rf"[\"'`]?\b{re.escape(name)}\b[\"'`]?\s+(?:for|if|when|means|handles|covers)\s+([^,.;\n\"]{{3,80}})"
    found = re.search(said, text, re.IGNORECASE)
    return found[1] if found else ""


def choose(options: Sequence[Option], text: str) -> tuple[Option, float]:
    """The option whose name and description share most with `text`, and its share of all the evidence, 0 to 1.

    Ties, and a text that shares nothing with any option, go to the option named first, unless one is called ``other``,
    ``default``, ``general``, ``unknown`` or ``none``.
    """
    given = _weights(terms(text))
    scores = [_evidence(option, given, options) for option in options]
    total = sum(scores)
    if total == 0:
        spare = ("other", "default", "general", "unknown", "none", "fallback")
        return next((o for o in options if o.name.lower() in spare), options[0]), 0.0
    best = max(range(len(options)), key=lambda i: (scores[i], -i))
    return options[best], scores[best] / total


def _weights(found: Iterable[str]) -> dict[str, float]:
    given: dict[str, float] = {}
    for term in found:
        given[term] = min(3.0, given.get(term, 0.0) + 1.0)
    return given


def _evidence(option: Option, given: dict[str, float], options: Sequence[Option]) -> float:
    name = set(name_terms(option.name))
    about = set(terms(option.about)) - name
    hints = {hint for term in name for hint in _HINTS.get(term, ())} - name - about
    # A word that every option uses says nothing about any of them.
    shared = set.intersection(*(set(terms(other.about)) | set(name_terms(other.name)) for other in options))
    weights = dict.fromkeys(name - shared, 3.0) | dict.fromkeys((about - shared) | hints, 1.0)
    return sum(weight * given.get(term, 0.0) for term, weight in weights.items())
