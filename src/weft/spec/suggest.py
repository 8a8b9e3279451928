"""One way to say "did you mean"."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_SHOWN = 12


def did_you_mean(word: str, known: Iterable[str], *, noun: str = "known here") -> str:
    """A fix for an unknown `word`: the nearest known one, or what there is to choose from."""
    names = sorted(set(known))
    near = get_close_matches(word[:200], names[:2000], n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    if not names:
        return f"nothing is {noun}"
    return f"{noun}: {', '.join(names[:_SHOWN])}" + (", …" if len(names) > _SHOWN else "")
