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


def test_an_artifact_is_told_with_its_path_once_that_is_known(weft):
    weft.write("flow.yaml", steps(("one", 0)) + ARTIFACT.replace("note.md", "'{{ steps | length }}.md'"))
    told = [line.split() for line in weft("run", "flow.yaml").err.splitlines() if "$artifact[0]" in line]
    assert [line[1:4] for line in told] == [["begin", "/$artifact[0]", "artifact"], ["done", "/$artifact[0]", "1.md"]]
    assert len(told[0]) == 4
    assert "1.md" in weft("show", "last").out


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
    ],
)
def test_a_step_that_calls_a_tool_itself_ends_as_what_stopped_the_tool(weft, step, code, name):
    weft.write("flow.yaml", DENIED.replace("STEP", step))
    said = weft("run", "flow.yaml", "--json")
    assert (said.code, said.json["error"]["code"], said.json["error"]["place"]) == (code, name, {"path": "/step[0]"})


SHOP = "{tool: shop, args: {path: /items}}"
PLACE = {"file": "flow.yaml", "line": 4, "column": 17, "pointer": "/env/secrets/0"}


def test_so_does_one_whose_secret_is_not_there_any_more(weft, monkeypatch):
    weft.write("flow.yaml", DENIED.replace("STEP", f"{{type: hitl, prompt: Go on?}}, {SHOP}"))
    monkeypatch.setenv("NOWHERE_TO_BE_FOUND", "there-for-a-while-1")
    assert weft("run", "flow.yaml").code == 19
    monkeypatch.delenv("NOWHERE_TO_BE_FOUND")
    said = weft("approve", "last", "--json")
    assert (said.code, said.json["error"]["code"], said.json["error"]["place"]) == (13, "auth", {"path": "/step[1]"})


@pytest.mark.parametrize("how", [[], ["--detach"], ["--offline"]], ids=["here", "detached", "offline"])
def test_a_secret_that_is_not_set_exits_with_13_before_anything_starts(weft, how):
    weft.write("flow.yaml", DENIED.replace("STEP", f"{{type: hitl, prompt: Go on?}}, {SHOP}"))
    said = weft("run", "flow.yaml", *how, "--json")
    assert (said.code, said.json["error"]["code"], said.json["error"]["place"]) == (13, "auth", PLACE)
    assert "NOWHERE_TO_BE_FOUND is not set" in said.json["error"]["message"]
    assert "export NOWHERE_TO_BE_FOUND=" in said.json["error"]["fix"]
    assert weft("runs", "list", "--json").json["runs"] == []
    said = weft("run", "flow.yaml", *how)
    assert said.err.count("is not set") == 1, "it is told once"


def test_validate_warns_of_it_and_a_look_at_the_plan_does_not_need_it(weft, monkeypatch):
    weft.write("flow.yaml", DENIED.replace("STEP", SHOP))
    said = weft("validate", "flow.yaml", "--json")
    [warning] = said.json["problems"]
    assert (said.code, warning["rule"], warning["severity"]) == (0, "unset-secret", "warning")
    assert {name: warning[name] for name in PLACE} == PLACE
    for command in (["plan", "flow.yaml"], ["simulate", "flow.yaml"]):
        assert weft(*command).code == 0
    monkeypatch.setenv("NOWHERE_TO_BE_FOUND", "here-now-1")
    assert weft("validate", "flow.yaml", "--json").json["problems"] == []


UNNEEDED = {
    "nobody has the tool": DENIED.replace("STEP", "{agent: nobody, input: Hi}").replace(
        "unused}", "unused, tools: []}"
    ),
    "who has the tool is asked to do without": DENIED.replace("STEP", "{agent: nobody, input: Hi, tool_overrides: []}"),
    "nobody asks the agent that has it": DENIED.replace("STEP", "{tool: calculator, args: {expression: 1+1}}"),
    "nothing refers to it": DENIED.replace("STEP", "{agent: nobody, input: Hi}").replace("${TOKEN}", "nothing"),
    "the server is optional": DENIED.replace("STEP", "{agent: nobody, input: Hi}").replace(
        "http_executors:\n    - {id: shop, base_url", "mcp:\n    - {id: shop, optional: true, url"
    ),
}


@pytest.mark.parametrize("text", UNNEEDED.values(), ids=UNNEEDED)
def test_a_secret_that_is_not_needed_need_not_be_set(weft, text):
    weft.write("flow.yaml", text)
    assert weft("validate", "flow.yaml", "--json").json["problems"] == []


NEEDED = {
    "an agent that may call the tool": DENIED.replace("STEP", "{agent: nobody, input: Hi}"),
    "an agent that is given it": DENIED.replace("STEP", "{agent: nobody, input: Hi, tool_overrides: [shop]}").replace(
        "unused}", "unused, tools: []}"
    ),
    "a server": DENIED.replace("STEP", "{agent: nobody, input: Hi}").replace(
        "http_executors:\n    - {id: shop, base_url", "mcp:\n    - {id: shop, url"
    ),
    "a remote agent": DENIED.replace("STEP", "{agent: far, input: Hi}").replace(
        "{nobody: {prompt: unused}}", "{far: {a2a: 'https://far.invalid', headers: {X-Key: '${TOKEN}'}}}"
    ),
}


@pytest.mark.parametrize("text", NEEDED.values(), ids=NEEDED)
def test_whatever_may_need_a_secret_asks_for_it_before_the_run(weft, text):
    weft.write("flow.yaml", text)
    assert [one["rule"] for one in weft("validate", "flow.yaml", "--json").json["problems"]] == ["unset-secret"]
    assert (weft("run", "flow.yaml").code, weft("runs", "list", "--json").json["runs"]) == (13, [])


def test_a_secret_of_a_workflow_inside_another_is_asked_for_at_its_place(weft):
    weft.write("part.yaml", DENIED.replace("STEP", SHOP))
    steps = "{agent: nobody, input: Hi}, {workflow: part.yaml}"
    weft.write("flow.yaml", DENIED.replace("STEP", steps).replace("${TOKEN}", "nothing"))
    said = weft("run", "flow.yaml", "--json")
    assert (said.code, said.json["error"]["place"]) == (13, PLACE | {"file": "part.yaml"})


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
