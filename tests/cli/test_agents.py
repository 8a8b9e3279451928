"""`weft agents`: an agent in a file of its own is made, described, run, tested and checked."""

import json

import pytest


@pytest.fixture
def brief(weft):
    assert weft("agents", "init", "brief", "--domain", "ferries").code == 0
    return weft.folder / "agents" / "atomic" / "brief"


@pytest.mark.slow
def test_a_new_agent_runs_and_passes_its_test_at_once(weft, brief):
    said = weft("agents", "test", "brief", "--json")
    assert said.code == 0
    assert said.json["passed"] is True
    answered = weft("agents", "run", "brief", "-i", str(brief / "examples" / "sample.json"))
    assert "ferry" in json.loads(answered.out)["summary"]
    assert weft("agents", "run", "brief", "-i", str(brief / "examples/sample.json"), "-o", "out.json").out == ""
    assert "summary" in json.loads((weft.folder / "out.json").read_text())
    assert weft("agents", "validate", "brief").code == 0
    # Its runs are runs like any other.
    assert [run["workflow"] for run in weft("runs", "list", "--json").json["runs"]] == ["brief"] * 3


def test_nothing_is_overwritten_without_being_told(weft, brief):
    (brief / "tests.yaml").write_text("mine")
    said = weft("agents", "init", "brief")
    assert said.code == 12
    assert (brief / "tests.yaml").read_text() == "mine"
    assert weft("agents", "init", "brief", "--force").code == 0
    assert weft("agents", "init", "../evil").code == 2
    assert weft("agents", "init", "x", "--domain", "a: {b").code == 2


def test_agents_are_listed_and_shown_also_by_their_former_name(weft, brief):
    weft.write(
        "plain.yaml",
        (brief / "brief.yaml")
        .read_text()
        .replace("agent_type: atomic", "x: y")
        .replace("name: brief", "name: plain")
        .replace("schemas/", "agents/atomic/brief/schemas/"),
    )
    assert [one["name"] for one in weft("agents", "list", "--json").json["agents"]] == ["brief"]
    assert [one["name"] for one in weft("atomic", "list", "--all", "--json").json["agents"]] == ["brief", "plain"]
    shown = weft("atomic", "describe", "brief", "-f", "json").json
    assert shown["input_schema"]["required"] == ["text"]
    assert shown["tests"] == 1
    assert weft("agents", "show", "brief", "-f", "yaml").out == (brief / "brief.yaml").read_text()
    assert "takes" in weft("agents", "show", "brief").out
    assert weft("agents", "show", "nobody").code == 17


@pytest.mark.parametrize("given", ['{"text": ""}', "{}", "[]", "no json", '{"text": 3}', '{"text": NaN}'])
@pytest.mark.slow
def test_input_that_does_not_fit_is_refused_before_anything_runs(weft, brief, given):
    weft.write("in.json", given)
    said = weft("agents", "run", "brief", "-i", "in.json")
    assert said.code == 2
    assert weft("runs", "list", "--json").json["runs"] == []


