import json

from telemetry_journal import Journal, finished_run

from weft.telemetry.content import EVERYTHING, MAX_CHARS, Content, present
from weft.telemetry.identity import trace_id
from weft.telemetry.redact import MASK, Redactor
from weft.telemetry.spans import fold
from weft.telemetry.trace import trace_artifact


def artifact(events, **more):
    return trace_artifact(events, redactor=Redactor(), **more)


def span(trace, name):
    return next(one for one in trace["spans"] if one["name"] == name)


def test_the_artifact_has_the_form_of_the_language_with_parents():
    j = finished_run()
    trace = artifact(j.events, pattern="chain")
    assert json.loads(json.dumps(trace)) == trace
    assert trace["trace_id"] == trace_id(j.run_id)
    assert (trace["spec_name"], trace["pattern"]) == ("report", "chain")
    assert (trace["span_count"], trace["evicted_count"], len(trace["spans"])) == (6, 0, 6)
    assert trace["duration_ms"] == 12.0
    tool = span(trace, "execute_tool grep")
    assert tool["parent_id"] == span(trace, "invoke_agent writer")["span_id"]
    assert tool["status"] == {"code": "error", "message": "no such file"}
    assert tool["start_time"] == "2023-11-14T22:13:20.008000Z"
    assert tool["duration_ms"] == 1.0
    assert span(trace, "chat gemini")["events"][0]["name"] == "step.retrying"
    assert {"name", "start_time", "end_time", "duration_ms", "attributes", "events", "status"} <= tool.keys()


def test_content_is_shown_only_where_it_is_allowed():
    j = finished_run(pattern="canary-input")
    j.events[8] = Journal().add("step.completed", "/draft/writer/model[0]/tool[0]", value="tool-result")
    shown = json.dumps(artifact(j.events))
    assert "canary-input" not in shown
    assert "tool-result" in shown
    assert "model answer" not in shown
    assert "tides" not in shown
    closed = json.dumps(artifact(j.events, content=Content(tool_inputs=True)))
    assert "canary-input" in closed
    assert "tool-result" not in closed
    everything = json.dumps(artifact(j.events, content=EVERYTHING))
    assert "model answer" in everything
    assert "tides" in everything


def test_secrets_leave_the_artifact_wherever_they_stand():
    key = "sk-canary0123456789abc"
    j = Journal()
    j.add("run.created", workflow=f"w {key}", inputs={"x": key})
    j.add("step.started", "/a", type="tool", input={"tool": key, "arguments": {"password": "canary", key: key}})
    j.add("step.retrying", "/a", attempt=2, reason=key)
    j.add("step.failed", "/a", error={"code": "tool", "message": f"bad key {key}"})
    j.add("run.failed", error={"code": "tool", "message": key})
    shown = json.dumps(artifact(j.events, content=EVERYTHING))
    assert "canary" not in shown
    assert MASK in shown


def test_of_many_spans_the_nearest_to_the_root_are_kept_and_the_others_counted():
    j = Journal()
    j.add("run.created", workflow="w")
    for number in range(30):
        j.add("step.started", f"/map[{number}]/a", type="agent")
        j.add("step.completed", f"/map[{number}]/a", value=1)
    j.add("run.completed")
    trace = artifact(j.events, max_spans=40)
    assert (trace["span_count"], trace["evicted_count"], len(trace["spans"])) == (40, 21, 40)
    ids = {one["span_id"] for one in trace["spans"]}
    assert all(one["parent_id"] in ids for one in trace["spans"] if one["parent_id"])
    assert len(artifact(j.events)["spans"]) == 61


def test_a_run_that_is_still_going_has_a_trace_with_open_ends():
    trace = artifact(finished_run().events[:5])
    root = span(trace, "invoke_workflow report")
    assert (root["end_time"], root["duration_ms"], root["status"]) == (None, None, {"code": "unset"})
    assert trace["duration_ms"] == 4.0


def test_a_run_without_events_has_an_empty_trace():
    assert artifact([]) == {
        "trace_id": "",
        "spec_name": "",
        "pattern": "",
        "duration_ms": 0.0,
        "span_count": 0,
        "evicted_count": 0,
        "spans": [],
    }


def test_long_contents_are_cut_and_say_so():
    j = Journal()
    j.add("run.created", workflow="w")
    j.add("step.completed", "/a", type="tool", value="word " * 10_000)
    tool = next(one for one in fold(j.events) if one.type == "tool")
    text = present(tool, EVERYTHING, Redactor()).attributes["gen_ai.tool.call.result"]
    assert len(text) < MAX_CHARS + 40
    assert text.endswith("(50,000 characters)")
