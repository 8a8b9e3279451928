"""What people do on an ordinary day: run a file, look at what happened, run it again, change its inputs, share an agent."""

import json

import pytest

from tests.journeys.conftest import flow
from weft.testing.providers import FakeProvider, Script, call, fail, say

pytestmark = pytest.mark.slow

TEAM = """\
inputs: {required: {topic: string}}
tools: {python: [calculator]}
agents:
  scout: {prompt: You look around.}
  writer: {prompt: You write., tools: []}
pattern:
  type: parallel
  config:
    branches:
      - {id: left, steps: [{agent: scout, input: 'Left of {{ topic }}?'}]}
      - {id: right, steps: [{agent: scout, input: 'Right of {{ topic }}?'}]}
    reduce: {agent: writer, input: 'Write of {{ branches.left.response }} and {{ branches.right.response }}'}
outputs: {artifacts: [{path: '{{ topic }}.md', from: '{{ last_response }}'}, {path: trace.json, from: $TRACE}]}
"""


def team(request):
    """A scout that calculates once, and a writer."""
    if "You write." in request.text:
        return say("the report", input_tokens=200, output_tokens=30)
    if request.body["messages"][-1]["role"] == "tool":
        return say(f"saw {request.prompt}", input_tokens=100, output_tokens=10)
    return call("calculator", {"expression": "2 + 3"}, input_tokens=100, output_tokens=10)


def test_run_show_events_and_trace_tell_one_story(desk):
    desk.write("flow.yaml", flow(TEAM))
    with FakeProvider("openai", team) as fake:
        desk.reach(fake)
        said = desk("run", "flow.yaml", "--var", "topic=harbour", "--trace")
        assert len(fake.requests) == 5
    assert (said.code, said.out) == (0, "the report\n"), said.all
    assert "670 tokens, $0.0001" in said.all
    assert desk.read("artifacts/harbour.md") == "the report"
    page = desk("show", "last").out
    for word in ("branch", "left", "right", "calculator", "gpt-4o-mini", "harbour.md", "670 tokens"):
        assert word in page
    events = desk("events", "last", "--json").json
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert (events[0]["kind"], events[-1]["kind"]) == ("run.created", "run.completed")
    for file in ("artifacts/trace.json", "artifacts/journey-trace.json"):
        spans = {span["span_id"]: span for span in json.loads(desk.read(file))["spans"]}
        roots = [span for span in spans.values() if not span.get("parent_id")]
        assert len(roots) == 1, file
        assert all(span["parent_id"] in spans for span in spans.values() if span not in roots)
        models = [span for span in spans.values() if span["name"].startswith("chat")]
        assert len(models) == 5
        assert all("agent" in spans[span["parent_id"]]["name"] for span in models)
    assert desk("verify", "last").code == 0
    assert desk("why", "last").code in {0, 17}
    (run,) = desk("runs", "list", "--json").json["runs"]
    assert (run["workflow"], run["status"]) == ("journey", "completed")


@pytest.mark.parametrize(
    ("budget", "requests", "says"),
    [
        ("max_tokens: 250", 3, "max_tokens is 250"),
        ("max_cost_usd: 0.00004", 3, "max_cost_usd is 0.00004"),
        ("max_steps: 2", 2, "max_steps is 2"),
        ("max_duration_s: 5", 1, "max_duration_s is 5"),
    ],
)
def test_a_budget_stops_the_run_with_20_before_the_next_request(desk, budget, requests, says):
    body = """\
agents: {one: {prompt: p}}
pattern: {type: chain, config: {steps: [{agent: one, input: a}, {agent: one, input: b}, {agent: one, input: c}, {agent: one, input: d}]}}
"""
    desk.write("flow.yaml", flow(f"  budgets: {{{budget}}}\n{body}"))
    pause = 30 if "duration" in budget else 0
    with FakeProvider("openai", say("yes", input_tokens=90, output_tokens=10, delay_s=pause)) as fake:
        desk.reach(fake)
        said = desk("run", "flow.yaml", within=28)
        assert len(fake.requests) == requests
        assert (said.code, said.out) == (20, "")
        assert says in said.all
        assert "fix: raise max_" in said.all
        assert desk("run", "flow.yaml", "--json").json["error"]["code"] == "budget"
    if pause == 0:
        assert "warning" in said.err, "at 80 %"


FORM = """\
agents: {clerk: {prompt: You fill in forms., output_schema: {type: object, properties: {age: {type: integer, minimum: 0}}, required: [age], additionalProperties: false}}}
pattern: {type: chain, config: {steps: [{agent: clerk, input: How old?}]}}
outputs: {artifacts: [{path: age.txt, from: '{{ last_response.age + 1 }}'}]}
"""