@pytest.mark.slow
def test_a_test_that_fails_says_why(weft, brief):
    (brief / "tests.yaml").write_text(
        """
tests:
  - {name: good, input: {text: The ferry leaves.}, expect: {checks: [{type: contains, value: ferry}, {contains: FERRY, field: summary}]}}
  - {name: short, input: examples/sample.json, expect: {checks: [{max_length: 5}, {type: has_keys, keys: [summary, title]}]}}
  - {name: shape, input: {text: x y z.}, expect: {output_schema: {type: object, required: [title]}}}
  - {name: out, input: ../../../secret.json}
  - {name: wrong, input: {text: 5}}
"""
    )
    said = weft("agents", "test", "brief", "--json")
    assert said.code == 10
    failures = {one["name"]: " ".join(one["failures"]) for one in said.json["tests"]}
    assert failures["good"] == ""
    assert "more than 5" in failures["short"]
    assert "lacks title" in failures["short"]
    assert "'title' is a required property" in failures["shape"]
    assert "leaves the folder" in failures["out"]
    assert "does not fit" in failures["wrong"]
    assert weft("agents", "test", "brief", "--filter", "goo").code == 0
    assert weft("agents", "validate", "brief").code == 3
    assert weft("agents", "test", "brief", "--filter", "zzz").code == 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a: b",
        "- 1",
        "- {name: x}",
        "- {name: x, input: {}, expect: {checks: [{like: y}]}}",
        "- {name: x, input: {}, expect: {checks: [{max_length: y}]}}",
        "[",
    ],
)
def test_a_wrong_file_of_tests_is_refused_with_advice(weft, brief, text):
    (brief / "tests.yaml").write_text(text)
    said = weft("agents", "test", "brief")
    assert said.code == 3
    assert "fix:" in said.err


@pytest.mark.slow
def test_an_input_schema_holds_in_every_workflow_that_uses_the_agent(weft, brief):
    text = (brief / "brief.yaml").read_text()
    weft.write(
        "flow.yaml",
        text.replace("schemas/", "agents/atomic/brief/schemas/").replace(
            "    text: string", "    text: {type: string, default: ''}"
        ),
    )
    said = weft("run", "flow.yaml", "--var", "text=")
    assert said.code == 10
    assert "input_schema" in said.err
    assert weft("run", "flow.yaml", "--var", "text=The ferry leaves at six.").code == 0


def test_what_an_agent_thought_and_did_is_shown(weft):
    weft.write("doc.md", "The ferry leaves at six.\n")
    weft.write(
        "look.yaml",
        """
version: 0
name: look
runtime: {provider: offline, model_id: extract}
agents: {reader: {prompt: "Read the file doc.md and answer from it.", tools: [file_read]}}
telemetry: {redact: {tool_inputs: false, tool_outputs: true}}
pattern: {type: chain, config: {steps: [{agent: reader, input: "When does the ferry leave? Read doc.md."}]}}
""",
    )
    assert weft("run", "look.yaml").code == 0
    shown = weft("show", "last", "--reasoning", "--json").json["iterations"]
    actions = [action for one in shown for action in one["actions"]]
    assert actions[0]["tool"] == "file_read"
    assert actions[0]["arguments"] == {"path": "doc.md"}
    assert actions[0]["observation"] == "[redacted]"
    assert "six" in shown[-1]["said"]
    page = weft("show", "last", "--reasoning").out
    assert "iteration 1" in page
    assert "action: file_read" in page
    assert "answers: " in page


@pytest.mark.slow
def test_the_catalogue_names_tools_and_patterns(weft):
    tools = {tool["name"]: tool for tool in weft("list-tools", "--json").json["tools"]}
    assert tools["file_write"]["required"] == ["path", "content"]
    assert tools["python_exec"]["allowed"] is False
    assert "web_fetch(url" in weft("list-tools").out
    assert {"chain", "graph"} <= set(weft("list-supported", "--json").json["patterns"])


def test_a_plan_is_a_page_of_markdown(weft, brief):
    page = weft("plan", str(brief / "brief.yaml"), "--format", "md").out
    assert page.startswith("# brief\n")
    assert "```mermaid\nflowchart" in page
    assert "| brief | offline/extract | none |" in page


def test_explain_is_never_a_failure(weft, brief):
    assert "can be run" in weft("explain", str(brief / "brief.yaml")).out
    weft.write(
        "rails.yaml",
        (brief / "brief.yaml").read_text().replace("schemas/", "agents/atomic/brief/schemas/")
        + "security: {guardrails: {deny_network: true}}\n",
    )
    said = weft("explain", "rails.yaml", "--json")
    assert said.code == 0
    assert said.json["runs"] is False
    assert said.json["problems"][0]["pointer"] == "/security/guardrails/deny_network"
