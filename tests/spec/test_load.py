import json
import shutil
import time

import jsonschema
import pytest

from tests.spec.documents import FILES, MINIMAL, tasks
from weft.core.errors import SpecError
from weft.spec.files import parse
from weft.spec.load import check, check_text, load, load_text
from weft.spec.model.agents import Agent
from weft.spec.schema import json_schema
from weft.spec.tree import plain_data

SAMPLES = sorted(FILES.glob("*.yaml"))
SCHEMA = FILES.parents[2] / "schema" / "workflow.schema.json"


def found(text):
    """Every problem of a document as (severity, rule, pointer, line)."""
    return [(p.severity, p.rule, p.place.pointer, p.place.line) for p in check_text(text, "a.yaml").problems]


def errors(text):
    return [(rule, pointer) for severity, rule, pointer, _ in found(text) if severity == "error"]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_the_whole_language_loads(path):
    workflow = load(path)
    assert all(isinstance(agent, Agent) for agent in workflow.agents.values())


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_json_and_yaml_mean_the_same(path, tmp_path):
    from weft.spec.files import read_source
    from weft.spec.tree import plain_data

    shutil.copytree(FILES, tmp_path / "f")
    copy = tmp_path / "f" / "copy.json"
    copy.write_text(json.dumps(plain_data(read_source(path).root)))
    # Functions in files are named from the root, so both stand in one folder.
    assert load(copy) == load(tmp_path / "f" / path.name)


def test_the_published_schema_is_current():
    assert json.loads(SCHEMA.read_text()) == json_schema()


@pytest.fixture(scope="module")
def published():
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
@pytest.mark.slow
def test_the_published_schema_admits_the_samples(path, published):
    from weft.spec.files import read_source
    from weft.spec.tree import plain_data

    published.validate(plain_data(read_source(path).root))


@pytest.mark.parametrize(
    "change",
    [
        ("  provider: openai\n", "  provider: openai\n  temprature: 1\n"),
        ("type: chain", "type: chian"),
        ("      - agent: writer\n", "      - agnt: writer\n"),
        ("prompt: You write.", "prompt: 5"),
    ],
)
@pytest.mark.slow
def test_the_published_schema_refuses_what_loading_refuses(change):
    import yaml

    document = yaml.safe_load(MINIMAL.replace(*change))
    assert not jsonschema.Draft202012Validator(json_schema()).is_valid(document)
    assert errors(MINIMAL.replace(*change))


def test_all_problems_come_at_once_in_the_order_of_the_file():
    text = MINIMAL.replace("provider: openai", "provider: opnai\n  max_parallel: 0\n  tempratur: 1")
    text = text.replace("You write.", "You write.\n    tools: [calculatr]").replace("- agent: writer", "- agent: writr")
    assert found(text) == [
        ("error", "wrong-value", "/runtime/provider", 4),
        ("error", "wrong-value", "/runtime/max_parallel", 5),
        ("error", "unknown-key", "/runtime/tempratur", 6),
        ("error", "unknown-tool", "/agents/writer/tools/0", 10),
        ("error", "unknown-agent", "/pattern/config/steps/0/agent", 15),
    ]


def test_the_error_carries_every_problem_and_where_the_first_one_is():
    with pytest.raises(SpecError) as caught:
        load_text(MINIMAL.replace("agent: writer", "agent: writr"), "flow.yaml")
    assert str(caught.value.place) == "flow.yaml:12:9  /pattern/config/steps/0/agent"
    assert caught.value.fix == "did you mean 'writer'?"
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize(
    ("old", "new", "rule", "pointer", "fix"),
    [
        ("input: Hello", "inpt: Hello", "unknown-key", "/pattern/config/steps/0/inpt", "did you mean 'input'?"),
        ("name: demo\n", "", "missing-key", "/name", "add 'name'"),
        ("type: chain", "type: chan", "wrong-value", "/pattern/type", "did you mean 'chain'?"),
        ("type: chain", "kind: chain", "missing-key", "/pattern/type", "add 'type'"),
        ("prompt: You write.", "prompt: [1]", "wrong-type", "/agents/writer/prompt", "write text"),
        ("version: 0", "version: []", "wrong-type", "/version", "write a number or text"),
        ("- agent: writer\n        input: Hello", "- 5", "wrong-type", "/pattern/config/steps/0", "write a map"),
        ("version: 0", "version: 7", "version", "/version", "write `version: 0` or `version: 1`"),
        ("provider: openai", "provider: openai\n  host: nope", "wrong-value", "/runtime/host", None),
        ("name: demo", "name: demo\ntags: [Bad Tag]", "wrong-value", "/tags/0", None),
        ("  writer:\n", "  wri ter:\n", "wrong-value", "/agents/wri ter", None),
    ],
)
def test_each_problem_says_where_it_is_and_what_to_do(old, new, rule, pointer, fix):
    problem = next(p for p in check_text(MINIMAL.replace(old, new), "a.yaml").problems if p.rule == rule)
    assert problem.place.pointer == pointer
    assert problem.place.line
    assert problem.fix == fix if fix else problem.fix


