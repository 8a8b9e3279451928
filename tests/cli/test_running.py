"""``weft run`` from the first step to the exit code."""

import json

import pytest

from tests.cli.conftest import steps


def test_the_result_goes_to_standard_output_and_everything_else_beside_it(weft):
    weft.write("flow.yaml", steps(("one", 0), ("two", 0)))
    said = weft("run", "flow.yaml")
    assert said.code == 0, said.err
    assert said.out == "two slept\n"
    run_id = weft("runs", "list", "--json").json["runs"][0]["run_id"]
    assert f"weft show {run_id}" in said.err
    assert weft.effects() == ["one", "two"]


def test_plain_lines_tell_of_each_step_where_there_is_no_terminal(weft):
    weft.write("flow.yaml", steps(("one", 0), ("two", 0)))
    lines = [line.split()[1:3] for line in weft("run", "flow.yaml").err.splitlines() if " /" in line]
    assert lines == [["begin", "/one"], ["done", "/one"], ["begin", "/two"], ["done", "/two"]]


def test_quiet_says_nothing_but_the_result(weft):
    weft.write("flow.yaml", steps(("one", 0)))
    said = weft("run", "flow.yaml", "--quiet")
    assert (said.out, said.err) == ("one slept\n", "")


def test_json_says_everything_in_one_object(weft):
    weft.write("flow.yaml", steps(("one", 0)))
    said = weft("run", "flow.yaml", "--json")
    data = said.json
    assert (said.code, said.err) == (0, "")
    assert data["status"] == "completed"
    assert data["outputs"]["response"] == "one slept"
    assert data["usage"]["cost_usd"] == "0"
    assert data["error"] is None
    assert weft("show", data["run_id"], "--json").json["outputs"]["response"] == "one slept"


def test_a_failing_step_fails_the_run_with_10_and_says_what_to_do(weft):
    weft.write("flow.yaml", steps(("one", 0), ("two", -1)))
    said = weft("run", "flow.yaml")
    assert said.code == 10
    assert said.out == ""
    assert "no luck" in said.err
    assert "at /two" in said.err
    assert "weft resume" in said.err
    assert "Traceback" not in said.err
    failed = weft("run", "flow.yaml", "--json")
    assert (failed.code, failed.json["status"], failed.json["error"]["code"]) == (10, "failed", "tool")


@pytest.mark.slow
def test_resuming_a_failed_run_does_only_what_had_not_succeeded(weft):
    weft.write("flow.yaml", steps(("one", 0), ("two", -1)))
    assert weft("run", "flow.yaml").code == 10
    (weft.folder / "napping.py").write_text(
        (weft.folder / "napping.py").read_text().replace("raise ValueError(message)", "return message")
    )
    said = weft.finish(weft.start("resume", "last"))
    assert said.code == 0, said.err
    assert said.out.endswith("no luck\n")
    assert weft.effects() == ["one"]


def test_a_budget_that_is_used_up_exits_with_20(weft):
    flow = steps(("one", 0), ("two", 0)).replace("failure_policy:", "budgets: {max_steps: 1}, failure_policy:")
    weft.write("flow.yaml", flow)
    said = weft("run", "flow.yaml")
    assert said.code == 20
    assert "max_steps" in said.err
    assert weft.effects() == ["one"]


ARTIFACT = """outputs:
  artifacts:
    - {path: note.md, from: "{{ last_response }}"}
"""


def test_artifacts_are_named_and_never_overwritten_silently(weft):
    weft.write("flow.yaml", steps(("one", 0)) + ARTIFACT)
    said = weft("run", "flow.yaml", "--out", "out")
    assert said.code == 0
    assert f"wrote {weft.folder / 'out' / 'note.md'}" in said.err
    (weft.folder / "out" / "note.md").write_text("mine")
    refused = weft("run", "flow.yaml", "--out", "out", "--json")
    assert (refused.code, refused.json["error"]["code"]) == (12, "io")
    assert (weft.folder / "out" / "note.md").read_text() == "mine"
    forced = weft("run", "flow.yaml", "--out", "out", "--force", "--json")
    assert forced.code == 0
    assert [file["path"] for file in forced.json["artifacts"]] == ["note.md"]
    assert (weft.folder / "out" / "note.md").read_text() == "one slept"


def test_trace_is_written_also_when_the_run_failed(weft):
    weft.write("flow.yaml", steps(("one", 0), ("two", -1)))
    assert weft("run", "flow.yaml", "--trace", "--out", "out").code == 10
    trace = json.loads((weft.folder / "out" / "naps-trace.json").read_text())
    assert trace["spans"]
    weft("resume", "last", "--trace")
    assert [file.name for file in (weft.folder / "out").iterdir()] == ["naps-trace.json"]
    weft("run", "flow.yaml", "--trace", "--out", "out")
    assert len(list((weft.folder / "out").iterdir())) == 2


INPUT = "inputs: {required: {who: {type: string, description: the name}}}\n"


def test_a_missing_input_is_named_and_exits_with_2(weft):
    weft.write("flow.yaml", steps(("one", 0)) + INPUT)
    said = weft("run", "flow.yaml")
    assert said.code == 2
    assert "who" in said.err
    assert weft.effects() == []


@pytest.mark.slow
def test_asking_needs_a_terminal(weft, monkeypatch):
    weft.write("flow.yaml", steps(("one", 0)) + INPUT)
    process = weft.start("run", "flow.yaml", "--ask", stdin=-3)
    said = weft.finish(process)
    assert said.code == 2
    assert "--var who=" in said.err


