"""Sending spans to an OpenTelemetry receiver while runs go on.

Spans are queued on the caller's thread and made ready, redacted and sent on another; the SDK is imported there, when the
first span comes. A receiver that fails is named in one warning, then left alone for a while; no run waits for it.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from weft.telemetry import names
from weft.telemetry.batch import BatchWorker
from weft.telemetry.content import NOTHING, Content, present
from weft.telemetry.identity import is_sampled
from weft.telemetry.redact import Redactor
from weft.telemetry.spans import Span

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter

_LOG = logging.getLogger("weft.telemetry")
_OTLP_LOGGER = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
_OTLP_TIMEOUT_S = 5.0
_PAUSE_S = 30.0
_ABORT_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """Where spans go and what they carry.

    `endpoint` is an OTLP/HTTP address (``/v1/traces`` is added when it is missing) or ``console`` for standard error.
    `headers` may hold secrets. `sample_ratio` is the share of runs that are sent, 0 to 1.
    """

    endpoint: str
    headers: Mapping[str, str] = field(default_factory=dict)
    service_name: str = "weft"
    sample_ratio: float = 1.0
    content: Content = NOTHING


class TraceExporter:
    """A sink for finished spans that sends them on. Give it to a `Projection`, and close it before the process ends."""

    def __init__(
        self,
        options: ExportOptions,
        redactor: Redactor,
        *,
        exporter: Callable[[], SpanExporter] | None = None,
        delay_s: float = 1.0,
    ) -> None:
        """See the class.

        Args:
            options: Where to and what.
            redactor: Takes secrets out of everything that is sent.
            exporter: Makes the SDK's exporter, called once on the sending thread; by default the one for the endpoint.
            delay_s: How long a span may wait for others to travel with, in seconds.
        """
        self._options = options
        self._redactor = redactor
        self._make = exporter or self._from_endpoint
        self._exporter: SpanExporter | None = None
        self._resource: Any = None
        self._reason = _Reason()
        self._has_warned = False
        self._paused_until = 0.0
        self._lost = 0
        self._worker = BatchWorker(self._send, delay_s=delay_s)

    def __call__(self, span: Span) -> None:
        """Queue `span` if its trace is sampled."""
        if is_sampled(span.trace_id, self._options.sample_ratio):
            self._worker.put(span)

    def close(self, timeout_s: float = 2.0) -> None:
        """Send what is queued, waiting at most about `timeout_s` seconds; then give up and say so."""
        is_done = self._worker.close(timeout_s)
        if self._exporter is not None:
            self._exporter.shutdown()  # also ends a wait between two tries
        if is_done or self._worker.close(_ABORT_S):
            logging.getLogger(_OTLP_LOGGER).removeFilter(self._reason)
        lost = self._lost + self._worker.dropped
        if not is_done:
            self._warn(f"it did not answer within {timeout_s:g} s")
        elif lost:
            _LOG.info("%d spans were not sent", lost)

    def _send(self, spans: list[Span]) -> None:
        if time.monotonic() < self._paused_until:
            self._lost += len(spans)
            return
        try:
            if self._exporter is None:
                self._exporter = self._make()
            ready = [self._ready(present(span, self._options.content, self._redactor)) for span in spans]
            is_sent = self._exporter.export(ready).name == "SUCCESS"
            reason = self._reason.last
        except ImportError:
            is_sent, reason = False, "the package for it is not installed: pip install 'weft[otlp]'"
        except Exception as error:  # noqa: BLE001 -- whatever a far end does, a run goes on
            is_sent, reason = False, f"{type(error).__name__}: {error}"
        if not is_sent:
            self._lost += len(spans)
            self._paused_until = time.monotonic() + _PAUSE_S
            self._warn(reason)

    def _warn(self, reason: str) -> None:
        if self._has_warned:
            return
        self._has_warned = True
        where = urlsplit(self._options.endpoint).netloc.rpartition("@")[2] or self._options.endpoint
        hint = " 4317 is the port of OTLP/gRPC; OTLP/HTTP is usually on 4318." if where.endswith(":4317") else ""
        _LOG.warning("traces do not reach %s: %s. Runs go on without.%s", where, self._redactor.text(reason), hint)

    def _ready(self, span: Span) -> ReadableSpan:
        if self._resource is None:
            from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 -- 100 ms, only when something is sent

            self._resource = Resource.create({"service.name": self._options.service_name})
        return _readable(span, self._resource)

    def _from_endpoint(self) -> SpanExporter:
        if self._options.endpoint == "console":
            from opentelemetry.sdk.trace.export import ConsoleSpanExporter  # noqa: PLC0415 -- same

            return ConsoleSpanExporter(out=sys.stderr, formatter=lambda one: f"{one.to_json(indent=None)}\n")
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 -- same, and an extra
            OTLPSpanExporter,
        )

        logging.getLogger(_OTLP_LOGGER).addFilter(self._reason)
        return OTLPSpanExporter(
            endpoint=_traces_address(self._options.endpoint),
            headers=dict(self._options.headers),
            timeout=_OTLP_TIMEOUT_S,
        )


class _Reason(logging.Filter):
    """Keeps the exporter's own last complaint for our one warning, in place of a line for each try."""

    last = "it refused"

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if "max retries" not in message:
            self.last = message.partition(", retrying")[0][:300]
        return False


def _traces_address(endpoint: str) -> str:
    endpoint = endpoint.rstrip("/")
    return endpoint if endpoint.endswith("/v1/traces") else f"{endpoint}/v1/traces"


def _readable(span: Span, resource: Any) -> ReadableSpan:
    from opentelemetry.sdk.trace import Event, ReadableSpan  # noqa: PLC0415 -- 100 ms, only when something is sent
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope  # noqa: PLC0415 -- same
    from opentelemetry.trace import SpanContext, SpanKind, TraceFlags  # noqa: PLC0415 -- same
    from opentelemetry.trace.status import Status, StatusCode  # noqa: PLC0415 -- same

    def context(span_id: str) -> SpanContext:
        flags = TraceFlags(TraceFlags.SAMPLED)
        return SpanContext(int(span.trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=flags)

    is_error = span.status == "error"
    return ReadableSpan(
        name=span.name,
        context=context(span.span_id),
        parent=context(span.parent_id) if span.parent_id else None,
        resource=resource,
        attributes=dict(span.attributes),
        events=[Event(mark.name, dict(mark.attributes), mark.at * 1_000) for mark in span.marks],
        kind=SpanKind.CLIENT if span.type == "model" else SpanKind.INTERNAL,
        instrumentation_scope=InstrumentationScope(names.SCOPE, schema_url=names.SCHEMA_URL),
        status=Status(StatusCode.ERROR, span.message) if is_error else Status(StatusCode.UNSET),
        start_time=span.start * 1_000,
        end_time=(span.end if span.end is not None else span.start) * 1_000,
    )
