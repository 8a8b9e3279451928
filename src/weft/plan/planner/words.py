"""Words as the planner compares them: stems, and one name for words that mean the same."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

_WORD = re.compile(r"[^\W_]+", re.UNICODE)
MAX_WORD = 40


def listed(text: str) -> frozenset[str]:
    """The words that stand in `text`, as they stand."""
    return frozenset(text.split())


_ALIKE = """
research investigate explore source
find search locate look lookup
summarize summary shorten condense digest recap abridge
translate translation localize
write draft author pen
verify validate confirm fact claim
review inspect audit critique
implement build develop feature
code program programming python
fix repair debug mend bug
troubleshoot diagnose diagnosis fault
test qa
deploy release rollout
document documentation manual
book reserve booking reservation
hotel accommodation lodging
flight airfare plane
weather forecast
recommend suggest suggestion recommendation
sight attraction landmark
restaurant dining
itinerary trip
collect gather extract fetch obtain
clean normalize deduplicate tidy cleanse
analyze analysis statistic analytics
calculate compute computation
chart plot graph visualize visualization diagram
report
parcel package shipment delivery deliver shipping track
invoice bill billing charge
email mail letter
apology apologize
refund reimburse reimbursement
schedule arrange
meeting appointment
transcribe transcript transcription minute
archive
retrieve
salary payroll wage
image picture illustration illustrate photo
speech narration narrate voice audio speak speaker
slogan tagline
copy advert advertisement advertising
price pricing cost
compare comparison
keyword seo
publish post
contract agreement
legal law lawyer
proofread proofreading
design designer
payment pay
database sql
"""
STOP = listed(
    """
    a an the this that these those my our your his her its their some any each every all both either
    i me we us you he she it they them one ones who what which where when why how there here
    and or but nor so if as than to of in on at by for from with without into onto about over under between against
    is are was were be been being am do does did done has have had having will would can could shall should may might must
    not no yes please now just also too very really quite so more most much many few less least up out off down
    first second third next last new good well get gets got give gives let lets want wants need needs like likes use uses
    using same time other another such own thing things something anything everything somehow stuff help
    """
)
"""Words that say nothing about who could do something."""


def plain(text: str) -> str:
    """`text` with simple white space and typographic marks."""
    return " ".join(text.replace("\u2019", "'").split())


def words(text: str) -> list[str]:
    """The words of `text` in lower case; what is written together with underscores or hyphens is several."""
    return [word[:MAX_WORD] for word in _WORD.findall(text.casefold().replace("\u2019", "'").replace("'s", ""))]


@lru_cache(maxsize=8192)
def concept(word: str) -> str:
    """The name of what `word` means: its stem, or that of the first of the words that mean the same."""
    stem = _stem(word)
    return _NAMES.get(stem, stem)


def concepts(text: str) -> list[str]:
    """What the words of `text` mean, those left out that say nothing by themselves."""
    return [concept(word) for word in words(text) if word not in STOP]


def counted(texts: Iterable[str]) -> frozenset[str]:
    """All that several texts mean."""
    return frozenset(name for text in texts for name in concepts(text))


def _stem(word: str) -> str:
    word = re.sub(r"is(e[srd]?|ing|ation|ations)$", r"iz\1", word)
    word = re.sub(r"ys(e[srd]?|ing)$", r"yz\1", word)
    for _layer in range(2):
        word = _shortened(word)
    if len(word) > _SHORTEST and word[-1] == word[-2] and word[-1] not in "aeiousl":
        word = word[:-1]
    return word.rstrip("e") if len(word) > _SHORTEST else word


def _shortened(word: str) -> str:
    for ending, short in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) + len(short) >= _SHORTEST:
            return word[: len(word) - len(ending)] + short
    return word


_SHORTEST = 3
_ENDINGS = (
    ("izations", "iz"),
    ("ization", "iz"),
    ("ations", ""),
    ("ation", ""),
    ("ments", ""),
    ("ment", ""),
    ("nesses", ""),
    ("ness", ""),
    ("ically", ""),
    ("ingly", ""),
    ("ings", ""),
    ("ing", ""),
    ("iers", "y"),
    ("ier", "y"),
    ("ies", "y"),
    ("ied", "y"),
    ("sses", "ss"),
    ("ers", ""),
    ("ed", ""),
    ("er", ""),
    ("or", ""),
    ("es", ""),
    ("s", ""),
)
_NAMES = {
    _stem(word): _stem(line.split()[0]) for line in reversed(_ALIKE.strip().splitlines()) for word in line.split()
}
