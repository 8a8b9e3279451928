"""The names of tools: what is served has names that not every client takes as they are."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

from weft.app.serving.library import Published

_LONGEST = 64
"""Characters of a name that every client takes."""
_FOREIGN = re.compile(r"[^A-Za-z0-9_-]")
_MARK = 6


def named(served: Iterable[Published], taken: Iterable[str]) -> Mapping[str, Published]:
    """What is served, by the name of its tool: letters, digits, ``_`` and ``-``, an agent as ``workflow__agent``.

    A name that is too long, or would be the same as another, ends in a mark made of the whole name, so that it stays the same
    whatever else is served.
    """
    everything = list(served)
    plain = [_plain(one.name) for one in everything]
    reserved = set(taken)
    found: dict[str, Published] = {}
    for one, name in zip(everything, plain, strict=True):
        clear = len(name) <= _LONGEST and name not in reserved and plain.count(name) == 1
        found[name if clear else _marked(one.name, name)] = one
    return found


def _plain(name: str) -> str:
    return _FOREIGN.sub("_", name.replace("/", "__")) or "_"


def _marked(whole: str, name: str) -> str:
    mark = hashlib.sha256(whole.encode()).hexdigest()[:_MARK]
    return f"{name[: _LONGEST - _MARK - 1]}_{mark}"
