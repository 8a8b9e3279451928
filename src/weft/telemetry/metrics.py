"""Counters and histograms from the same spans as the traces, through whatever meter provider the process has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.telemetry import names
from weft.telemetry.describe import Attributes
from weft.telemetry.spans import Span

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter

_SECOND = 1_000_000
_FROM_REQUEST = (names.OPERATION, names.PROVIDER, names.REQUEST_MODEL)


def count_lost_entries(count: int) -> None:
    """Count entries of the audit log that could not be written, through the meter provider that the process has."""
    from opentelemetry.metrics import get_meter  # noqa: PLC0415 -- only when there is something to count

    get_meter(names.SCOPE).create_counter(names.METRIC_AUDIT_LOST, "{entry}", "Lost audit entries").add(count)


class RunMetrics:
    """A sink for finished spans that counts runs, steps, retries, tokens, money and time.

    Labels are the workflow's name, a status, a type of step, a provider and a model: never a run or a path. Money counts
    only requests with a known price.
    """

    def __init__(self, meter: Meter | None = None) -> None:
        """See the class; `meter` is the global provider's by default, which counts nothing until one is installed."""
        if meter is None:
            from opentelemetry.metrics import get_meter  # noqa: PLC0415 -- only when metrics are wanted

            meter = get_meter(names.SCOPE)
        self._runs = meter.create_counter(names.METRIC_RUNS, "{run}", "Runs that ended")
        self._run_time = meter.create_histogram(names.METRIC_RUN_DURATION, "s", "Time from creation to end of a run")
        self._steps = meter.create_counter(names.METRIC_STEPS, "{step}", "Steps that ended")
        self._retries = meter.create_counter(names.METRIC_RETRIES, "{retry}", "Tries after the first")
        self._tokens = meter.create_histogram(names.METRIC_TOKENS, "{token}", "Tokens of one model request")
        self._time = meter.create_histogram(names.METRIC_DURATION, "s", "Time of one agent, model or tool call")
        self._cost = meter.create_counter(names.METRIC_COST, "USD", "Money spent on model requests")

    def __call__(self, span: Span) -> None:
        """Count `span`."""
        if span.type == "node":
            return
        seconds = ((span.end if span.end is not None else span.start) - span.start) / _SECOND
        if span.type == "run":
            ended: Attributes = {
                names.WORKFLOW: span.attributes[names.WORKFLOW],
                "status": span.attributes.get(names.STATUS, "unknown"),
            }
            self._runs.add(1, ended)
            self._run_time.record(seconds, ended)
            return
        self._steps.add(1, {"type": span.type, "status": span.status})
        if retries := sum(mark.name == "step.retrying" for mark in span.marks):
            self._retries.add(retries, {"type": span.type})
        labels: Attributes = {key: span.attributes[key] for key in _FROM_REQUEST if key in span.attributes}
        if names.ERROR_TYPE in span.attributes:
            labels[names.ERROR_TYPE] = span.attributes[names.ERROR_TYPE]
        if names.OPERATION in labels:
            self._time.record(seconds, labels)
        if span.type == "model":
            self._count_use(span, labels)

    def _count_use(self, span: Span, labels: Attributes) -> None:
        for key, kind in ((names.INPUT_TOKENS, "input"), (names.OUTPUT_TOKENS, "output")):
            tokens = span.attributes.get(key)
            if isinstance(tokens, int):
                self._tokens.record(tokens, {**labels, names.TOKEN_TYPE: kind})
        cost = span.attributes.get(names.COST)
        if isinstance(cost, float):
            self._cost.add(cost, labels)