@pytest.mark.parametrize("wrong", [1, 3])
def test_an_answer_of_the_wrong_shape_is_sent_back_with_what_is_wrong(desk, wrong):
    desk.write("flow.yaml", flow(FORM))
    bad = [call("final_result", {"age": -number}) for number in range(1, wrong + 1)]
    with FakeProvider("openai", Script(*bad, call("final_result", {"age": 41}), strict=True)) as fake:
        desk.reach(fake)
        said = desk("run", "flow.yaml")
        assert "less than the minimum" in fake.requests[1].text
    assert (said.code, said.out) == (0, '{"age":41}\n'), said.all
    assert desk.read("artifacts/age.txt") == "42"


def test_an_agent_that_never_gets_the_shape_right_is_stopped_after_three_corrections(desk):
    desk.write("flow.yaml", flow(FORM))
    with FakeProvider("openai", call("final_result", {"age": "old"})) as fake:
        desk.reach(fake)
        said = desk("run", "flow.yaml")
        assert len(fake.requests) == 4
    assert said.code == 10
    assert "agent 'clerk' got no usable answer from openai/gpt-4o-mini" in said.all
    assert "'old' is not of type 'integer'" in said.all
    assert "--reasoning" in said.err
    assert "old" in desk("show", "last", "--reasoning").out


def test_an_agent_and_its_schema_may_live_in_files_of_their_own(desk):
    desk.write("weft.toml", "")
    desk.write(
        "agents/editor.yaml",
        flow(
            "agents: {editor: {prompt: 'You edit {{ name }}.', output_schema: shapes/text.json}}\npattern: {type: chain, config: {steps: [{agent: editor}]}}\n"
        ),
    )
    desk.write(
        "agents/shapes/text.json",
        '{"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}',
    )
    desk.write(
        "flows/flow.yaml",
        flow(
            "agents: {ed: {$ref: ../agents/editor.yaml, inference: {temperature: 0.5}}}\npattern: {type: chain, config: {steps: [{agent: ed, input: go}]}}\n"
        ),
    )
    with FakeProvider("openai", call("final_result", {"text": "done"})) as fake:
        desk.reach(fake)
        said = desk("run", "flows/flow.yaml")
        assert fake.requests[0].body["temperature"] == 0.5
        assert "You edit journey." in fake.requests[0].text
    assert (said.code, said.out) == (0, '{"text":"done"}\n'), said.all


INPUTS = """\
inputs:
  required: {topic: string, count: integer, tone: {type: string, enum: [dry, warm]}}
  optional: {deep: {type: boolean, default: false}, tags: {type: array, default: []}}
agents: {one: {prompt: p}}
pattern: {type: chain, config: {steps: [{agent: one, input: '{{ topic }} {{ count + 1 }} {{ tone }} {{ deep }} {{ tags | join("+") }}'}]}}
"""


def test_everything_that_is_wrong_with_the_inputs_is_said_at_once(desk):
    desk.write("flow.yaml", flow(INPUTS, provider="offline", model="extract"))
    said = desk(
        "run", "flow.yaml", "--var", "count=many", "--var", "tone=sour", "--var", "deep=perhaps", "--var", "tags=[1"
    )
    assert (said.code, said.out) == (2, "")
    for fragment in ("topic", "count", "'many'", "tone", "dry", "warm", "deep", "'perhaps'", "tags", "fix:"):
        assert fragment in said.all
    assert desk("runs", "list", "--json").json["runs"] == []
    assert desk("run", "flow.yaml", "--ask").code == 2, "nobody can be asked here"


def test_inputs_get_their_types_and_files_can_give_them(desk):
    desk.write("flow.yaml", flow(INPUTS))
    desk.write("topic.txt", "ferries\n")
    with FakeProvider("openai", say("ok")) as fake:
        desk.reach(fake)
        said = desk(
            "run",
            "flow.yaml",
            "--var",
            "topic=@topic.txt",
            "--var",
            "count=4",
            "--var",
            "tone=dry",
            "--var",
            "deep=true",
            "--var",
            'tags=["a","b"]',
            "--var",
            "extra=x",
        )
        assert said.code == 0, said.all
        assert fake.requests[0].prompt.split() == ["ferries", "5", "dry", "True", "a+b"]
    assert "'extra'" in said.err, "an undeclared name is a warning"


