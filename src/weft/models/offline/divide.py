# ruff: noqa: RUF001 -- the marks of other scripts are meant
"""Divide: telling the task of a prompt from the text that it brings along."""

from __future__ import annotations

import re
from itertools import pairwise

from weft.models.offline.columns import is_table
from weft.models.offline.sentences import read

ASKING = ("?", "？", "؟")
"""The marks that end a question."""
_ASK_WORDS = 90
_FEW_WORDS = 3
_ASK_LENGTH = 6_000
_LABEL = re.compile(
    r"^\W*(?:question|task|query|instructions?|request|goal|topic|criteria|objective|ask|user request)\W{0,3}:",
    re.IGNORECASE,
)
_OFFERS = re.compile(
    r"^\W*(?:options|routes|categories|labels|choices|classes|scale|format|sections)\W{0,3}:", re.IGNORECASE
)
_BODY_LABEL = re.compile(
    r"^\W*(?:text|document|context|material|draft|answer|passage|content|input|article|notes?|findings?|source|response|"
    r"candidate)s?\W{0,3}:",
    re.IGNORECASE,
)
_VERBS = (
    r"summari[sz]e|answer|write|list|extract|find|read|open|show|count|compute|calculate|search|grep|tell|give|explain|"
    r"describe|compare|classify|categori[sz]e|label|tag|triage|route|choose|pick|select|score|rate|grade|evaluate|assess|judge|review|plan|"
    r"break|decompose|draft|produce|prepare|create|compose|generate|make|combine|merge|synthesi[sz]e|consolidate|use|call|"
    r"return|respond|reply|fill|identify|name|state|say|quote|cite|report|analy[sz]e|check|verify|translate|rewrite|shorten|"
    r"condense|outline|highlight|group|sort|order|rank|decide|determine|keep|put|mention|focus|do not|don't|only|always|never|"
    r"look|get|fetch|run"
)
_IMPERATIVE = re.compile(
    r"^\W*(?:please\s+|now\s+|then\s+|you (?:are|must|should|will)\s|your (?:task|job|role)\s|(?:can|could|would) you\s+)?"
    rf"(?:{_VERBS}|(?:one|a single) (?:word|sentence|line)|briefly|in (?:one|two|three|\d+) |what|who|when|where|why|how|"
    r"which|is|are|does|do|did|can|should|you are|you must|your)\b",
    re.IGNORECASE,
)
_STATES = re.compile(
    r"\W*(?:when|where|what|how|which|is|are|who|why|do|read|report|plan|order|rank|name|state)\b", re.IGNORECASE
)
_ORDERS_AFTER_ALL = re.compile(
    r"\W*(?:do|read|report|plan|order|rank|name|state)\s+(?:the|an?|all|both|each|every|any|these|this|those|that|my|our|your|"
    r"its|it|them|only|on|about|how|what|who|why|not|\S*\w[./]\w\S*)(?:\W|$)"
    rf"|\W*(?:when|where)\b[^,]*,\s+(?:please\s+)?(?:{_VERBS})\b",
    re.IGNORECASE,
)
"""Sentences that open like a statement and are orders: "Read the files a, b and c.", "Where they differ, quote both."."""
_ENDS = re.compile(r"[.?!:][\"')\]]*$")
_PLAIN = re.compile(r"\s*(?:[-*+•#>|]|```|\d{1,3}[.)]\s|[\w ]{1,30}:\s)")
"""How a line opens that is no continuation of the line before it."""
_LABELLED = re.compile(r"\s*[\w ]{1,30}:\s")
_LIST_FOLLOWS = re.compile(
    r"\b(?:options?|routes?|categor(?:y|ies)|labels?|choices?|agents?|classes|criteria|one of|sections?|following)\b[^\n]*:\s*$",
    re.IGNORECASE,
)


def without_label(ask: str) -> str:
    """`ask` without a leading ``Question:`` and its kin."""
    return _LABEL.sub("", ask, count=1).strip()


def divide(text: str) -> tuple[str, str]:
    """The task and the text of a prompt: leading and trailing blocks that read like orders or questions, and the rest."""
    blocks = [block.strip("\n") for block in re.split(r"\n\s*\n", text) if block.strip()]
    blocks = [part for block in blocks for part in _unglue(block)]
    asks = [False] * len(blocks)
    for place, block in enumerate(blocks):
        follows = place > 0 and asks[place - 1] and bool(_LIST_FOLLOWS.search(blocks[place - 1])) and _is_list(block)
        if not (_is_ask(block) or follows):
            break
        asks[place] = True
    for place in range(len(blocks) - 1, 0, -1):
        if asks[place] or not _is_ask(blocks[place]) or _is_list(blocks[place]):
            break
        asks[place] = True
    for place, block in enumerate(blocks):
        asks[place] = asks[place] or bool(_LABEL.match(block) and len(block.split()) <= _ASK_WORDS)
    if len(blocks) == 1 and len(blocks[0].split()) <= 12 and not _BODY_LABEL.match(blocks[0]):
        asks[0] = True
    ask = "\n\n".join(block for block, is_ask in zip(blocks, asks, strict=True) if is_ask)
    body = "\n\n".join(block for block, is_ask in zip(blocks, asks, strict=True) if not is_ask)
    # A task is short; what reads like thousands of orders is text.
    return (ask, body) if len(ask) <= _ASK_LENGTH else (ask[:_ASK_LENGTH], text)