def test_variables_come_as_text_and_from_files(weft):
    flow = steps(("one", 0)).replace("name: one", "name: '{{ who }}'") + INPUT
    weft.write("flow.yaml", flow)
    weft.write("who.txt", "Ada")
    assert weft("run", "flow.yaml", "--var", "who=Bo").out == "Bo slept\n"
    assert weft("run", "flow.yaml", "--var", "who=@who.txt").out == "Ada slept\n"
    assert weft("run", "flow.yaml", "--var", "who=@@x").out == "@x slept\n"
    for wrong in ("who", "=x", "who=@nowhere.txt"):
        said = weft("run", "flow.yaml", "--var", wrong)
        assert said.code == 2
        assert "--var" in said.err


def test_settings_choose_the_model_and_flags_go_over_them(weft, monkeypatch):
    weft.write("flow.yaml", steps(("one", 0)))
    monkeypatch.setenv("WEFT_PROVIDER", "ollama")
    monkeypatch.setenv("WEFT_MODEL", "tiny")
    monkeypatch.setenv("OPENAI_API_KEY", "not-a-real-one")
    models = []
    for flags in ([], ["--offline"], ["--provider", "openai", "--model", "big"]):
        assert weft("run", "flow.yaml", *flags).code == 0
        plan = weft("runs", "list", "--json").json["runs"][0]["plan_hash"]
        models.append(plan)
    assert len(set(models)) == 3


def test_what_this_version_does_not_run_exits_with_18_and_leaves_a_report(weft):
    flow = steps(("one", 0)).replace(
        "{tool: nap, id: one, args: {name: one, seconds: 0}}", "{tool: strands_tools.shell}"
    )
    weft.write("flow.yaml", flow)
    said = weft("run", "flow.yaml", "--out", "out")
    assert said.code == 18
    report = (weft.folder / "out" / "flow-unsupported.md").read_text()
    assert "/pattern/config/steps/0" in said.err
    assert "/pattern/config/steps/0" in report
    as_json = weft("run", "flow.yaml", "--json")
    assert (as_json.code, as_json.json["error"]["code"]) == (18, "unsupported")
    assert as_json.json["error"]["problems"][0]["pointer"].startswith("/pattern/config/steps/0")


@pytest.mark.slow
def test_what_a_tool_prints_is_no_result(weft):
    weft.write("flow.yaml", steps(("one", 0), ("two", -1)))
    said = weft.finish(weft.start("run", "flow.yaml"))
    assert said.out == ""


def test_run_resume_is_resume(weft):
    weft.write("flow.yaml", steps(("one", -1)))
    weft("run", "flow.yaml")
    run_id = weft("runs", "list", "--json").json["runs"][0]["run_id"]
    assert weft("run", "--resume", run_id).code == 10
    assert weft("run", "flow.yaml", "--resume", run_id).code == 2
    assert weft("run").code == 2


def test_an_artifact_that_would_leave_its_folder_exits_with_11(weft):
    weft.write("flow.yaml", steps(("one", 0)) + ARTIFACT.replace("note.md", "'{{ last_response[:0] }}../note.md'"))
    said = weft("run", "flow.yaml", "--json")
    assert (said.code, said.json["error"]["code"]) == (11, "policy")
    assert not (weft.folder / "note.md").exists()


def test_a_file_in_the_place_of_the_output_folder_is_told_before_anything_starts(weft):
    weft.write("taken", "mine")
    weft.write("flow.yaml", steps(("one", 0)) + ARTIFACT)
    for out in ("taken", "taken/below"):
        said = weft("run", "flow.yaml", "--out", out)
        assert said.code == 12
        assert "is no folder" in said.err
    assert weft.effects() == []
    weft.write("flow.yaml", steps(("one", 0)))
    assert weft("run", "flow.yaml", "--out", "taken").code == 0


def test_an_artifact_that_cannot_be_filled_exits_with_12(weft):
    weft.write("flow.yaml", steps(("one", 0)) + ARTIFACT.replace("{{ last_response }}", "{{ missing }}"))
    said = weft("run", "flow.yaml", "--json")
    assert (said.code, said.json["error"]["code"]) == (12, "template")


DENIED = """\
version: 1
name: denied
runtime: {provider: offline, failure_policy: {retries: 0}}
env: {secrets: [{source: env, key: NOWHERE_TO_BE_FOUND, name: TOKEN}]}
agents: {nobody: {prompt: unused}}
tools:
  http_executors:
    - {id: shop, base_url: "https://shop.invalid", headers: {Authorization: "Bearer ${TOKEN}"}}
pattern: {type: chain, config: {steps: [STEP]}}
"""


@pytest.mark.parametrize(
    ("step", "code", "name"),
    [
        ("{tool: file_read, args: {path: ../../secret}}", 11, "policy"),
        ("{tool: http_request, args: {url: 'http://127.0.0.1:9/'}}", 11, "policy"),
        ("{tool: shop, args: {path: /items}}", 13, "auth"),
    ],
)
def test_a_step_that_calls_a_tool_itself_ends_as_what_stopped_the_tool(weft, step, code, name):
    weft.write("flow.yaml", DENIED.replace("STEP", step))
    said = weft("run", "flow.yaml", "--json")
    assert (said.code, said.json["error"]["code"], said.json["error"]["place"]) == (code, name, {"path": "/step[0]"})


def test_a_missing_credential_exits_with_13_before_anything_starts(weft, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    weft.write("flow.yaml", steps(("one", 0)))
    said = weft("run", "flow.yaml", "--provider", "openai")
    assert said.code == 13
    assert "OPENAI_API_KEY" in said.err
    assert weft.effects() == []


def test_a_variable_that_the_file_does_not_declare_is_told(weft):
    weft.write("flow.yaml", steps(("one", 0)))
    said = weft("run", "flow.yaml", "--var", "stray=1")
    assert said.code == 0
    assert "warning: the workflow does not declare the input 'stray'" in said.err