def test_what_another_run_wrote_is_kept_unless_force_says_otherwise(desk):
    body = "agents: {one: {prompt: p}}\npattern: {type: chain, config: {steps: [{agent: one, input: go}]}}\noutputs: {artifacts: [{path: a/b.md, from: '{{ last_response }}'}]}\n"
    desk.write("flow.yaml", flow(body))
    with FakeProvider("openai", Script(say("first"), say("second"), say("third"))) as fake:
        desk.reach(fake)
        assert desk("run", "flow.yaml").code == 0
        refused = desk("run", "flow.yaml")
        assert refused.code == 12
        assert "--force" in refused.all
        assert desk.read("artifacts/a/b.md") == "first"
        assert desk("resume", "last").code == 12
        (desk.folder / "artifacts/a/b.md").unlink()
        went_on = desk("resume", "last")
        assert (went_on.code, desk.read("artifacts/a/b.md")) == (0, "second")
        forced = desk("run", "flow.yaml", "--force")
        assert (forced.code, desk.read("artifacts/a/b.md")) == (0, "third")
        again = desk("run", "flow.yaml")
        assert again.code == 0, "the same content is no overwrite"
        assert len(fake.requests) == 4


@pytest.mark.parametrize("path", ["../x.md", "/tmp/x.md", "a/../../x.md", "C:\\x.md", "..\\x.md", ""])
def test_an_artifact_whose_path_comes_from_outside_stays_in_its_folder(desk, path):
    body = "inputs: {required: {where: string}}\nagents: {one: {prompt: p}}\npattern: {type: chain, config: {steps: [{agent: one, input: go}]}}\noutputs: {artifacts: [{path: '{{ where }}', from: x}]}\n"
    desk.write("flow.yaml", flow(body, provider="offline", model="extract"))
    said = desk("run", "flow.yaml", "--var", f"where={path}")
    assert said.code == 11, said.all
    assert "does not stay in the output folder" in said.all
    assert not list(desk.folder.rglob("x.md"))


def test_a_symbolic_link_does_not_lead_out_of_the_output_folder(desk, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (desk.folder / "artifacts").mkdir()
    (desk.folder / "artifacts" / "a").symlink_to(tmp_path / "elsewhere")
    body = "agents: {one: {prompt: p}}\npattern: {type: chain, config: {steps: [{agent: one, input: go}]}}\noutputs: {artifacts: [{path: a/x.md, from: x}]}\n"
    desk.write("flow.yaml", flow(body, provider="offline", model="extract"))
    assert desk("run", "flow.yaml").code == 11
    assert list((tmp_path / "elsewhere").iterdir()) == []


VOTE = """\
  failure_policy: {{retries: 0}}
agents: {{one: {{prompt: p}}}}
pattern:
  type: parallel
  config:
    join: {join}
    branches:
      - {{id: a, steps: [{{agent: one, input: say a}}]}}
      - {{id: b, steps: [{{agent: one, input: say b}}]}}
      - {{id: c, steps: [{{agent: one, input: say c}}]}}
"""


@pytest.mark.parametrize(
    ("join", "bad", "code", "branches"),
    [
        ("all", "c", 10, ""),
        ("best_effort", "c", 0, "ab"),
        ("best_effort", "abc", 0, ""),
        ("first", "ab", 0, "c"),
        ("quorum", "c", 0, "ab"),
        ("quorum", "bc", 10, ""),
        ("{policy: quorum, quorum: 1}", "bc", 0, "a"),
    ],
)
def test_a_join_policy_says_how_many_branches_it_takes(desk, join, bad, code, branches):
    desk.write("flow.yaml", flow(VOTE.format(join=join)))
    with FakeProvider(
        "openai", lambda request: fail(400, "no") if request.prompt[-1] in bad else say(request.prompt[-1])
    ) as fake:
        desk.reach(fake)
        said = desk("run", "flow.yaml")
    assert said.code == code, said.all
    assert [name for name in "abc" if f"Branch {name}:" in said.out] == list(branches)


@pytest.mark.parametrize(("retries", "requests", "code"), [(0, 1, 10), (2, 3, 10), (3, 4, 0)])
def test_the_failure_policy_says_how_often_it_is_tried(desk, retries, requests, code):
    body = f"  failure_policy: {{retries: {retries}, backoff: constant, wait_min: 0.1, wait_max: 1}}\nagents: {{one: {{prompt: p}}}}\npattern: {{type: chain, config: {{steps: [{{agent: one, input: go}}]}}}}\n"
    desk.write("flow.yaml", flow(body))
    with FakeProvider("openai", Script(fail(503), fail(500), fail(502), say("at last"))) as fake:
        desk.reach(fake)
        said = desk("run", "flow.yaml")
        assert (said.code, len(fake.requests)) == (code, requests)
    assert said.err.count(" retry ") == requests - 1
    assert said.err.count("again in 100 ms") == requests - 1