def test_a_configuration_that_does_not_fit_its_type_is_wrong_at_its_own_pointer():
    assert ("missing-key", "/pattern/config/tasks") in errors(MINIMAL.replace("type: chain", "type: workflow"))


def test_a_missing_key_hides_no_other_problem():
    text = MINIMAL.replace("name: demo\n", "").replace("agent: writer", "agent: writr")
    assert [rule for rule, _ in errors(text)] == ["missing-key", "unknown-agent"]


MANY = """\
version: 0
name: demo
tags: [one]
runtime: {provider: offline, failure_policy: {retries: 1, wait_min: 9, wait_max: 1}}
inputs: {values: {z: 1}}
tools: {http_executors: [{id: api, base_url: "https://api.example.org"}]}
agents: {writer: {prompt: You write., tools: [api]}}
pattern:
  type: parallel
  config:
    branches:
      - {id: one, steps: [{agent: writer}, {agent: writer}]}
      - {id: two, steps: [{agent: writer}]}
      - {id: three, steps: [{agent: nobody, input: "{{ steps[4].response }}"}]}
    reduce: {agent: writer, input: "{{ branches.four.response }}"}
"""
SEMANTIC = {"wrong-value", "unknown-agent", "later-step", "unknown-branch"}


@pytest.mark.parametrize(
    ("old", "new", "pointer", "hidden"),
    [
        ("version: 0", "version: null", "/version", set()),
        ("version: 0", "version: {}", "/version", set()),
        ("tags: [one]", "tags: [1]", "/tags/0", set()),
        ("tags: [one]", "tags: one", "/tags", set()),
        ("runtime: {", "runtyme: {", "/runtime", {"wrong-value"}),
        ("provider: offline", "provider: [offline]", "/runtime/provider", set()),
        ("retries: 1", "retries: -1", "/runtime/failure_policy/retries", set()),
        ("values: {z: 1}", "values: {z: null}", "/inputs/values/z", set()),
        ("values: {z: 1}", "values: [z]", "/inputs/values", set()),
        ("{id: api, base_url", "{id: api, url", "/tools/http_executors/0/base_url", set()),
        ("https://api.example.org", "api.example.org", "/tools/http_executors/0/base_url", set()),
        ('{id: api, base_url: "https://api.example.org"}', "api", "/tools/http_executors/0", set()),
        ('{http_executors: [{id: api, base_url: "https://api.example.org"}]}', "5", "/tools", set()),
        ("tools: [api]", "tools: [{}]", "/agents/writer/tools/0", set()),
        ("prompt: You write.", "prompt: ''", "/agents/writer/prompt", set()),
        ("{prompt: You write., tools: [api]}", "5", "/agents/writer", set()),
        ("agents: {writer: {prompt: You write., tools: [api]}}", "agents: {}", "/agents", {"unknown-agent"}),
        ("type: parallel", "type: paralel", "/pattern/type", set()),
        ("steps: [{agent: writer}, {agent: writer}]", "steps: []", "/pattern/config/branches/0/steps", {"later-step"}),
        ("[{agent: writer}, {agent: writer}]", "[null, {agent: writer}]", "/pattern/config/branches/0/steps/0", set()),
        ("{id: two, steps: [{agent: writer}]}", "null", "/pattern/config/branches/1", {"unknown-branch"}),
        ("{id: two, steps", "{steps", "/pattern/config/branches/1/id", {"unknown-branch"}),
    ],
)
def test_what_is_wrong_with_the_structure_hides_nothing_else_and_invents_nothing(old, new, pointer, hidden):
    assert {rule for rule, _ in errors(MANY)} == SEMANTIC
    there = check_text(MANY.replace(old, new), "many.yaml").errors
    assert pointer in {problem.place.pointer for problem in there}
    assert SEMANTIC - hidden <= {problem.rule for problem in there}
    expected = {place for _, place in errors(MANY)} | {pointer, "/runtyme", "/tools/http_executors/0/url"}
    assert {problem.place.pointer for problem in there} <= expected
    assert all(problem.place.line for problem in there)


