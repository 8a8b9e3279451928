"""Answer: the text of a reply, made of sentences of the request."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile

from weft.models.offline.brief import Brief, Intent
from weft.models.offline.divide import ASKING
from weft.models.offline.find import Answer, find
from weft.models.offline.judge import judge, on_scale, scale
from weft.models.offline.options import choose, find_options
from weft.models.offline.phrases import EMPTY, IDENTITY, NEAREST, SILENT, beyond, lead, task_only, unanswered
from weft.models.offline.question import parts_of
from weft.models.offline.rank import central
from weft.models.offline.report import report
from weft.models.offline.sentences import Sentence
from weft.models.offline.words import terms

_SHORT = 60
"""Words up to which a text is taken for the description of a task."""
_WEAK = 0.45
"""A sentence that matches a question less than this share of the best one is left out."""
_FILLER = 0.3
"""The same where a number was asked for: fewer are better than such as only share a word."""
_EACH = 3
"""Sentences for each part of a question, unless a number was asked for."""
_DIRECT = 0.34
"""The share of a question that its answers must speak of, or they only come near."""
_BEYOND = re.compile(
    r"^\W*(?:please |can you |could you )?(translate|rewrite|rephrase|paraphrase|brainstorm|invent|imagine|improvise)\b",
    re.IGNORECASE,
)
_SUBTASK_CUT = re.compile(
    r"\s*(?:;|,? and then |, then |,? and (?=[a-z]+ )|, (?=[a-z]+ (?:the|a|an|each|all|its|their|both|every)\b))\s*"
)


def respond(brief: Brief) -> str:
    """A reply in text to `brief`."""
    text = _WRITERS[brief.intent](brief)
    more = _BEYOND.search(brief.ask)
    if more and brief.units and brief.intent not in ("identity", "route"):
        text = f"{beyond(more.group(1).lower())}\n{text}"
    return " ".join(text.split()[: brief.max_words]) if brief.max_words else text


def quote(unit: Sentence) -> str:
    """The sentence in quotation marks, code in backticks, a table row as it is; with the source in brackets."""
    words = unit.text
    if words.count('"') % 2:
        # One half of a pair of marks, whose other half stands in another sentence.
        words = words.removeprefix('"') if words.startswith('"') else words.removesuffix('"')
    text = {"row": words, "code": f"`{words}`"}.get(unit.kind, f'"{words}"')
    return f"{text} [{unit.source}]" if unit.source else text


def quotes(units: Sequence[Sentence]) -> str:
    """One line a sentence."""
    return "\n".join(f"- {quote(unit)}" for unit in units)


def nothing(brief: Brief) -> str:
    """What is said when there is no text to work on."""
    task = " ".join(brief.ask.split())
    if not task:
        return EMPTY
    return task_only(task if len(task) <= 160 else task[:157] + "...")


def _identity(_: Brief) -> str:
    return IDENTITY


def _summary(brief: Brief) -> str:
    limit = brief.limit or (1 if brief.form in ("title", "word") else 5)
    chosen = central(brief.units, limit=limit, focus=_focus(brief))
    if not chosen:
        return nothing(brief)
    if brief.form == "title":
        heading = next((u.text for u in brief.units if u.kind == "heading"), "")
        return heading or chosen[0].text.rstrip(".")
    if brief.form == "word":
        return max(terms(chosen[0].text), key=len)
    if brief.form == "numbered":
        return "\n".join(f"{i}. {quote(unit)}" for i, unit in enumerate(chosen, 1))
    if brief.form == "paragraph" and not brief.sources:
        return " ".join(unit.text for unit in chosen)
    return quotes(chosen)


def _focus(brief: Brief) -> str:
    found = re.search(r"\b(?:about|on|regarding|concerning|of|for|focus(?:ing)? on)\s+([^.\n:]{3,120})", brief.ask)
    return found.group(1) if found else ""


def _question(brief: Brief) -> str:
    limit = brief.limit or _EACH * max(1, len(parts_of(brief.question)))
    answers = find(brief.units, brief.question, limit=limit, hints=brief.hints, weak=_FILLER if brief.limit else _WEAK)
    found = [unit for answer in answers for unit in _quoted(brief, answer)]
    if not found:
        return SILENT if brief.prose else nothing(brief)
    open_parts = [answer.part.text for answer in answers if not answer.hits]
    remark = [unanswered(open_parts)] if open_parts else []
    if all(answer.coverage < _DIRECT and len(answer.part.own) > 2 for answer in answers if answer.hits):
        return "\n".join([NEAREST, quotes(found)])
    if len(answers) - len(open_parts) == 1:
        return "\n".join([quote(found[0]) if len(found) == 1 else quotes(found), *remark])
    groups = [f"{lead(answer.part.text)}\n{quotes(_quoted(brief, answer))}" for answer in answers if answer.hits]
    return "\n\n".join([*groups, *remark])


def _quoted(brief: Brief, answer: Answer) -> list[Sentence]:
    units = [unit for hit in answer.hits for unit in _with_what_follows(brief, hit.sentence)]
    return list({unit.index: unit for unit in units}.values())


def _with_what_follows(brief: Brief, sentence: Sentence) -> list[Sentence]:
    """A sentence that ends with a colon, with the start of the code or the list that it announces."""
    if sentence.kind == "code" or not sentence.text.endswith(":"):
        return [sentence]
    after = brief.units[sentence.index + 1 : sentence.index + 4]
    return [sentence, *takewhile(lambda unit: unit.kind in ("code", "item"), after)]


def _route(brief: Brief) -> str:
    options = find_options(brief.ask) or find_options(brief.role)
    if not options:
        return _question(brief) if any(mark in brief.ask for mark in ASKING) else _summary(brief)
    return choose(options, subject(brief))[0].name


def subject(brief: Brief) -> str:
    """What a choice is about: the text of the request, or its task when it brings no text."""
    text = "\n".join(unit.text for unit in brief.units)
    if text:
        return text
    # The lines that list the options would otherwise vote for themselves.
    lines = [line for line in brief.ask.splitlines() if not re.match(r"\s*[-*+•\d]", line)]
    return (
        "\n".join(line for line in lines if not re.search(r"\b(?:one of|options?|routes?|between)\b", line))
        or brief.ask
    )


def _score(brief: Brief) -> str:
    if not brief.prose:
        return nothing(brief)
    verdict = judge(brief)
    low, high = scale(brief.ask + "\n" + brief.role)
    value = on_scale(verdict.share, low, high, whole=high > 1)
    lines = [f"Score: {value:g} of {high:g} (by overlap of words)"]
    if verdict.held:
        lines.append("Covered: " + ", ".join(verdict.held[:12]))
    lines += [f"- {issue} {fix}" for issue, fix in zip(verdict.issues, verdict.fixes, strict=True)]
    return "\n".join(lines)


def _subtasks(brief: Brief) -> str:
    return "\n".join(f"{i}. {task}" for i, task in enumerate(subtasks(brief), 1))


def subtasks(brief: Brief) -> list[str]:
    """Parts of the task: the items that the request lists, one a source, or the parts of its sentence."""
    limit = brief.limit or 6
    topic = _focus(brief) or " ".join(brief.ask.split()).rstrip(".:")
    items = [unit.text for unit in brief.units if unit.kind == "item"]
    if len(items) > 1:
        return items[:limit]
    if len(brief.sources) > 1:
        return [f"Read {source} and quote what it says about: {topic}" for source in brief.sources[: limit - 1]] + [
            f"Combine the findings about: {topic}"
        ]
    headings = [unit.text for unit in brief.units if unit.kind == "heading"]
    if len(headings) > 1:
        return [f"Work on the part {heading!r}" for heading in headings[:limit]]
    if 0 < sum(len(unit.text.split()) for unit in brief.units) <= _SHORT:
        topic = " ".join(unit.text for unit in brief.units).rstrip(".")
    goal = re.sub(r"^.*?(?:sub-?tasks?|steps|tasks|plan)\W*:?\s+", "", topic, flags=re.IGNORECASE) or topic
    goal = re.sub(r"\s+into\s+.{0,30}$", "", goal)
    parts = [part.strip(" .") for part in _SUBTASK_CUT.split(goal) if part and part.strip(" .")]
    if len(parts) > 1:
        return parts[:limit]
    return [f"Collect what is known about: {goal}", f"Work it out: {goal}", "Check the result against the task"][:limit]


_WRITERS: Mapping[Intent, Callable[[Brief], str]] = {
    "identity": _identity,
    "route": _route,
    "score": _score,
    "subtasks": _subtasks,
    "report": lambda brief: report(brief, quotes=quotes) or nothing(brief),
    "summary": _summary,
    "question": _question,
}
