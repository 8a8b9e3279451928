"""Who hears of a run's events: live viewers through the bus, and telemetry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from weft.bus.envelope import DELTA, Envelope
from weft.bus.local import LocalBus
from weft.core.canonical import well_formed
from weft.core.clock import Clock
from weft.core.errors import WeftError
from weft.core.event import Event
from weft.core.settings_model import Telemetry
from weft.telemetry.content import EVERYTHING, NOTHING
from weft.telemetry.export import ExportOptions, TraceExporter
from weft.telemetry.metrics import RunMetrics
from weft.telemetry.projection import Projection
from weft.telemetry.redact import Redactor


class BusListener:
    """Publishes events and deltas under ``run/<id>``, when somebody listens."""

    def __init__(self, bus: LocalBus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock
        self._seen: dict[str, int] = {}

    def event(self, event: Event) -> None:
        """Publish an event that is durable."""
        if self._bus.listening:
            self._seen[event.run_id] = event.seq
            self._bus.publish(Envelope(event.seq, f"run/{event.run_id}", event.kind, event.at, event))

    def delta(self, run_id: str, path: str, attempt: int, delta: Mapping[str, Any]) -> None:
        """Publish what is not history."""
        if self._bus.listening:
            data = {"path": path, "attempt": attempt, **_well_formed(delta)}
            self._bus.publish(Envelope(self._seen.get(run_id, 0), f"run/{run_id}", DELTA, self._clock.micros(), data))


def _well_formed(value: Any) -> Any:
    """A delta in the characters in which the journal will have the whole: no protocol can carry others."""
    if isinstance(value, str):
        return value if value.isascii() else well_formed(value)
    if isinstance(value, Mapping):
        return {name: _well_formed(one) for name, one in value.items()}
    return value


class TelemetryListener:
    """Projects the events of runs and of their child runs into spans and sends them on, where the settings or else the workflow say where to.

    `above` tells the run that a run is a child of, `history` the events that a run has.
    """

    def __init__(
        self,
        settings: Telemetry,
        redactor: Redactor,
        above: Callable[[str], str | None],
        history: Callable[[str], list[Event]],
    ) -> None:
        self._settings = settings
        self._redactor = redactor
        self._above = above
        self._history = history
        self._children: dict[str, set[str]] = {}
        self._not_ours: set[str] = set()
        self._exporters: dict[tuple[str, str, float], TraceExporter] = {}
        self._projections: dict[str, Projection] = {}

    def watch(self, run_id: str, definitions: Mapping[str, Any]) -> None:
        """From now on project the run; the events that it has were told by who drove it before."""
        options = self._options(definitions)
        if options is None:
            return
        key = (options.endpoint, options.service_name, options.sample_ratio)
        exporter = self._exporters.get(key)
        if exporter is None:
            exporter = self._exporters[key] = TraceExporter(options, self._redactor)
        projection = self._projections[run_id] = Projection((exporter, RunMetrics()))
        projection.prime(self._history(run_id))

    def leave(self, run_id: str) -> None:
        """This process drives the run no more."""
        self._projections.pop(run_id, None)
        for child in self._children.pop(run_id, ()):
            self._projections.pop(child, None)
        if not self._projections:
            self._not_ours.clear()

    def event(self, event: Event) -> None:
        """Take in an event that is durable."""
        if not self._projections:
            return
        projection = self._projections.get(event.run_id) or self._adopted(event)
        if projection is not None:
            projection.on_events((event,))

    def _adopted(self, event: Event) -> Projection | None:
        """The projection of the run above, when `event` is the first that is told here of a child run of it."""
        run_id = event.run_id
        if run_id in self._not_ours:
            return None
        try:
            above = self._above(run_id)
        except WeftError:  # it is not there (any more): seeing a run must never harm it
            above = None
        projection = None if above is None else self._projections.get(above)
        if above is None or projection is None:
            self._not_ours.add(run_id)
            return None
        self._projections[run_id] = projection
        top = next((watched for watched, children in self._children.items() if above in children), above)
        self._children.setdefault(top, set()).add(run_id)
        if event.kind != "run.created":
            # It was begun before, and maybe by somebody else.
            projection.prime(one for one in self._history(run_id) if one.seq < event.seq)
        return projection

    def delta(self, run_id: str, path: str, attempt: int, delta: Mapping[str, Any]) -> None:
        """Deltas are no spans."""

    def close(self) -> None:
        """Send what is left, for at most a short while."""
        for exporter in self._exporters.values():
            exporter.close()

    def _options(self, definitions: Mapping[str, Any]) -> ExportOptions | None:
        settings = self._settings
        own = (definitions.get("telemetry") or {}).get("otel") or {}
        endpoint = settings.endpoint or own.get("endpoint")
        if endpoint is None:
            return None
        given = settings.endpoint is not None
        return ExportOptions(
            endpoint=endpoint,
            # The headers are for the endpoint of the settings; a workflow's own gets none of them.
            headers={name: value.get_secret_value() for name, value in settings.headers.items()} if given else {},
            service_name=settings.service_name if given else own.get("service_name") or settings.service_name,
            sample_ratio=settings.sample_ratio if given else own.get("sample_ratio", settings.sample_ratio),
            content=EVERYTHING if settings.include_content else NOTHING,
        )
