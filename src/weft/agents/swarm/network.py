"""Who reaches whom in a round: groups while a partition lasts, peers drawn from a seed, messages that are lost."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Json = Any


def groups(network: Mapping[str, Json], count: int, number: int) -> list[range]:
    """The groups of members that reach each other in round `number` (from 1): one, unless a partition lasts."""
    for partition in network.get("partitions") or ():
        if partition["first"] <= number <= partition["last"]:
            parts = min(partition["groups"], count)
            return [range(count * part // parts, count * (part + 1) // parts) for part in range(parts)]
    return [range(count)]


def contacts(network: Mapping[str, Json], count: int, number: int, fanout: int, seed: str) -> Iterator[tuple[int, int]]:
    """The pairs of members that exchange what they know in round `number`: each draws `fanout` others of its group."""
    draw = random.Random(f"{seed}/{number}")  # noqa: S311 -- repeatable on purpose
    loss = network.get("loss") or 0.0
    for group in groups(network, count, number):
        size = len(group)
        for place in range(size) if size > 1 else ():
            for _ in range(min(fanout, size - 1)):
                other = draw.randrange(size - 1)
                # One of the others: the own place is left out.
                other += other >= place
                if not loss or draw.random() >= loss:
                    yield group[place], group[other]


def to_hex(sets: Sequence[int]) -> list[str]:
    """Sets of numbers, kept as the bits of one number each, in the form in which the journal has them."""
    return [f"{each:x}" for each in sets]


def from_hex(texts: Sequence[str]) -> list[int]:
    """The inverse of `to_hex`."""
    return [int(text, 16) for text in texts]