def _unglue(block: str) -> list[str]:
    """Part an order from the text that follows it in the same paragraph: after a colon, or sentence by sentence."""
    block = _unwrap(block)
    head, _, rest = block.partition("\n")
    orders = head.rstrip().endswith(":") or _is_ask(head)
    if rest and orders and (len(rest.split()) > 12 or is_table(rest.splitlines())) and not _is_list(rest):
        return [*_unglue(head), rest] if _is_ask(head) else [head, rest]
    if rest and head.rstrip().endswith(ASKING) and len(rest.split()) > _FEW_WORDS and not _is_list(rest):
        return [head, rest]
    if rest:
        return _asked_last(block)
    order, colon, text = block.partition(": ")
    offers = bool(_LIST_FOLLOWS.search(f"{order}:"))
    if (
        colon
        and not offers
        and len(order.split()) <= 30
        and len(text.split()) >= 8
        and _IMPERATIVE.match(order)
        and "{" not in block
    ):
        return [f"{order}:", text]
    units = [unit.text for unit in read(block)]
    if len(units) < 2:
        return [block]
    cut = next((i for i, unit in enumerate(units) if not _orders(unit)), len(units))
    tail = next((i for i in range(len(units), cut, -1) if not units[i - 1].endswith(ASKING)), cut)
    parts = (units[:cut], units[cut:tail], units[tail:])
    return [" ".join(part) for part in parts if part]


def _asked_last(block: str) -> list[str]:
    """Part a text from the question in its last line."""
    text, _, last = block.rpartition("\n")
    # Lines with labels belong together: a judge reads them so.
    labelled = any(_LABELLED.match(line) for line in text.splitlines())
    ends = text.rstrip()
    told = _ENDS.search(ends) and not ends.endswith((":", *ASKING)) and not labelled and not _is_ask(text)
    return [text, last] if told and last.rstrip().endswith(ASKING) and not _is_list(block) else [block]


def _unwrap(block: str) -> str:
    """A task that is broken into lines to fit a page, on one line; a block of any other kind as it is.

    A line is continued by the next one when it does not end a sentence and the next one's first word had no room on it, or
    goes on in lower case.
    """
    lines = block.strip().splitlines()
    if (
        len(lines) == 1
        or not _IMPERATIVE.match(lines[0].removeprefix("Question: "))
        or _BODY_LABEL.match(block)
        or is_table(lines[1:])
    ):
        return block
    width = max(map(len, lines))
    whole = [lines[0].strip()]
    for before, line in pairwise(lines):
        opening = line.split()[0]
        full = len(before.rstrip()) + 1 + len(opening) > 0.85 * width
        runs_on = len(before) > 0.5 * width and not _ENDS.search(before.rstrip()) and opening[0].islower()
        if _PLAIN.match(line) or not (full or runs_on):
            whole.append(line)
        else:
            whole[-1] = f"{whole[-1]} {line.strip()}"
    return "\n".join(whole)


def _orders(sentence: str) -> bool:
    """Whether a sentence is part of a task: an order, a question, or the offer of options."""
    return bool(_OFFERS.match(sentence)) or (bool(_IMPERATIVE.match(sentence)) and not _narrates(sentence))


def _narrates(sentence: str) -> bool:
    """Whether a sentence that opens like a question is a statement: "When the host fails, the run waits."."""
    states = _STATES.match(sentence) and not _ORDERS_AFTER_ALL.match(sentence)
    return bool(states) and sentence.endswith(".") and "," in sentence and "?" not in sentence


def _is_list(block: str) -> bool:
    lines = [line for line in block.splitlines() if line.strip()]
    return all(re.match(r"\s*(?:[-*+•]|\d{1,3}[.)])\s+\S", line) and len(line.split()) <= 30 for line in lines)


def _is_ask(block: str) -> bool:
    if len(block.split()) > _ASK_WORDS or block.lstrip().startswith(("#", "<", "|", ">", "```", "===", "---")):
        return False
    if _BODY_LABEL.match(block):
        return False
    if _LABEL.match(block):
        return True
    stripped = block.rstrip()
    if stripped.endswith(ASKING):
        return True
    return _orders(stripped)