@pytest.mark.parametrize("number", ["1e3", "1000.0", "1000"])
def test_a_whole_number_may_be_written_like_any_number(number):
    text = MINIMAL.replace("provider: openai", f"provider: openai\n  max_tokens: {number}")
    workflow = check_text(text, "a.yaml").workflow
    assert workflow is not None
    assert repr(workflow.runtime.max_tokens) == "1000"
    assert errors(text.replace(number, "1000.5")) == [("wrong-type", "/runtime/max_tokens")]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("name: demo", "name: ''", "'name' must not be empty"),
        ("provider: openai", "provider: openai\n  top_p: 2", "'top_p' must be at most 1, not 2"),
        ("provider: openai", "provider: openai\n  max_parallel: 0", "'max_parallel' must be at least 1, not 0"),
        (
            "type: chain\n  config:",
            "type: chain\n  config: {steps: []}\nx:",
            "'steps' must have at least 1 entry, and has none",
        ),
        ("name: demo", "name: demo\ntags: [a, b, a]", "the tag 'a' is here twice"),
    ],
)
def test_bounds_are_said_in_plain_words(old, new, said):
    assert said in [problem.message for problem in check_text(MINIMAL.replace(old, new), "a.yaml").problems]


def test_the_same_thing_about_the_same_place_is_said_once():
    text = MINIMAL.replace("input: Hello", "input: '{{ steps[3].response }} {{ steps[3].response }}'")
    assert errors(text) == [("later-step", "/pattern/config/steps/0/input")]


def test_references_are_pulled_in_with_their_overrides():
    workflow = load(FILES / "additions.yaml")
    agent = workflow.inline_agents()["two"]
    assert agent.prompt == "You edit."
    assert (agent.inference.temperature, agent.inference.max_tokens) == (0.1, 100)
    assert agent.output_schema["required"] == ["text"]


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("../../../etc/passwd.yaml", "leaves the project"),
        ("/etc/passwd.yaml", "not a relative path"),
        ("https://example.com/a.yaml", "not a relative path"),
        ("a/" * 3000 + "x.yaml", "not a relative path"),
        ("missing.yaml", "no such file"),
        ("two.yaml", "exactly one agent, it holds 2"),
        ("nested.yaml", "itself a reference"),
        ("broken.yaml", "not valid YAML"),
        ("list.yaml", "exactly one agent, it holds 0"),
        ("self.yaml", "itself a reference"),
    ],
)
def test_a_bad_reference_is_an_error_at_its_place(tmp_path, reference, said):
    (tmp_path / "two.yaml").write_text("agents: {a: {prompt: x}, b: {prompt: y}}")
    (tmp_path / "nested.yaml").write_text("agents: {a: {$ref: two.yaml}}")
    (tmp_path / "broken.yaml").write_text("agents: {a: [")
    (tmp_path / "list.yaml").write_text("[1]")
    path = tmp_path / "self.yaml"
    path.write_text(MINIMAL.replace("prompt: You write.", f"$ref: {reference}"))
    problem = check(path).errors[0]
    assert problem.rule == "reference"
    assert said in problem.message
    assert (problem.place.pointer, problem.place.line) == ("/agents/writer/$ref", 7)


def test_a_symbolic_link_does_not_lead_out_of_the_project(tmp_path):
    outside = tmp_path / "outside.yaml"
    outside.write_text("agents: {a: {prompt: x}}")
    inside = tmp_path / "project"
    inside.mkdir()
    (inside / "link.yaml").symlink_to(outside)
    (inside / "flow.yaml").write_text(MINIMAL.replace("prompt: You write.", "$ref: link.yaml"))
    assert "leaves the project" in check(inside / "flow.yaml").errors[0].message


def test_a_project_mark_above_widens_what_a_reference_may_reach(tmp_path):
    (tmp_path / "weft.toml").write_text("")
    (tmp_path / "shared.yaml").write_text("agents: {a: {prompt: Shared.}}")
    (tmp_path / "flows").mkdir()
    flow = tmp_path / "flows" / "flow.yaml"
    flow.write_text(MINIMAL.replace("prompt: You write.", "$ref: ../shared.yaml"))
    assert load(flow).inline_agents()["writer"].prompt == "Shared."


