import io
import logging
import socket
import subprocess
import sys
import threading
import time
from contextlib import redirect_stderr

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from telemetry_journal import Journal, finished_run
from tests.otlp_receiver import receiver, sent
from tests.waiting import promised, until

from weft.telemetry.content import EVERYTHING
from weft.telemetry.export import ExportOptions, TraceExporter
from weft.telemetry.identity import is_sampled, span_id, trace_id
from weft.telemetry.projection import Projection
from weft.telemetry.redact import Redactor


def export(options, events, redactor=None, close=5.0, **more):
    exporter = TraceExporter(options, redactor or Redactor(), **more)
    Projection([exporter]).on_events(events)
    exporter.close(close)


def in_memory(events, *, sample_ratio=1.0):
    memory = InMemorySpanExporter()
    export(ExportOptions(endpoint="memory", sample_ratio=sample_ratio), events, exporter=lambda: memory)
    return memory.get_finished_spans()


def test_exported_spans_have_the_ids_and_parents_of_the_journal():
    j = finished_run()
    spans = {one.attributes.get("weft.step.path", ""): one for one in in_memory(j.events)}
    assert len(spans) == 6
    for path, one in spans.items():
        assert f"{one.context.trace_id:032x}" == trace_id(j.run_id)
        assert f"{one.context.span_id:016x}" == span_id(j.run_id, path)
    tool = spans["/draft/writer/model[0]/tool[0]"]
    assert tool.parent.span_id == spans["/draft/writer"].context.span_id
    assert spans[""].parent is None
    assert (tool.status.status_code, tool.status.description) == (StatusCode.ERROR, "no such file")
    assert spans["/draft/writer"].status.status_code is StatusCode.UNSET
    assert spans["/draft/writer/model[0]"].kind is SpanKind.CLIENT
    assert (tool.start_time, tool.end_time) == (j.events[7].at * 1_000, j.events[8].at * 1_000)
    assert spans[""].resource.attributes["service.name"] == "weft"


def test_only_the_sampled_share_of_runs_is_sent_and_each_of_them_whole():
    runs = [f"run-{number}" for number in range(20)]
    events = [event for run in runs for event in finished_run(run).events]
    counts = {}
    for one in in_memory(events, sample_ratio=0.5):
        counts[one.attributes["weft.run.id"]] = counts.get(one.attributes["weft.run.id"], 0) + 1
    assert counts == {run: 6 for run in runs if is_sampled(trace_id(run), 0.5)}
    assert 0 < len(counts) < 20


def test_a_run_taken_over_is_told_from_there_on_with_its_real_beginning():
    j = finished_run()
    memory = InMemorySpanExporter()
    exporter = TraceExporter(ExportOptions(endpoint="memory"), Redactor(), exporter=lambda: memory)
    projection = Projection([exporter])
    projection.prime(j.events[:6])
    projection.on_events(j.events[6:])
    exporter.close()
    spans = {one.name: one for one in memory.get_finished_spans()}
    assert "now" not in spans  # the process before has told it
    assert spans["chat gemini"].start_time == j.events[4].at * 1_000
    assert spans["invoke_workflow report"].start_time == j.events[0].at * 1_000


def test_a_real_receiver_gets_every_span_over_http():
    with receiver() as (address, got):
        options = ExportOptions(endpoint=address, headers={"authorization": "Basic abc"}, service_name="shop")
        export(options, finished_run().events)
    assert {path for path, _, _ in got} == {"/v1/traces"}
    headers = {key.lower(): value for key, value in got[0][1].items()}
    assert headers["authorization"] == "Basic abc"
    assert {one.name for one in sent(got)} >= {
        "invoke_workflow report",
        "invoke_agent writer",
        "chat gemini",
        "execute_tool grep",
    }
    resource = {a.key: a.value.string_value for a in got[0][2].resource_spans[0].resource.attributes}
    assert resource["service.name"] == "shop"


