"""Places in what a run and the runs below it do: how far somebody has followed them, and where all of them have come to rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from weft.store.journal import Journal

MAX_RUNS = 256
"""Runs below one that are looked at."""


@dataclass(frozen=True, slots=True)
class Place:
    """Behind event number `after` of a run; in the runs below it, behind what had happened by the time `since` (microseconds).

    `since` is the time of that event, unless told: runs below go on while those above them wait. `heads`, where they were looked up,
    say it exactly: the last event of each run that was there.
    """

    after: int = 0
    since: int | None = None
    heads: Mapping[str, int] | None = None


BEGINNING = Place()


@dataclass(frozen=True, slots=True)
class Rest:
    """A time at which nothing went on in a run and those below it; `run_id` is the one that came to rest last."""

    run_id: str
    after: int
    at: int

    @property
    def place(self) -> Place:
        """Where a reply goes on that has stopped here."""
        return Place(self.after, self.at)


def here(journal: Journal, run_id: str, at: int) -> Place:
    """The place up to which everything is written at this moment, `at`."""
    heads = {one: journal.runs.get(one).head_seq for one in family(journal, run_id)}
    return Place(heads[run_id], at, heads)


def last_before(journal: Journal, run_id: str, below: str, place: Place) -> int:
    """The number of the last event of the run `below` that a place in `run_id` is behind."""
    if place.heads is not None:
        return place.heads.get(below, 0)
    since = place.since
    if since is None:
        if not place.after:
            return 0
        since = _time_of(journal, run_id, place.after)
    low, high = 0, journal.runs.get(below).head_seq
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _time_of(journal, below, middle) <= since else (low, middle - 1)
    return low


def rests(journal: Journal, run_id: str, place: Place) -> Iterator[Rest]:
    """When a run, and with it those below it, came to rest after a place, in order.

    A run rests while its last event says that it waits. Then those below it wait as well, and may go on and come to rest again
    without it.
    """
    events = journal.events(run_id, after=max(place.after - 1, 0))
    for number, event in enumerate(events):
        if event.kind != "run.waiting":
            continue
        begin, until = event.at, events[number + 1].at if number + 1 < len(events) else None
        if event.seq > place.after:
            yield Rest(run_id, event.seq, event.at)
        elif place.since is not None:
            begin = max(begin, place.since)
        found = [rest for rest in _below(journal, run_id, event.seq) if rest.at > begin]
        yield from sorted((rest for rest in found if until is None or rest.at < until), key=lambda rest: rest.at)


def _below(journal: Journal, run_id: str, after: int) -> Iterator[Rest]:
    for one in family(journal, run_id)[1:]:
        yield from (Rest(one, after, event.at) for event in journal.events(one) if event.kind == "run.waiting")


def family(journal: Journal, run_id: str, *, under_way: bool = False) -> list[str]:
    """A run and those below it, as many as are looked at; with `under_way`, without those that have ended and what is below them."""
    found = [run_id]
    for one in found:
        found += [child.id for child in journal.runs.children(one) if not (under_way and child.ended)]
        if len(found) > MAX_RUNS:
            break
    return found


def _time_of(journal: Journal, run_id: str, seq: int) -> int:
    found = journal.events(run_id, after=seq - 1, limit=1)
    return found[0].at if found else 0
