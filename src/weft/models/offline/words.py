# ruff: noqa: RUF001 -- typographic marks in patterns are meant
# ruff: noqa: SIM905 -- word lists read best as prose
"""Words: splitting text into terms that can be compared, and counting pieces for usage."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

_WORD = re.compile(r"[^\W_]+(?:['’][^\W\d_]+)*")
_PIECE = re.compile(r"[^\W_]+|[^\w\s]|_")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_PIECE_LENGTH = 8

STOPWORDS = frozenset(
    """a about above after again against all also am an and any are as at be because been before being below between both
    but by can cannot could did do does doing don down during each either etc few for from further get gets got had has
    have having he her here hers him his how however i if in into is it its itself just let like made make makes many may
    me might more most much must my near neither no nor not now of off on once one only onto or other our ours out over own
    per please quite rather s same shall she should since so some such t than that the their them then there these they
    this those though through thus to too two under until up upon us use used uses using very via was we were what when
    where whether which while who whom whose why will with within without would yes yet you your yours""".split()
)
"""Words that carry no subject of their own; they are never terms."""


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """A rough common root of `word` and its plural, past and -ing forms: ``retries`` and ``retry`` meet in ``retri``."""
    if len(word) < 4 or not word.isascii():
        return word
    for ending, keep in (
        ("iness", "i"),
        ("sses", "ss"),
        ("ies", "i"),
        ("ied", "i"),
        ("ing", ""),
        ("edly", ""),
        ("ed", ""),
    ):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = _undouble(word[: -len(ending)] + keep)
            break
    else:
        if word.endswith(("xes", "ches", "shes", "zes")):
            word = word[:-2]
        elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
            word = word[:-1]
        if word.endswith("ly") and len(word) > 5:
            word = word[:-2]
    if word.endswith("e") and len(word) > 4:
        return word[:-1]
    return word[:-1] + "i" if word.endswith("y") and len(word) > 3 else word


def _undouble(word: str) -> str:
    twice = len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsz"
    return word[:-1] if twice else word


def words(text: str) -> list[str]:
    """The words of `text` in order, lower case, with apostrophes, without underscores."""
    return [match.lower() for match in _WORD.findall(text)]


def terms(text: str) -> list[str]:
    """The stems of the words that carry a subject, in order and with repeats; scripts without spaces give pairs."""
    found: list[str] = []
    for word in words(text):
        if word in STOPWORDS:
            continue
        if not word.isascii() and _CJK.search(word):
            found.extend(word[i : i + 2] for i in range(max(1, len(word) - 1)))
        elif len(word) > 1 or word.isdigit():
            found.append(stem(word.removesuffix("'s").removesuffix("’s")))
    return found


def name_terms(name: str) -> list[str]:
    """The terms of an identifier such as ``dueDate``, ``file_read`` or ``max-items``."""
    return terms(_CAMEL.sub(" ", name).replace("_", " ").replace("-", " ").replace(".", " "))


def overlap(wanted: Iterable[str], given: Iterable[str]) -> float:
    """The share of the distinct terms of `wanted` that `given` holds, 0 to 1."""
    need = set(wanted)
    return len(need & set(given)) / len(need) if need else 0.0


def count_pieces(text: str) -> int:
    """The length of `text` in pieces: a mark is one, a word is one for each started eight letters, a CJK letter is one.

    This is the unit in which the offline model reports its tokens. It is close to, and never claims to be, what a
    provider's tokenizer would count.
    """
    total = 0
    for piece in _PIECE.findall(text):
        if piece.isascii():
            total += (len(piece) + _PIECE_LENGTH - 1) // _PIECE_LENGTH
        else:
            broad = len(_CJK.findall(piece))
            total += broad + (len(piece) - broad + _PIECE_LENGTH - 1) // _PIECE_LENGTH
    return total
