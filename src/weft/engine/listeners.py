"""Who hears of what happens in runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from weft.core.canonical import loads
from weft.core.event import Event
from weft.store.append import Draft


class Listener(Protocol):
    """Hears of events once they are durable, and of deltas, which never are. It must not block."""

    def event(self, event: Event) -> None:
        """An event is durable."""
        ...

    def delta(self, run_id: str, path: str, attempt: int, delta: Mapping[str, Any]) -> None:
        """Something is worth showing that is not history."""
        ...


def tell(listeners: Sequence[Listener], run_id: str, *drafts: Draft) -> list[Event]:
    """The first events of a run, durable now, which `listeners` have heard of."""
    events = [Event(run_id, seq, draft.at, draft.kind, "", loads(draft.payload)) for seq, draft in enumerate(drafts, 1)]
    for listener in listeners:
        for event in events:
            listener.event(event)
    return events