def test_a_problem_in_a_referenced_file_is_placed_there(tmp_path):
    (tmp_path / "agent.yaml").write_text("agents:\n  a:\n    prompt: x\n    tols: []\n")
    flow = tmp_path / "flow.yaml"
    flow.write_text(MINIMAL.replace("prompt: You write.", "$ref: agent.yaml"))
    problem = check(flow).errors[0]
    assert problem.rule == "unknown-key"
    assert (problem.place.file, problem.place.line) == (str(tmp_path / "agent.yaml"), 4)


def test_only_some_things_can_be_changed_beside_a_reference(tmp_path):
    (tmp_path / "agent.yaml").write_text("agents: {a: {prompt: x}}")
    flow = tmp_path / "flow.yaml"
    flow.write_text(MINIMAL.replace("prompt: You write.", "$ref: agent.yaml\n    prompt: Mine."))
    assert [(p.rule, p.place.pointer) for p in check(flow).errors] == [("unknown-key", "/agents/writer/prompt")]


def test_a_schema_file_must_hold_a_schema(tmp_path):
    (tmp_path / "s.json").write_text("[]")
    flow = tmp_path / "flow.yaml"
    flow.write_text(MINIMAL.replace("You write.", "You write.\n    output_schema: s.json"))
    assert "holds no JSON Schema object" in check(flow).errors[0].message


@pytest.mark.parametrize(
    ("text", "rule", "pointer"),
    [
        ("- {id: a, agent: writer, deps: [b]}", "unknown-task", "/pattern/config/tasks/0/deps/0"),
        ("- {id: a, agent: writer, deps: [a]}", "cycle", "/pattern/config/tasks/0/deps"),
        (
            "- {id: a, agent: writer, deps: [b]}\n- {id: b, agent: writer, deps: [a]}",
            "cycle",
            "/pattern/config/tasks/0/deps",
        ),
        ("- {id: a, agent: writer}\n- {id: a, agent: writer}", "duplicate-id", "/pattern/config/tasks/1/id"),
        (
            "- {id: a, agent: writer}\n- {id: b, agent: writer, deps: [a, a]}",
            "duplicate-id",
            "/pattern/config/tasks/1/deps/1",
        ),
    ],
)
def test_tasks_that_cannot_be_ordered_are_errors(text, rule, pointer):
    assert (rule, pointer) in errors(tasks(text))


def test_a_cycle_is_shown_in_its_order():
    text = (
        "- {id: a, agent: writer, deps: [c]}\n- {id: b, agent: writer, deps: [a]}\n- {id: c, agent: writer, deps: [b]}"
    )
    message = check_text(tasks(text), "a.yaml").errors[0].message
    assert message == "the tasks wait for each other: a → c → b → a"


@pytest.mark.slow
def test_thousands_of_tasks_in_a_row_load_in_seconds():
    started = time.process_time()
    lines = ["- {id: t0, agent: writer}"]
    lines += [
        f"- {{id: t{n}, agent: writer, deps: [t{n - 1}], input: '{{{{ tasks.t{n - 1}.response }}}}'}}"
        for n in range(1, 3000)
    ]
    assert check_text(tasks("\n".join(lines)), "a.yaml").problems == ()
    assert time.process_time() - started < 10


@pytest.mark.parametrize(
    ("old", "new", "rule", "pointer"),
    [
        (
            "provider: openai",
            "provider: openai\n  failure_policy: {wait_min: 5, wait_max: 1}",
            "wrong-value",
            "/runtime/failure_policy/wait_min",
        ),
        (
            "agents:",
            "inputs: {required: {n: {type: integer, default: x}}}\nagents:",
            "wrong-value",
            "/inputs/required/n/default",
        ),
        ("agents:", "inputs: {optional: {n: integer}, values: {n: x}}\nagents:", "wrong-value", "/inputs/values/n"),
        (
            "agents:",
            "inputs: {required: {n: integer}, optional: {n: integer}}\nagents:",
            "duplicate-id",
            "/inputs/optional/n",
        ),
        ("agents:", "outputs: {artifacts: [{path: /etc/x, from: y}]}\nagents:", "path", "/outputs/artifacts/0/path"),
        (
            "agents:",
            "outputs: {artifacts: [{path: 'a/../../x', from: y}]}\nagents:",
            "path",
            "/outputs/artifacts/0/path",
        ),
        (
            "agents:",
            "tools: {http_executors: [{id: h, base_url: 'https://x.y', headers: {A: '${NO}'}}]}\nagents:",
            "unknown-secret",
            "/tools/http_executors/0/headers/A",
        ),
        ("agents:", "tools: {python: [calculator, calculator]}\nagents:", "duplicate-id", "/tools/python/1"),
        ("agents:", "tools: {python: [nonsense]}\nagents:", "unknown-tool", "/tools/python/0"),
    ],
)
def test_values_that_do_not_fit_are_errors(old, new, rule, pointer):
    assert errors(MINIMAL.replace(old, new)) == [(rule, pointer)]


