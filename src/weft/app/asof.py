"""A run as it was: its row just after one of its events."""

from __future__ import annotations

from dataclasses import replace

from weft.core.errors import InputError
from weft.core.event import Event
from weft.engine.fold import RunState
from weft.store.runs import Run


def as_it_was(run: Run, events: list[Event], at: int, state: RunState) -> Run:
    """`run` just after event number `at` of `events`, which are all of its events; `state` is that of the run then.

    Raises:
        InputError: it has no such event.
    """
    if at > len(events):
        raise InputError(f"the run has no event {at}", fix=f"its events are 1 to {len(events)}")
    return replace(
        run,
        status=state.status,
        waits=state.waits,
        head_seq=at,
        error=None if state.error is None else dict(state.error),
        usage=state.total(),
        updated_at=events[at - 1].at,
    )
