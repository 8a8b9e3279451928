"""``validate``, ``plan``, ``schema`` and ``init``: what they say of files."""

import json
import os

import pytest

from tests.cli.conftest import steps


def test_a_good_file_is_valid(weft):
    weft.write("flow.yaml", steps(("one", 0)))
    said = weft("validate", "flow.yaml")
    assert said.code == 0
    assert "naps can be run" in said.out
    data = weft("validate", "flow.yaml", "--json").json
    assert (data["valid"], data["problems"]) == (True, [])
    assert data["plan_hash"]


def test_problems_are_printed_like_a_compiler_does(weft):
    weft.write("flow.yaml", steps(("one", 0)).replace("runtime:", "runtyme:"))
    said = weft("validate", "flow.yaml")
    lines = said.out.splitlines()
    assert said.code == 3
    place, source, mark, fix = next(lines[at : at + 4] for at, line in enumerate(lines) if "/runtyme" in line)
    assert place.startswith("flow.yaml:3:1  /runtyme  error: ")
    assert source.strip().startswith("3 | runtyme: {")
    assert mark.index("^") == source.index("runtyme")
    assert fix.strip().startswith("fix:")
    assert "runtime" in fix
    assert lines[-1] == "2 errors"


def test_a_line_is_shown_as_it_is_now_and_as_it_is_here(weft):
    weft.write("flow.yaml", steps(("one", 0)).replace("runtime:", "runtyme:"))
    assert "3 | runtyme: {" in weft("validate", "flow.yaml").out
    weft.write("flow.yaml", steps(("one", 0)).replace("runtime:", "run:"))
    assert "3 | run: {" in weft("validate", "flow.yaml").out


def test_all_problems_are_machine_readable(weft):
    weft.write("flow.yaml", steps(("one", 0)).replace("runtime:", "runtyme:").replace("tool: nap", "tool: knap"))
    data = weft("validate", "flow.yaml", "--json").json
    assert data["valid"] is False
    assert len(data["problems"]) >= 2
    for problem in data["problems"]:
        assert {"line", "column", "pointer", "rule", "severity", "message", "fix"} <= problem.keys()


def test_run_and_plan_print_the_same_problems_on_standard_error(weft):
    weft.write("flow.yaml", steps(("one", 0)).replace("runtime:", "runtyme:"))
    shown = weft("validate", "flow.yaml").out.splitlines()[:4]
    for command in ("run", "plan"):
        said = weft(command, "flow.yaml")
        assert (said.code, said.out) == (3, "")
        assert said.err.splitlines()[:4] == shown


def test_warnings_alone_are_no_failure(weft):
    weft.write("flow.yaml", steps(("one", 0)).replace("name: one, sec", "name: '{{ somebody }}', sec"))
    said = weft("validate", "flow.yaml")
    assert said.code == 0
    assert "warning:" in said.out
    assert "1 warning" in said.out
    assert weft("validate", "flow.yaml", "--json").json["valid"] is True
    assert "warning:" in weft("run", "flow.yaml", "--var", "somebody=x").err


