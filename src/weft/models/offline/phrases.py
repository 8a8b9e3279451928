"""Phrases: what the model says about itself and its findings, so that a later request never takes it for evidence."""

from __future__ import annotations

import re

IDENTITY = (
    "I am offline/extract, a model built into Weft. I am not a language model: I run on this machine without a network, "
    "and I rank and quote sentences of the text in a request. I can summarise, answer with quotations, choose among named "
    "options, score by overlap, fill a JSON schema from text and call tools that fit. I cannot write new prose or reason, "
    "and I know nothing that the request does not say."
)
NEAREST = "The text has no direct answer. The nearest it comes:"
SILENT = "The text does not say: no sentence of it shares more than a name with the question."
_UNANSWERED = "The text does not say: {parts}"
_BEYOND = "offline/extract cannot {verb}; these are the sentences of the text that say most:"
_TASK_ONLY = "offline/extract works on the text of a request, and this one holds only the task: {task}"
EMPTY = "The request is empty."

_REST = r"[^\n\"]*"
_OWN = re.compile(
    "|".join(
        re.escape(phrase).replace(r"\{", "{").replace(r"\}", "}").format(parts=_REST, verb=r"\w+", task=_REST)
        for phrase in (IDENTITY, NEAREST, SILENT, _UNANSWERED, _BEYOND, _TASK_ONLY)
    )
)
"""Each phrase wherever it stands: alone on a line, or in a string of JSON."""


def unanswered(parts: list[str]) -> str:
    """Said of the parts of a question that a text does not touch while it answers others."""
    return _UNANSWERED.format(parts="; ".join(parts))


def beyond(verb: str) -> str:
    """Said before quotations that stand in for what only a language model can do."""
    return _BEYOND.format(verb=verb)


def task_only(task: str) -> str:
    """Said when a request brings no text."""
    return _TASK_ONLY.format(task=task)


def lead(part: str) -> str:
    """The line above the quotations for one part of a question."""
    return f'On "{part}":'


LEAD = re.compile(r'On "(?P<part>[^"\n]{1,600})":')
"""Such a line, read back: it says what the quotations below it are about, and is none itself."""


def without_phrases(text: str) -> str:
    """`text` without what this model said about itself in an earlier step."""
    return _OWN.sub("", text)
