"""How commands fail: usage, defects, and valid JSON whatever happens."""

import json
import os
import subprocess
import sys

import pytest

from weft.app.local import LocalService


@pytest.mark.parametrize(
    "args",
    [
        ["nonsense"],
        ["run", "--nonsense", "x"],
        ["show"],
        ["plan", "flow.yaml", "--format", "png"],
        ["runs", "nonsense"],
        ["run", "flow.yaml", "--durability", "none"],
        ["events", "last", "--after", "x"],
    ],
)
def test_a_wrong_command_line_exits_with_2_and_says_where_help_is(weft, args):
    said = weft(*args)
    assert (said.code, said.out) == (2, "")
    assert "--help` shows" in said.err
    as_json = weft(*args, "--json")
    assert (as_json.code, as_json.json["error"]["code"], as_json.err) == (2, "input", "")


def test_a_near_miss_of_a_command_is_named(weft):
    assert "'validate'" in weft("validat").err
    assert "'list'" in weft("runs", "lst").err


def test_a_defect_is_one_line_and_its_traceback_is_in_a_file(weft, monkeypatch, tmp_path):
    def broken(self, text):
        raise RuntimeError("the roof is open, password=hunter2hunter2")

    monkeypatch.setattr(LocalService, "find", broken)
    said = weft("show", "last")
    assert said.code == 70
    assert "RuntimeError: the roof is open" in said.err
    assert "Traceback" not in said.err
    (log,) = (tmp_path / "home" / "logs").iterdir()
    assert str(log) in said.err
    assert "Traceback" in log.read_text()
    assert "hunter2" not in said.err + log.read_text()
    as_json = weft("show", "last", "--json")
    assert (as_json.code, as_json.json["error"]["code"]) == (70, "internal")
    assert "Traceback" in weft("--debug", "show", "last").err


def test_a_defect_is_told_even_when_the_home_is_broken(weft, monkeypatch, tmp_path):
    def broken(self, text):
        raise RuntimeError("the roof is open")

    monkeypatch.setattr(LocalService, "find", broken)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("WEFT_HOME", str(tmp_path / "file" / "home"))
    said = weft("show", "last")
    assert said.code == 70
    assert "crash-" in said.err


def test_a_home_that_cannot_be_used_exits_with_12(weft, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("WEFT_HOME", str(tmp_path / "file" / "home"))
    said = weft("runs", "list", "--json")
    assert (said.code, said.json["error"]["code"]) == (12, "io")
    assert "WEFT_HOME" in said.json["error"]["fix"]


def test_secrets_never_reach_a_message(weft, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "a-key-that-looks-like-a-word")
    said = weft("show", "a-key-that-looks-like-a-word")
    assert said.code == 17
    assert "a-key-that" not in said.err
    assert "a-key-that" not in json.dumps(weft("show", "a-key-that-looks-like-a-word", "--json").json)


def test_interrupting_a_command_that_only_looks_exits_with_130(weft, monkeypatch):
    def interrupted(self, text):
        raise KeyboardInterrupt

    monkeypatch.setattr(LocalService, "find", interrupted)
    said = weft("show", "last")
    assert (said.code, said.out, said.err) == (130, "", "")


def test_an_address_of_a_model_that_may_not_be_asked_keeps_the_run_from_starting(weft, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "key-of-the-user")
    weft.write(
        "flow.yaml",
        "version: 1\nname: stranger\nruntime: {provider: openai, model_id: gpt-4o-mini}\n"
        "agents: {one: {prompt: Hello., base_url: 'http://169.254.169.254/v1'}}\n"
        "pattern: {type: chain, config: {steps: [{agent: one, input: hi}]}}\n",
    )
    said = weft("run", "flow.yaml", "--json")
    assert (said.code, said.json["error"]["code"]) == (11, "policy")
    assert said.json["error"]["place"]["pointer"] == "/agents/one"
    assert weft("runs", "list", "--json").json["runs"] == []


@pytest.mark.slow
def test_an_installation_that_lost_a_package_is_told_in_a_sentence(tmp_path):
    gone = "raise ModuleNotFoundError(\"No module named 'pydantic'\", name='pydantic.main')\n"
    (tmp_path / "pydantic.py").write_text(gone)
    environ = os.environ | {"PYTHONPATH": str(tmp_path), "WEFT_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "weft", "runs", "list"]
    said = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert (said.returncode, said.stdout) == (12, "")
    assert "its package 'pydantic' is missing" in said.stderr
    assert "fix: install Weft again" in said.stderr
    assert "Traceback" not in said.stderr
    command.append("--json")
    said = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert (said.returncode, json.loads(said.stdout)["error"]["code"], said.stderr) == (12, "io", "")
