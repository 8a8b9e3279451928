# ruff: noqa: RUF001 -- the marks of other scripts are meant
# ruff: noqa: SIM905 -- word lists read best as prose
"""The brief: what a request asks for, told apart from the text that it brings along."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from weft.models.offline.divide import ASKING, divide, without_label
from weft.models.offline.options import Option, find_options
from weft.models.offline.phrases import without_phrases
from weft.models.offline.sentences import Sentence, read, renumber

Intent = Literal["identity", "route", "score", "subtasks", "report", "summary", "question"]
Form = Literal["bullets", "paragraph", "word", "title", "numbered"]

_INTENTS: tuple[tuple[Intent, re.Pattern[str]], ...] = (
    (
        "identity",
        re.compile(
            r"\b(?:who|what) are you\b|\bwhat (?:kind of )?(?:ai |language )?(?:model|llm|ai)\b[^.?]{0,30}"
            r"\b(?:are you|is this|am i)\b|\bare you (?:an? )?(?:ai|human|person|gpt|chatgpt|claude|gemini|robot|bot|llm|"
            r"large language model|language model|real)\b|\bintroduce yourself\b|\byour (?:own )?(?:name|model name)\?",
            re.IGNORECASE,
        ),
    ),
    (
        "route",
        re.compile(
            r"\b(?:route|choose|pick|select|classify|categori[sz]e|triage|label|decide|hand (?:\w+ )?over|"
            r"(?:one|single) word|which (?:of|agent|category|route|option|team|label|one|department|queue))\b",
            re.IGNORECASE,
        ),
    ),
    ("score", re.compile(r"\b(?:score|rate|rating|grade|evaluate|assess|judge|critique)\b", re.IGNORECASE)),
    (
        "subtasks",
        re.compile(
            r"\b(?:break (?:\w+ ){0,5}(?:down|into)|decompose|sub-?tasks?|task list|to-?do list|make a plan|"
            r"plan (?:the|this|how)|list the steps)\b",
            re.IGNORECASE,
        ),
    ),
    (
        "report",
        re.compile(
            r"\b(?:write|draft|produce|prepare|create|compose|generate|make|assemble)\b[^.?!]{0,60}\b(?:report|briefing|memo|"
            r"brief|dossier|paper|article|document|overview)\b|\b(?:synthesi[sz]e|consolidate|combine|merge)\b",
            re.IGNORECASE,
        ),
    ),
    (
        "summary",
        re.compile(
            r"\b(?:summari[sz]e|summary|tl;?dr|digest|condense|shorten|abstract|gist|recap|highlights?|"
            r"(?:key|main|most important) (?:points?|facts?|findings?|ideas?|takeaways?|claims?|statements?))\b",
            re.IGNORECASE,
        ),
    ),
    (
        "question",
        re.compile(
            r"[?？؟]|\b(?:answer|explain|describe|tell|find out|look up|what|who|when|where|why|how)\b", re.IGNORECASE
        ),
    ),
)
_DUTIES: tuple[Intent, ...] = ("route", "score", "subtasks")
_HINT = re.compile(r"\b(?:look|focus|watch)\b[^.?!]{0,40}?\b(?:for|on)\s+([^.?!]+)", re.IGNORECASE)
_ADDRESSED = re.compile(r"\W*(?:you|your)\b", re.IGNORECASE)
_NUMBERS = {name: i for i, name in enumerate("one two three four five six seven eight nine ten".split(), 1)}
_COUNT = re.compile(
    r"\b(\d{1,3}|one|two|three|four|five|six|seven|eight|nine|ten)(?:\s+(?:or fewer|short|key|main|important|bullet|brief|"
    r"exact|verbatim|direct))*[\s-]+(sentence|bullet|point|fact|word|item|line|quote|quotation|finding|step|sub-?task|task|"
    r"highlight|takeaway|claim|issue|risk)s?\b",
    re.IGNORECASE,
)
_FORMS: tuple[tuple[Form, re.Pattern[str]], ...] = (
    ("word", re.compile(r"\b(?:one|single|a) word\b|\bonly (?:the|its) (?:name|label|word)\b", re.IGNORECASE)),
    ("title", re.compile(r"\b(?:a|one|the) (?:short )?(?:title|headline)\b", re.IGNORECASE)),
    ("numbered", re.compile(r"\bnumbered\b", re.IGNORECASE)),
    ("bullets", re.compile(r"\bbullets?\b|\bpoints\b|\blist\b|\bfacts\b|\bquot", re.IGNORECASE)),
    ("paragraph", re.compile(r"\bparagraph\b|\bprose\b|\bsentences?\b", re.IGNORECASE)),
)


@dataclass(frozen=True, slots=True)
class Material:
    """Text to work on and where it came from; what a tool returned ranks before what the prompt carries."""

    text: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Brief:
    """A request, read: `ask` is the task at hand, `role` the standing instructions, `units` the text to work on."""

    ask: str
    role: str
    units: tuple[Sentence, ...]
    raw: str
    """The text to work on as it came."""
    intent: Intent
    limit: int | None = None
    """How many sentences, points or subtasks were asked for."""
    max_words: int | None = None
    form: Form | None = None
    judging: bool = False
    """Whether a text is to be scored: a score that stands in it is then somebody else's."""

    @property
    def prose(self) -> list[Sentence]:
        """The units that can be quoted: everything but headings and code."""
        return [unit for unit in self.units if unit.kind not in ("heading", "code")]

    @property
    def question(self) -> str:
        """What is asked: the questions of the task, or all of it, without its label and the names of its sources."""
        text = without_label(self.ask)
        for source in self.sources:
            text = text.replace(source, " ")
        asked = [unit.text for unit in read(text) if unit.text.endswith(ASKING)]
        return " ".join(asked or [" ".join(text.split())])

    @property
    def hints(self) -> str:
        """What the task says to look for, beside its question."""
        return " ".join(match.group(1) for match in _HINT.finditer(self.ask))

    @property
    def sources(self) -> list[str]:
        """The named sources in order of appearance."""
        return list(dict.fromkeys(unit.source for unit in self.units if unit.source))


