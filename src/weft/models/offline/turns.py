"""Turns in a group: whether a conversation is handed over, and what is said in a debate, by shared words."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from weft.models.offline.options import Option, choose
from weft.models.offline.rank import central
from weft.models.offline.sentences import Sentence, read
from weft.models.offline.words import name_terms, terms

# Each begins at the start of a line (or of a run of empty ones): tried from every character, a long line would take its square.
_OFFER = re.compile(
    r"(?m)^[^\n]*?\bhand the conversation over to one of these:\n(?P<names>(?:- [^\n]*\n)+)To hand over, answer with JSON[^\n]*\n?"
)
_TAKEN = re.compile(r"\A[^\n]{1,200} has handed this conversation over to you(?:, because: [^\n]*)?\.\n+")
_ALONE = re.compile(r"(?<!\n)\n+Answer it yourself\.\s*\Z")
_NAMED = re.compile(r"- (?P<name>[^\n:]+): ?(?P<about>[^\n]*)")
_LINE = re.compile(r"(?m)^[^\n]*?\bend with one line: (?P<label>\w+): <[^\n>]*>[^\n]*")
_ROUND = re.compile(r"What was said in the last round:\n.*\Z", re.DOTALL)
_POINTS = 3
_WORDS = 12
"""Words of a position."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What a member of a group answers, or what it has to answer without what belongs to the group."""

    answer: str | None
    question: str


def turn_of(prompt: str, instructions: str) -> Turn | None:
    """The turn that `prompt` asks of a member with these `instructions`; None when it is no group's prompt.

    A conversation is handed over at most once: whoever was handed it answers.
    """
    if line := _LINE.search(prompt):
        material = _ROUND.sub("", _LINE.sub("", prompt))
        return Turn(_statement(read(material), instructions, line["label"]), material)
    offer, taken = _OFFER.search(prompt), _TAKEN.match(prompt)
    if not offer and not taken and not _ALONE.search(prompt):
        return None
    question = _ALONE.sub("", _TAKEN.sub("", _OFFER.sub("", prompt))).strip()
    if offer is None or taken is not None:
        return Turn(None, question)
    options = [Option(each["name"].strip(), each["about"]) for each in _NAMED.finditer(offer["names"])]
    return Turn(_handed(options, question, instructions), question)


def _handed(options: list[Option], question: str, instructions: str) -> str | None:
    """The words that hand over to the option that shares more with the question than the member itself does, if one does."""
    if not options:
        return None
    asked = set(terms(question))
    best, share = choose([*options, Option("", "")], question)
    met = asked & {*terms(best.about), *name_terms(best.name)}
    if not share or not met or len(met) <= len(asked & set(terms(_duties(instructions)))):
        return None
    words = [word for word in question.split() if set(terms(word)) & met]
    reason = f"the question speaks of {', '.join(dict.fromkeys(word.strip('.,;:?!') for word in words))}"
    return json.dumps({"handoff": best.name, "reason": reason, "message": ""})


def _statement(sentences: list[Sentence], instructions: str, label: str) -> str | None:
    """What speaks for a member: the sentences that share most with its duties, and the first of them as its position."""
    own = [each for each in sentences if each.kind not in ("heading", "code") and not each.text.endswith("?")]
    duties = set(terms(_duties(instructions)))
    near = [each for each in own if set(terms(each.text)) & duties]
    chosen = near[:_POINTS] or central(own, limit=_POINTS)
    if not chosen:
        return None
    said = "\n".join(f'- "{each.text}"' for each in chosen)
    position = " ".join(chosen[0].text.split()[:_WORDS])
    return f"{said}\n{label}: {position}"


def _duties(instructions: str) -> str:
    """The instructions without where the member stands in its workflow."""
    own, mark, _ = instructions.rpartition("Workflow: ")
    return own if mark else instructions