def test_no_content_is_sent_unless_asked_for_and_never_a_secret():
    events = finished_run(pattern="canary-input", password="canary-password").events
    with receiver() as (address, got):
        export(ExportOptions(endpoint=address), events)
    assert b"canary" not in got[0][2].SerializeToString()
    assert b"tides" not in got[0][2].SerializeToString()
    with receiver() as (address, got):
        export(ExportOptions(endpoint=address, content=EVERYTHING), events, Redactor(["model answer"]))
    body = got[0][2].SerializeToString()
    assert b"canary-input" in body
    assert b"canary-password" not in body
    assert b"model answer" not in body
    assert b"tides" in body


@pytest.fixture
def warnings(caplog):
    caplog.set_level(logging.WARNING)
    return lambda: [r.getMessage() for r in caplog.records]


@pytest.fixture
def dead_port():
    """A port that is held, and on which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.mark.slow
def test_a_dead_endpoint_warns_once_and_harms_nobody(warnings, dead_port):
    address = f"http://user:canary@127.0.0.1:{dead_port}"
    exporter = TraceExporter(ExportOptions(endpoint=address), Redactor(), delay_s=0.01)
    projection = Projection([exporter])
    start = time.monotonic()
    for number in range(50):
        projection.on_events(finished_run(f"run-{number}").events)
    assert time.monotonic() - start < promised(1)
    until(warnings)
    exporter.close(0.5)
    (message,) = warnings()
    assert "traces do not reach 127.0.0.1" in message
    assert "Runs go on" in message
    assert "canary" not in message


def test_a_receiver_that_refuses_is_named_with_its_answer(warnings):
    with receiver(status=403) as (address, _got):
        export(ExportOptions(endpoint=address), finished_run().events)
    (message,) = warnings()
    assert "403" in message


@pytest.mark.slow
def test_a_receiver_that_hangs_delays_the_end_only_by_the_limit(warnings):
    with receiver(delay=6) as (address, _got):
        start = time.monotonic()
        export(ExportOptions(endpoint=address), finished_run().events, close=0.3)
        assert time.monotonic() - start < 5
    assert len(warnings()) == 1


def test_the_port_of_grpc_gets_a_hint(warnings):
    def refuse():
        raise ConnectionError("no")

    export(ExportOptions(endpoint="http://127.0.0.1:4317"), finished_run().events, exporter=refuse)
    assert "4318" in warnings()[0]


def test_without_the_extra_the_warning_says_what_to_install(warnings):
    def missing():
        raise ImportError("opentelemetry.exporter")

    export(ExportOptions(endpoint="http://127.0.0.1:4318"), finished_run().events, exporter=missing)
    assert "pip install 'weft[otlp]'" in warnings()[0]


@pytest.mark.slow
def test_more_spans_than_the_queue_holds_are_dropped_not_kept():
    release = threading.Event()

    class Slow(InMemorySpanExporter):
        def export(self, spans):
            release.wait(60)
            return super().export(spans)

    memory = Slow()
    exporter = TraceExporter(ExportOptions(endpoint="memory"), Redactor(), exporter=lambda: memory, delay_s=0.01)
    projection = Projection([exporter])
    j = Journal()
    j.add("run.created", workflow="w")
    for number in range(12_000):
        j.add("step.completed", f"/s[{number}]", type="tool", value=1)
    projection.on_events(j.events)
    release.set()
    exporter.close(60)
    assert 8_000 < len(memory.get_finished_spans()) < 12_000


def test_the_console_is_standard_error_one_object_a_line():
    text = io.StringIO()
    with redirect_stderr(text):
        export(ExportOptions(endpoint="console"), finished_run().events)
    assert len(text.getvalue().splitlines()) == 6


def test_a_broken_sink_or_event_never_reaches_the_run(warnings):
    def broken(span):
        raise RuntimeError("boom")

    projection = Projection([broken])
    projection.on_events(finished_run().events)
    projection.on_events(finished_run("other").events)
    assert len(warnings()) == 1


def test_the_sdk_is_imported_only_when_something_is_sent():
    code = (
        "import sys, weft.telemetry.export as e, weft.telemetry.redact as r\n"
        "import weft.telemetry.trace, weft.telemetry.metrics, weft.telemetry.logs\n"
        "e.TraceExporter(e.ExportOptions(endpoint='console'), r.Redactor()).close()\n"
        "bad = [m for m in sys.modules if m.startswith(('opentelemetry', 'pydantic', 'requests'))]\n"
        "assert not bad, bad\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": "src"}, timeout=60)
