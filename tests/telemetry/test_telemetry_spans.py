import pytest
from hypothesis import given
from hypothesis import strategies as st
from telemetry_journal import RUN, Journal, finished_run

from weft.telemetry import names
from weft.telemetry.identity import is_sampled, last_segment, parent_path, span_id, trace_id
from weft.telemetry.spans import SpanFold, fold


def by_path(events):
    return {one.path: one for one in fold(events)}


def test_each_step_and_each_node_above_one_is_a_span_with_its_parent():
    spans = by_path(finished_run().events)
    parents = {path: one.parent_id for path, one in spans.items()}
    assert parents == {
        "": None,
        "/draft": spans[""].span_id,
        "/draft/now": spans["/draft"].span_id,
        "/draft/writer": spans["/draft"].span_id,
        "/draft/writer/model[0]": spans["/draft/writer"].span_id,
        # asked for by the model, but made by the agent
        "/draft/writer/model[0]/tool[0]": spans["/draft/writer"].span_id,
    }


def test_ids_follow_from_the_run_and_the_path_alone():
    one, again = by_path(finished_run().events), by_path(finished_run().events)
    other = by_path(finished_run("another-run").events)
    for path, span in one.items():
        assert span.span_id == again[path].span_id == span_id(RUN, path)
        assert span.trace_id == trace_id(RUN)
        assert (len(span.trace_id), len(span.span_id)) == (32, 16)
        assert span.span_id != other[path].span_id
        assert span.trace_id != other[path].trace_id


def test_spans_carry_the_genai_names():
    spans = by_path(finished_run().events)
    run, agent = spans[""], spans["/draft/writer"]
    model, tool = spans["/draft/writer/model[0]"], spans["/draft/writer/model[0]/tool[0]"]
    assert [run.name, agent.name, model.name, tool.name] == [
        "invoke_workflow report",
        "invoke_agent writer",
        "chat gemini",
        "execute_tool grep",
    ]
    assert agent.attributes["gen_ai.operation.name"] == "invoke_agent"
    assert agent.attributes["gen_ai.agent.name"] == "writer"
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "gcp.gemini",
        "gen_ai.request.model": "gemini",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.response.model": "gemini-2",
        "gen_ai.response.id": "r1",
        "gen_ai.response.finish_reasons": ("tool_call",),
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 4,
        names.COST: 0.25,
        names.STEP_ATTEMPTS: 2,
    }
    assert expected.items() <= model.attributes.items()
    assert tool.attributes["gen_ai.tool.name"] == "grep"
    assert tool.attributes["gen_ai.tool.call.id"] == "c1"
    assert run.attributes[names.STATUS] == "completed"


def test_tokens_of_a_request_are_counted_on_one_span_only():
    spans = fold(finished_run().events)
    assert sum(one.attributes.get("gen_ai.usage.input_tokens", 0) for one in spans) == 10
    assert sum(one.attributes.get(names.COST, 0) for one in spans) == 0.25


def test_an_unpriced_request_shows_no_cost():
    j = Journal()
    j.add(
        "step.completed", "/model[0]", type="model", value={}, usage={"requests": 1, "input_tokens": 3, "unpriced": 1}
    )
    assert names.COST not in by_path(j.events)["/model[0]"].attributes


def test_times_status_and_marks_come_from_the_events():
    j = finished_run()
    spans = by_path(j.events)
    model, tool, node = spans["/draft/writer/model[0]"], spans["/draft/writer/model[0]/tool[0]"], spans["/draft"]
    assert (model.start, model.end) == (j.events[4].at, j.events[6].at)
    assert (node.start, node.end) == (j.events[2].at, j.events[10].at)
    assert spans["/draft/now"].start == spans["/draft/now"].end
    assert (model.status, tool.status, tool.message) == ("ok", "error", "no such file")
    assert tool.attributes["error.type"] == "tool"
    (mark,) = model.marks
    assert (mark.name, mark.attributes) == ("step.retrying", {"attempt": 2, "error.type": "rate-limited"})
    assert [m.name for m in spans[""].marks] == ["run.started", "budget.warning"]


def test_a_parent_ends_after_its_children_and_a_node_ends_with_its_last():
    j = Journal()
    j.add("run.created", workflow="w")
    last = None
    for key in ("a", "b"):
        j.add("step.started", f"/map[{key}]/call", type="agent")
        last = j.add("step.completed", f"/map[{key}]/call", value=1)
    end = j.add("run.completed")
    spans = by_path(j.events)
    assert spans["/map[b]"].end == last.at
    assert spans[""].end == end.at


def test_what_was_cut_off_is_marked_and_what_is_open_has_no_end():
    j = Journal()
    j.add("run.created", workflow="w")
    j.add("step.started", "/a", type="agent")
    assert by_path(j.events)["/a"].end is None
    j.add("run.cancelled")
    span = by_path(j.events)["/a"]
    assert span.attributes[names.STEP_UNFINISHED] is True
    assert span.status == "unset"


def test_a_step_taken_up_again_after_a_crash_keeps_its_beginning():
    j = Journal()
    j.add("run.created", workflow="w")
    first = j.add("step.started", "/a", type="tool", attempt=1, input={"tool": "t"})
    j.add("run.started", epoch=2)
    j.add("step.started", "/a", type="tool", attempt=1, input={"tool": "t"})
    j.add("step.completed", "/a", value=1)
    span = by_path(j.events)["/a"]
    assert span.start == first.at
    assert [m.name for m in span.marks] == ["step.started"]


