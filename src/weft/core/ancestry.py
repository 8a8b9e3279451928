"""What comes before what among names that depend on each other, at a cost that is near that of reading every dependency once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import compress


class Ancestry:
    """Answers for `names` and what each of them directly depends on. Found out when it is first asked for, and then known.

    What comes before a name is kept as the bits of one number, so that what several names come after is joined in one go.
    """

    def __init__(self, names: Sequence[str], deps: Mapping[str, Sequence[str]]) -> None:
        self._names = names
        self._place = {name: place for place, name in enumerate(names)}
        self._deps = deps
        self._known: dict[str, int] = {}

    def precedes(self, one: str, other: str) -> bool:
        """Whether `other` depends on `one`, directly or not."""
        place = self._place.get(one)
        return place is not None and bool(self._before(other) >> place & 1)

    def before(self, name: str) -> list[str]:
        """All that `name` depends on, directly or not, in the order of the names."""
        bits = self._before(name)
        return list(compress(self._names, map(int, reversed(f"{bits:b}")))) if bits else []

    def _before(self, name: str) -> int:
        known, entered = self._known, set[str]()
        pending = [name]
        while pending:
            at = pending[-1]
            if at in known:
                pending.pop()
            elif at in entered:
                # What it depends on is known by now, apart from what depends on it in turn.
                known[at] = self._joined(at)
                pending.pop()
            else:
                entered.add(at)
                pending += [dep for dep in self._deps.get(at, ()) if dep not in known and dep not in entered]
        return known[name]

    def _joined(self, name: str) -> int:
        bits = 0
        for dep in self._deps.get(name, ()):
            if (place := self._place.get(dep)) is not None:
                bits |= self._known.get(dep, 0) | 1 << place
        return bits
