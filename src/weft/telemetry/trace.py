"""The trace artifact: the spans of a run as one JSON document (``{{ TRACE }}``, ``$TRACE``, ``--trace``)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from weft.core.clock import to_datetime
from weft.core.event import Event
from weft.telemetry import names
from weft.telemetry.content import ARTIFACT, Content, present
from weft.telemetry.redact import Redactor
from weft.telemetry.spans import Mark, Span, fold

MAX_SPANS = 1_000


def trace_artifact(
    events: Iterable[Event],
    *,
    redactor: Redactor,
    pattern: str = "",
    content: Content = ARTIFACT,
    max_spans: int = MAX_SPANS,
) -> dict[str, Any]:
    """The trace of one run, also of one that is still going: open spans have no `end_time` and no `duration_ms`.

    Of more than `max_spans` spans the ones nearest to the root are kept, so that every kept span has its parent, and
    ``evicted_count`` says how many are not shown. Times are ISO 8601 in UTC with microseconds.

    Args:
        events: The run's journal, oldest first, from its beginning.
        redactor: Takes secrets out of everything that is shown.
        pattern: The workflow's pattern, as authored.
        content: Which contents are shown at all.
        max_spans: The most spans to show.
    """
    journal = list(events)
    spans = fold(journal)
    kept = _nearest(spans, max_spans)
    root = next((one for one in spans if one.type == "run"), None)
    started = min((one.start for one in spans), default=0)
    ended = root.end if root is not None and root.end is not None else journal[-1].at if journal else 0
    return {
        "trace_id": spans[0].trace_id if spans else "",
        "spec_name": redactor.text(str(root.attributes[names.WORKFLOW])) if root is not None else "",
        "pattern": pattern,
        "duration_ms": _millis(started, ended),
        "span_count": len(kept),
        "evicted_count": len(spans) - len(kept),
        "spans": [_as_json(present(one, content, redactor)) for one in kept],
    }


def _nearest(spans: list[Span], limit: int) -> list[Span]:
    if len(spans) <= limit:
        return spans
    parents = {one.span_id: one.parent_id for one in spans}

    def depth(span: Span) -> int:
        found, above = 0, span.parent_id
        while above is not None:
            found, above = found + 1, parents.get(above)
        return found

    nearest = sorted(spans, key=lambda one: (depth(one), one.start, one.path))[: max(limit, 0)]
    return sorted(nearest, key=lambda one: (one.start, one.path))


def _as_json(span: Span) -> dict[str, Any]:
    return {
        "name": span.name,
        "span_id": span.span_id,
        "parent_id": span.parent_id,
        "start_time": _time(span.start),
        "end_time": None if span.end is None else _time(span.end),
        "duration_ms": None if span.end is None else _millis(span.start, span.end),
        "status": {"code": span.status, "message": span.message} if span.message else {"code": span.status},
        "attributes": {
            key: list(value) if isinstance(value, tuple) else value for key, value in span.attributes.items()
        },
        "events": [_mark_as_json(mark) for mark in span.marks],
    }


def _mark_as_json(mark: Mark) -> dict[str, Any]:
    return {"name": mark.name, "time": _time(mark.at), "attributes": dict(mark.attributes)}


def _time(micros: int) -> str:
    return to_datetime(micros).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _millis(start: int, end: int) -> float:
    return round((end - start) / 1_000, 3)