def test_a_reopened_run_is_one_span_that_keeps_its_name_and_start():
    j = Journal()
    created = j.add("run.created", workflow="w")
    j.add("step.started", "/a", type="agent")
    j.add("step.failed", "/a", error={"code": "provider", "message": "no"})
    j.add("run.failed", error={"code": "provider", "message": "no"})
    j.add("run.reopened", epoch=2)
    j.add("step.started", "/a", type="agent")
    j.add("step.completed", "/a", value=1)
    j.add("run.completed")
    spans = fold(j.events)
    assert [one.path for one in spans] == ["", "/a"]
    assert (spans[0].start, spans[0].name, spans[0].status) == (created.at, "invoke_workflow w", "ok")
    assert spans[1].status == "ok"


def test_unknown_kinds_are_carried_as_marks_without_their_data():
    j = Journal()
    j.add("run.created", workflow="w")
    j.add("step.started", "/a", type="agent")
    j.add("step.dreamt", "/a", secret="x")
    (mark,) = by_path(j.events)["/a"].marks
    assert (mark.name, mark.attributes) == ("step.dreamt", {})


def test_a_step_below_one_that_has_ended_is_told_once_and_ended_with_the_run():
    j = Journal()
    j.add("run.created", workflow="w")
    j.add("step.started", "/a", type="agent")
    j.add("step.completed", "/a", value=1)
    j.add("step.started", "/a/late", type="tool")
    j.add("run.completed")
    folding = SpanFold(RUN)
    ended = [one.path for event in j.events for one in folding.feed(event)]
    assert ended == ["/a", "/a/late", ""]
    assert folding.open_spans() == []


def test_a_long_run_holds_only_what_is_open():
    j = Journal()
    folding = SpanFold(RUN)
    folding.feed(j.add("run.created", workflow="w"))
    for number in range(2_000):
        folding.feed(j.add("step.started", f"/loop[{number}]/a", type="agent"))
        folding.feed(j.add("step.completed", f"/loop[{number}]/a", value=1))
        folding.feed(j.add("node.completed", f"/loop[{number}]"))
        assert len(folding.open_spans()) == 1


@pytest.mark.parametrize(
    ("path", "parent", "name"),
    [
        ("/a", "", "a"),
        ("/a/b", "/a", "b"),
        ("/r/map[a/b]", "/r", "map[a/b]"),
        ("/r/map[a/b]/c", "/r/map[a/b]", "c"),
        ("/r/map[x[1]/y]/c", "/r/map[x[1]/y]", "c"),
        ("/r/map[x[1]/y]", "/r", "map[x[1]/y]"),
        ("/w/model[2]/tool[0]", "/w", "tool[0]"),
        ("/w/model[2]/count", "/w/model[2]", "count"),
        ("/r/map[acme]/tool[search#1]", "/r/map[acme]", "tool[search#1]"),
        ("/r/map[a]]/b", "/r/map[a]]", "b"),
    ],
)
def test_the_parent_of_a_path_is_what_stands_above_its_last_name(path, parent, name):
    assert parent_path(path) == parent
    assert last_segment(path) == name


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=6), st.text(max_size=8))
def test_going_up_from_any_path_reaches_the_run(parts, odd):
    path = "".join(f"/{name}[{odd}]" if keyed else f"/{name}" for name, keyed in parts) + f"/{odd}"
    for _ in range(len(path) + 1):
        if not path:
            break
        above = parent_path(path)
        assert len(above) < len(path)
        path = above
    assert path == ""


KINDS = [
    "step.started",
    "step.completed",
    "step.failed",
    "step.retrying",
    "node.completed",
    "run.started",
    "budget.warning",
]
PATHS = ["/a", "/a/b", "/a/model[0]", "/a/model[0]/tool[0]", "/m[x/y]/c", "/m[x/y]"]


@given(st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from(PATHS)), max_size=40))
def test_any_journal_gives_one_tree_with_every_parent_in_it(acts):
    j = Journal()
    j.add("run.created", workflow="w")
    for kind, path in acts:
        j.add(kind, "" if kind == "run.started" else path, type="agent", error={"code": "tool"})
    j.add("run.completed")
    spans = fold(j.events)
    ids = {one.span_id: one for one in spans}
    assert len(ids) == len(spans)
    for one in spans:
        assert one.end is not None
        assert one.end >= one.start
        assert one.parent_id is None if one.type == "run" else one.parent_id in ids


def test_the_share_of_sampled_traces_is_the_one_asked_for():
    traces = [trace_id(f"run-{number}") for number in range(2_000)]
    assert all(is_sampled(one, 1.0) for one in traces)
    assert not any(is_sampled(one, 0.0) for one in traces)
    assert 0.2 < sum(is_sampled(one, 0.25) for one in traces) / 2_000 < 0.3


def test_the_genai_names_are_those_of_the_installed_conventions():
    from opentelemetry.semconv._incubating.attributes import error_attributes, gen_ai_attributes
    from opentelemetry.semconv._incubating.metrics import gen_ai_metrics

    known = {value for value in vars(gen_ai_attributes).values() if isinstance(value, str)}
    known |= {value for value in vars(gen_ai_metrics).values() if isinstance(value, str)}
    known |= {member.value for member in gen_ai_attributes.GenAiProviderNameValues}
    known |= {member.value for member in gen_ai_attributes.GenAiOperationNameValues}
    known.add(error_attributes.ERROR_TYPE)
    ours = {value for key, value in vars(names).items() if key.isupper() and isinstance(value, str)}
    ours = {one for one in ours if not one.startswith(("weft", "https:"))} | set(names.PROVIDERS.values())
    assert ours <= known
