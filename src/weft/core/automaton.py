"""The ways through an automaton, as the pattern matcher tries them: whether they grow exponentially with the text, and if not, how."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from math import log2
from typing import Any, NamedTuple

_PAIRS = 100_000
_SPOTS, _PLACES = 400, 800


class TooComplicatedError(ValueError):
    """There is a text on which the ways are too many to be tried."""


_EXPONENTIAL = "could be tried for ever on some texts: what is repeated in it can take the same text in several ways, as in (a+)+ or (a|a)*"


class Link(NamedTuple):
    """From one loop to another: where it ends and the other begins is open in texts of letters that both places take."""

    earlier: int
    later: int
    before: frozenset[int]
    behind: frozenset[int]
    begins: frozenset[int] | None
    """Where what stands between them begins, unless the one may follow the other directly."""


class Growth(NamedTuple):
    """How the ways grow with a text: `loops`, in the order in which they come, with `links`; 2 to the power of `choices` in any text."""

    loops: int
    links: tuple[Link, ...]
    choices: float
    items: tuple[Any, ...]
    """What each place was made of."""


class Automaton:
    """Places with the letters that they take, as bits, and which place may follow which."""

    def __init__(self) -> None:
        self.masks: list[int] = []
        self._items: list[Any] = []
        self.free = 0.0
        """Choices that there are in any text."""
        self._optional: dict[int, float] = {}
        self._edges: list[Counter[int]] = []
        self._later: dict[int, set[int]] = {}

    def place(self, mask: int, item: Any) -> int:
        """A new place, made of `item`."""
        self.masks.append(mask)
        self._items.append(item)
        self._edges.append(Counter())
        return len(self.masks) - 1

    def join(self, last: list[int], first: list[int]) -> None:
        """One more way from each of `last` to each of `first`."""
        for place in last:
            self._edges[place].update(first)

    def may_leave_out(self, places: list[int], choices: float) -> None:
        """Here one may go on in 2 to the power of `choices` ways."""
        for place in places:
            self._optional[place] = self._optional.get(place, 0.0) + choices

    def growth(self) -> Growth:
        """How the ways through it grow.

        Raises:
            TooComplicatedError: exponentially, or there is too much to look at.
        """
        if len(self.masks) > _PLACES:
            raise TooComplicatedError("is too long to be looked at")
        loops = self._loops()
        several: dict[int, int] = {}
        for others in self._edges:
            for place, ways in others.items():
                if ways > several.get(place, 1):
                    several[place] = ways
        for place, ways in several.items():
            self.may_leave_out([place], log2(ways))
        if len(self._optional) + len(loops) > _SPOTS:
            raise TooComplicatedError("is too long to be looked at")
        for loop in loops:
            self._demand_one_way(loop)
        choices = [(place, self.masks[place], weight) for place, weight in self._optional.items()]
        free = self.free + self._chain(choices)
        return Growth(len(loops), self._links(loops), free, tuple(self._items))

    def _links(self, loops: list[frozenset[int]]) -> tuple[Link, ...]:
        """The pairs of loops with none between them where a text can be divided between the two in several ways."""
        looping = frozenset().union(*loops)
        steps = [self._until(loop, looping) for loop in loops]
        links = []
        for later, behind in enumerate(loops):
            for earlier, before in enumerate(loops[:later]):
                if not self._letters(before) & self._letters(behind):
                    continue
                between = frozenset(
                    place for place in steps[earlier] - looping if self._until({place}, looping) & behind
                )
                adjacent = any(self._edges[place].keys() & behind for place in before)
                begins = frozenset(place for one in before for place in self._edges[one] if place in between)
                if adjacent or between:
                    links.append(Link(earlier, later, before | between, behind | between, None if adjacent else begins))
        return tuple(links)

    def _until(self, places: Iterable[int], looping: frozenset[int]) -> set[int]:
        """The places that may come after these, up to the first that loops; of loops only where they begin."""
        seen: set[int] = set()
        left = list(places)
        while left:
            for other in self._edges[left.pop()]:
                if other not in seen:
                    seen.add(other)
                    if other not in looping:
                        left.append(other)
        return seen

    def _letters(self, places: frozenset[int]) -> int:
        mask = 0
        for place in places:
            mask |= self.masks[place]
        return mask

    def _loops(self) -> list[frozenset[int]]:
        """The sets of places that lead to each other, in the order in which they can come."""
        found: dict[frozenset[int], int] = {}
        for place in range(len(self.masks)):
            after = self._after(place)
            if place in after:
                found[frozenset(other for other in after if place in self._after(other))] = len(after)
        # What comes earlier has more after it.
        return sorted(found, key=lambda loop: -found[loop])

    def _demand_one_way(self, loop: frozenset[int]) -> None:
        """Refuse a loop in which two ways lead from a place back to it on the same text."""
        inside = {place: [other for other in self._edges[place] if other in loop] for place in loop}
        if any(self._edges[place][other] > 1 for place in loop for other in inside[place]):
            raise TooComplicatedError(_EXPONENTIAL)
        seen: set[tuple[int, int]] = set()
        left = [(place, place) for place in loop]
        work = 0
        while left:
            one, other = left.pop()
            for next_one in inside[one]:
                for next_other in inside[other]:
                    work += 1
                    if not self.masks[next_one] & self.masks[next_other]:
                        continue
                    if next_one == next_other:
                        if one != other:
                            raise TooComplicatedError(_EXPONENTIAL)
                        continue
                    pair = (min(next_one, next_other), max(next_one, next_other))
                    if pair not in seen:
                        seen.add(pair)
                        left.append(pair)
            if work > _PAIRS:
                raise TooComplicatedError("is too long to be looked at")

    def _chain(self, spots: list[tuple[int, int, float]]) -> float:
        """The most that `spots` (place, letters, weight) on one way weigh, each taking a letter that the one before takes."""
        spots = sorted(spots, key=lambda spot: -len(self._after(spot[0])))
        after = [self._after(place) for place, _, _ in spots]
        best: list[float] = []
        for number, (place, letters, weight) in enumerate(spots):
            before = [
                best[earlier] for earlier in range(number) if spots[earlier][1] & letters and place in after[earlier]
            ]
            best.append(weight + max(before, default=0.0))
        return max(best, default=0.0)

    def _after(self, place: int) -> set[int]:
        """The places that may come some time after `place`."""
        if place in self._later:
            return self._later[place]
        seen = self._later[place] = set()
        left = [place]
        while left:
            for other in self._edges[left.pop()]:
                if other not in seen:
                    seen.add(other)
                    left.append(other)
        return seen
