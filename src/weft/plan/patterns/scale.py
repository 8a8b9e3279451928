"""The scale of a score: the one that a file names in its prompts, else 0 to 100 as `min_score` is counted."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NUMBER = r"\d{1,3}(?:\.\d)?"
_RANGE = rf"(?P<low>{_NUMBER})\s*(?:-|\u2013|to|and|through|\.\.)\s*(?P<high>{_NUMBER})"
_NO_COUNT = r"(?![\d.]*\s*(?:%|issues?|fix|problems?|points? (?:of|for|about)|sentences?|words?|paragraphs?|lines?|bullets?|items?))"
_SCORES = r"\b(?:scor(?:e|es|ing)|rat(?:e|es|ing|ings)|grad(?:e|es|ing)|scale|marks?|points)\b"
_NAMED = (
    re.compile(rf"{_SCORES}[^.!?\n]{{0,60}}?(?<![\d.])(?:{_RANGE}){_NO_COUNT}", re.IGNORECASE),
    re.compile(rf"{_SCORES}[^.!?\n]{{0,60}}?(?:\bout of|/)\s*(?P<high>{_NUMBER})\b{_NO_COUNT}", re.IGNORECASE),
)
_LOWS = (0.0, 1.0)
_HIGHS = (1.0, 3.0, 4.0, 5.0, 6.0, 7.0, 10.0, 12.0, 15.0, 20.0, 50.0, 100.0)
"""Ends that scales have; another range counts something else."""
_MAX_READ = 20_000


@dataclass(frozen=True, slots=True)
class Scale:
    """From the worst score to the best one."""

    low: float = 0
    high: float = 100

    @property
    def ends(self) -> tuple[str, str]:
        """Both ends as they are written."""
        return f"{self.low:g}", f"{self.high:g}"


def scale_of(prompts: str, min_score: float) -> Scale:
    """The scale that `prompts` name; one that `min_score` lies beyond is none, and a `min_score` below 1 is a share."""
    for pattern in _NAMED:
        for found in pattern.finditer(prompts[:_MAX_READ]):
            low, high = float(found.groupdict().get("low") or 0), float(found["high"])
            if low in _LOWS and high in _HIGHS and low < high and min_score <= high:
                return Scale(low, high)
    return Scale(0, 1) if 0 < min_score < 1 else Scale()