def test_what_is_unsupported_exits_with_18_and_names_every_pointer(weft):
    flow = steps(("one", 0), ("two", 0)).replace("{tool: nap, ", "{tool: strands_tools.shell} #")
    weft.write("flow.yaml", flow)
    said = weft("validate", "flow.yaml", "--json")
    assert (said.code, said.json["valid"]) == (18, False)
    pointers = {problem["pointer"] for problem in said.json["problems"]}
    assert {"/pattern/config/steps/0", "/pattern/config/steps/1"} <= {
        pointer.removesuffix("/tool") for pointer in pointers
    }


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a: [", b"", b"just text", b"a: &a [*a]", b"\x00"])
def test_broken_files_exit_with_3_and_a_place(weft, content):
    (weft.folder / "flow.yaml").write_bytes(content)
    said = weft("validate", "flow.yaml")
    assert said.code == 3
    assert "flow.yaml" in said.out + said.err
    data = weft("validate", "flow.yaml", "--json").json
    assert data["valid"] is False


def test_a_missing_file_exits_with_3(weft):
    for command in ("validate", "plan", "run"):
        assert weft(command, "nowhere.yaml").code == 3


def test_a_pipe_is_no_workflow_file_and_nobody_waits_for_its_other_end(weft):
    os.mkfifo(weft.folder / "flow.yaml")
    os.mkfifo(weft.folder / "agent.yaml")
    for command in ("validate", "plan", "run"):
        said = weft(command, "flow.yaml")
        assert said.code == 3
        assert "no regular file" in said.out + said.err
    text = steps(("one", 0)).replace("nobody: {prompt: unused}", "nobody: {$ref: agent.yaml}")
    weft.write("referring.yaml", text)
    said = weft("validate", "referring.yaml")
    assert (said.code, "no regular file" in said.out) == (3, True)


def test_each_problem_of_a_refused_file_is_told_once(weft):
    text = steps(("one", 0)).replace("version: 1", "version: 0").replace("{tool: nap", "{agent: nobody_}, {tool: nap")
    weft.write("flow.yaml", text.replace("}, {tool", "}\n      - {tool"))
    said = weft("run", "flow.yaml")
    assert said.code == 3
    lines = [line for line in said.err.splitlines() if line.startswith("flow.yaml:")]
    assert any("warning" in line for line in lines)
    assert any("error" in line for line in lines)
    assert len(lines) == len(set(lines))


def test_plan_is_drawn_in_four_ways(weft):
    weft.write("flow.yaml", steps(("one", 0), ("two", 0)))
    assert "one: tool nap" in weft("plan", "flow.yaml").out
    assert weft("plan", "flow.yaml", "--format", "mermaid").out.startswith("flowchart")
    assert weft("plan", "flow.yaml", "--format", "dot").out.startswith("digraph")
    assert weft("plan", "flow.yaml", "--format", "json").json == weft("plan", "flow.yaml", "--json").json
    assert weft("plan", "flow.yaml", "--format", "png").code == 2


def test_a_mistyped_provider_is_named_whatever_the_file_says(weft):
    weft.write("good.yaml", steps(("one", 0)))
    for command in ("validate", "plan", "run"):
        said = weft(command, "good.yaml", "--provider", "opnai", "--model", "x")
        assert said.code == 2
        assert "did you mean 'openai'" in said.err
    assert weft("validate", "good.yaml", "--provider", "gemini").code == 0
    assert [path.name for path in weft.folder.rglob("*unsupported*")] == []


@pytest.mark.slow
def test_schema_is_json_schema(weft):
    assert weft("schema").json["$schema"].endswith("2020-12/schema")
    assert weft("schema", "--json").out == weft("schema").out


def test_a_new_project_runs_at_once(weft, monkeypatch):
    said = weft("init", "fresh")
    assert said.code == 0
    monkeypatch.chdir(weft.folder / "fresh")
    assert weft("validate", "workflow.yaml").code == 0
    run = weft("run", "workflow.yaml", "--json")
    assert (run.code, run.json["status"]) == (0, "completed")
    report = (weft.folder / "fresh" / "artifacts" / "report.md").read_text()
    assert "ferry" in report
    assert weft("config", "--json").code == 0


def test_init_never_overwrites(weft):
    assert weft("init", "fresh", "--json").json["files"]
    (weft.folder / "fresh" / "workflow.yaml").write_text("mine")
    again = weft("init", "fresh", "--json")
    assert (again.code, again.json["error"]["code"]) == (12, "io")
    assert (weft.folder / "fresh" / "workflow.yaml").read_text() == "mine"
    (weft.folder / "other").mkdir()
    (weft.folder / "other" / ".gitignore").write_text("mine")
    assert weft("init", "other").code == 12
    assert [path.name for path in (weft.folder / "other").iterdir()] == [".gitignore"]


def test_init_makes_the_present_folder_a_project(weft):
    assert weft("init").code == 0
    assert (weft.folder / "workflow.yaml").exists()
    assert json.loads(weft("validate", "workflow.yaml", "--json").out)["valid"]
