"""The live projection: events in as they become durable, finished spans out to whoever wants them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence

from weft.core.event import Event
from weft.telemetry.spans import Span, SpanFold

SpanSink = Callable[[Span], None]
"""Takes a finished span. Must return at once; what it raises is logged once and goes no further."""

_LOG = logging.getLogger("weft.telemetry")
_ENDS = frozenset({"run.completed", "run.failed", "run.cancelled"})


class Projection:
    """Folds the events of any number of runs and hands each span that ends to every sink. Never raises."""

    def __init__(self, sinks: Sequence[SpanSink]) -> None:
        self._sinks = tuple(sinks)
        self._folds: dict[str, SpanFold] = {}
        self._has_warned = False

    def on_events(self, events: Iterable[Event]) -> None:
        """Events that have just become durable, in the order of their journals."""
        if not self._sinks:
            return
        for event in events:
            self._take(event, self._sinks)

    def prime(self, events: Iterable[Event]) -> None:
        """Events that were durable before this process took the run over: known, but not told to the sinks again."""
        for event in events:
            self._take(event, ())

    def forget(self, run_id: str) -> None:
        """This process drives the run no more: what is open in it will be told by the one that does."""
        self._folds.pop(run_id, None)

    def _above(self, event: Event) -> tuple[SpanFold, str] | None:
        """The run above that of `event`, its first one, and the step there that started it."""
        above = event.data.get("parent") if event.kind == "run.created" and isinstance(event.data, dict) else None
        folding = self._folds.get(above["run"]) if above else None
        return None if above is None or folding is None else (folding, above["path"])

    def _take(self, event: Event, sinks: Sequence[SpanSink]) -> None:
        try:
            folding = self._folds.get(event.run_id)
            if folding is None:
                folding = self._folds[event.run_id] = SpanFold(event.run_id, self._above(event))
            for span in folding.feed(event):
                for sink in sinks:
                    sink(span)
        except Exception as error:  # noqa: BLE001 -- seeing a run must never harm it
            if not self._has_warned:
                self._has_warned = True
                _LOG.warning("telemetry of run %s is incomplete: %s at event %d", event.run_id, error, event.seq)
        if event.kind in _ENDS and sinks:
            self._folds.pop(event.run_id, None)
