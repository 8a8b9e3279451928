"""What one rendering of a template may do: rounds of loops, characters and items that are made or looked through.

A list may hold the same list several times, and that one another: a few dozen steps make a value that takes little room and that
nothing can compare, write or copy in this world's time. So what is put together is weighed with all that is in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from jinja2.runtime import Context

from weft.core.patterns import Patience

MAX_TEXT = 1_000_000
"""Characters that a template may have, and that it may render to."""

MAX_ROUNDS = 100_000
MAX_MADE = 10_000_000
MAX_WORK = 200_000_000
"""Characters that may be looked at without anything being made of them."""
_MAX_ITEMS = 250_000
_ITEM = 20
"""What going through an item costs, compared with a character."""
MAX_RANGE = 10_000
MAX_BITS = 4_096

METER = "\0meter"
"""The key of the meter in a template's context; no template can spell it."""


class Refused(Exception):  # noqa: N818 -- becomes a TemplateError at the door
    """A template asks for something that templates may not do."""


class Meter:
    """What one rendering may still do."""

    __slots__ = ("made", "patience", "rounds", "work")

    def __init__(self) -> None:
        self.rounds = MAX_ROUNDS
        self.made = MAX_MADE
        self.work = MAX_WORK
        self.patience = Patience()

    def make(self, size: int) -> None:
        """Charge for a value of `size` characters or items, before it is made."""
        self.made -= size + 1
        if self.made < 0 or size > MAX_TEXT:
            raise Refused("it makes too much text")

    def weigh(self, value: Any) -> int:
        """The items in `value`, on all its levels."""
        size = weight(value, _MAX_ITEMS, texts=False)
        if size > _MAX_ITEMS:
            raise Refused(f"it makes too much: a list with more than {_MAX_ITEMS:,} items in it")
        self.look(_ITEM * size)
        return size

    def look_at(self, value: Any) -> None:
        """Charge for going through all that is in `value`."""
        self.look(_ITEM * weight(value, MAX_WORK // _ITEM, texts=False))

    def look(self, size: int) -> None:
        """Charge for going through `size` characters or items."""
        self.work -= size
        if self.work < 0:
            raise Refused("it looks through too much text")

    def each(self, items: Iterable[Any]) -> Iterator[Any]:
        """`items`, each one charged for."""
        for item in items:
            self.rounds -= 1
            if self.rounds < 0:
                raise Refused(f"it goes through more than {MAX_ROUNDS:,} items")
            yield item


def meter_of(context: Context) -> Meter:
    """The meter of the rendering that `context` belongs to."""
    meter = context.parent[METER]
    assert isinstance(meter, Meter)
    return meter


def bounded_range(*args: int) -> range:
    """``range`` up to `MAX_RANGE` items."""
    result = range(*args)
    if len(result) > MAX_RANGE:
        raise Refused(f"a range has more than {MAX_RANGE:,} items")
    return result


def check_join(meter: Meter, separator: str, items: Iterable[Any]) -> list[str]:
    """The texts to join, charged for."""
    texts = []
    for item in meter.each(items):
        text = as_text(item)
        meter.make(len(text) + len(separator))
        texts.append(text)
    meter.make(sum(map(len, texts)) + len(separator) * len(texts))
    return texts


def as_text(value: Any) -> str:
    """`value` as text, unless that would be too much."""
    if isinstance(value, str):
        return value
    check_written(value)
    return str(value)


def check_written(value: Any) -> None:
    """Refuse what is more, written down, than a template may make."""
    if isinstance(value, (list, tuple, dict)) and weight(value, MAX_TEXT, texts=True) > MAX_TEXT:
        raise Refused("it makes too much text")


def check_replace(meter: Meter, text: str, old: str, new: str, count: int = -1) -> None:
    """Charge for ``text.replace(old, new, count)`` before it is made."""
    times = text.count(old)
    times = times if count < 0 else min(times, count)
    meter.make(len(text) + times * max(0, len(new) - len(old)))


def check_binop(meter: Meter, operator: str, left: Any, right: Any) -> None:
    """Charge for an operation, and refuse numbers and texts that grow without measure."""
    if operator == "%" and isinstance(left, str):
        raise Refused("text cannot be formatted with %")
    if operator == "+" and isinstance(left, (str, list, tuple)) and isinstance(right, (str, list, tuple)):
        meter.make(sum(_size(meter, side) for side in (left, right)))
    for one, other in ((left, right), (right, left)):
        if operator == "*" and isinstance(one, (str, list, tuple)) and isinstance(other, int):
            meter.make(_size(meter, one) * max(0, other))
    if isinstance(left, int) and isinstance(right, int):
        bits = left.bit_length() * max(0, right) if operator == "**" else left.bit_length() + right.bit_length()
        if bits > MAX_BITS:
            raise Refused("it makes a number that is too large")


def _size(meter: Meter, value: str | list[Any] | tuple[Any, ...]) -> int:
    return len(value) if isinstance(value, str) else meter.weigh(value)


_CONTAINERS = (list, tuple, dict)


def weight(value: Any, limit: int, *, texts: bool) -> int:
    """The items in `value` on all its levels, each as often as it occurs, and with `texts` the characters of its texts.

    No more is counted once that is over `limit`.
    """
    if not isinstance(value, _CONTAINERS):
        return 1 + (len(value) if texts and isinstance(value, str) else 0)
    total, left = 1, [value]
    while left and total <= limit:
        one = left.pop()
        total += len(one)
        for item in one.values() if isinstance(one, dict) else one:
            if isinstance(item, _CONTAINERS):
                left.append(item)
            elif texts and isinstance(item, str):
                total += len(item)
        if texts and isinstance(one, dict):
            total += sum(len(key) for key in one if isinstance(key, str))
    return total