def test_a_quorum_must_be_reachable():
    text = (FILES / "additions.yaml").read_text().replace("quorum: 2", "quorum: 4")
    problems = check_text(text, str(FILES / "copy.yaml")).errors
    assert [(p.rule, p.place.pointer) for p in problems] == [("join", "/pattern/config/join/quorum")]


def test_additions_warn_in_version_0_and_not_in_version_1():
    text = MINIMAL.replace("input: Hello", "input: Hello\n        timeout_s: 5")
    assert found(text) == [("warning", "newer-key", "/pattern/config/steps/0/timeout_s", 14)]
    assert check_text(text, "a.yaml").warnings[0].fix == "write `version: 1`"
    assert found(text.replace("version: 0", "version: 1")) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tags", "count"),
    [
        (", ".join(f"t{n}" for n in range(30_000)), 0),
        (", ".join(str(n) for n in range(30_000)), 200),
        (", ".join("null" for n in range(30_000)), 200),
    ],
)
def test_a_list_of_many_is_checked_in_seconds_right_or_wrong(tags, count):
    text = MINIMAL.replace("name: demo", f"name: demo\ntags: [{tags}]")
    started = time.process_time()
    assert len(check_text(text, "flow.yaml").problems) == count
    assert time.process_time() - started < 10


def test_limits_of_tools_that_no_run_accepts_are_found_in_the_file():
    text = (FILES / "additions.yaml").read_text(encoding="utf-8")
    assert "timeout_s: 3, max_bytes: 2000" in text
    text = text.replace("timeout_s: 3, max_bytes: 2000", "timeout_s: 3601, max_bytes: 1023")
    report = check_text(text, "a.yaml", folder=FILES)
    assert [(each.rule, each.place.pointer) for each in report.errors] == [
        ("wrong-value", "/tools/python/0/timeout_s"),
        ("wrong-value", "/tools/python/0/max_bytes"),
    ]


AROUND = """\
version: 0
name: keys
runtime: {provider: offline}
agents: {a: {prompt: p}, BAD}
pattern: {type: chain, config: {steps: [{agent: a, input: hi}]}}
"""


@pytest.mark.parametrize(
    ("bad", "messages"),
    [
        ('"b b": {prompt: q}', ["the key 'b b' must be an id of letters, digits and . _ : -"]),
        ('"b b": {prompt: 1}', ["the key 'b b' must be", "'prompt' must be text, not 1"]),
        ("$ref: x.yaml", ["'$ref' must be a map, not 'x.yaml'", "the key '$ref' must be an id"]),
        ('"": 7', ["'' must be a map, not 7", "the key '' must be an id"]),
    ],
)
def test_a_bad_key_is_told_apart_from_its_value_and_loses_no_other_entry(bad, messages):
    problems = check_text(AROUND.replace("BAD", bad), "a.yaml").problems
    assert [
        message for message, each in zip(messages, problems, strict=True) if not each.message.startswith(message)
    ] == []
    assert not jsonschema.Draft202012Validator(json_schema()).is_valid(
        plain_data(parse(AROUND.replace("BAD", bad), "a.yaml").root)
    )


@pytest.mark.parametrize(
    ("version", "known"),
    [("0", 1), ("1.5", 1), ('"1.0.0"', 1), ("2", 0), ('"12"', 0), ('"x"', 0), ("-1", 0), ('""', 0)],
)
def test_the_schema_knows_the_versions_that_weft_knows(version, known):
    text = AROUND.replace(", BAD", "").replace("version: 0", f"version: {version}")
    valid = jsonschema.Draft202012Validator(json_schema()).is_valid(plain_data(parse(text, "a.yaml").root))
    assert (valid, not check_text(text, "a.yaml").errors) == (bool(known), bool(known))