def read_brief(
    *, instructions: str, prompt: str, materials: Sequence[Material] = (), earlier: Sequence[Material] = ()
) -> Brief:
    """Tell the task from the text, and settle what is wanted.

    `prompt` is the last thing the user said; `materials` are tool results and `earlier` what was said before, most relevant
    first. Only a request that brings no text is answered from what was said before, and only one without that from the
    standing instructions: these say how to work, not what is so.
    """
    ask, body = divide(without_phrases(prompt))
    role, standing = _standing(instructions)
    for texts in ([*materials, Material(body)], earlier, [Material(standing)]):
        known = [Material(without_phrases(material.text), material.source) for material in texts]
        units = renumber([read(material.text, source=material.source) for material in known])
        if units:
            break
    goal = ask or role
    options = find_options(ask) or find_options(role)
    count, unit = _count(ask) or _count(role) or (None, "")
    words_wanted = unit == "word"
    form = _form(ask) or _form(role)
    return Brief(
        ask=goal,
        role=role if ask else "",
        units=tuple(units),
        raw="\n\n".join(material.text for material in known),
        intent=_settle(_intent(ask, options), _intent(role, options)),
        limit=None if words_wanted else count,
        max_words=count if words_wanted and (count or 0) > 1 else None,
        form="word" if words_wanted and count == 1 else form,
    )


def _standing(instructions: str) -> tuple[str, str]:
    """The duties of the agent, and what else its instructions say; without where it stands in a workflow."""
    own, mark, context = instructions.rpartition("Workflow: ")
    placed = mark and (not own or own.endswith("\n\n")) and "\nAgent: " in context
    role, rest = divide(own if placed else instructions)
    paragraphs = rest.split("\n\n")
    addressed = [text for text in paragraphs if _ADDRESSED.match(text)]
    return "\n\n".join([*filter(None, [role]), *addressed]), "\n\n".join(t for t in paragraphs if t not in addressed)


def _intent(text: str, options: Sequence[Option]) -> Intent | None:
    found = (name for name, pattern in _INTENTS if pattern.search(text))
    return next((name for name in found if name != "route" or options), None)


def _settle(asked: Intent | None, standing: Intent | None) -> Intent:
    """What to do: a judge judges and a router routes also when what they are handed reads like a question."""
    if standing in _DUTIES and asked not in ("identity", *_DUTIES):
        return standing
    return asked or standing or "summary"


def _form(text: str) -> Form | None:
    return next((name for name, pattern in _FORMS if pattern.search(text)), None)


def _count(text: str) -> tuple[int, str] | None:
    found = _COUNT.search(text)
    if found is None:
        return None
    number = found.group(1).lower()
    return _NUMBERS.get(number) or int(number), found.group(2).lower()
