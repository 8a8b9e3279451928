"""Answering from a shell and at the terminal: `weft gates`, `approve`, `reject`, `signal`, and the panel of `weft run`."""

import time

import pytest

from tests.cli.conftest import steps
from tests.cli.test_terminals import on_terminal

pytestmark = pytest.mark.slow

GATE = """\
      - type: hitl
        id: ok
        prompt: Send it?
        context_display: "{{ last_response }}"
"""
FORM = """\
        choices: [send, reject]
        form: {days: integer, note: {type: string, optional: true}}
        assignees: [ada]
        deadline_s: 3600
"""


def asking(extra: str = "") -> str:
    return steps(("draft", 0)) + GATE + extra + steps(("send", 0)).split("    steps:\n")[1]


def test_a_run_waits_says_how_to_answer_and_goes_on_when_approved(weft):
    weft.write("flow.yaml", asking())
    said = weft("run", "flow.yaml")
    assert said.code == 19
    assert "a gate asks anybody: Send it?" in said.err
    assert "weft approve" in said.err
    (gate,) = weft("gates", "--json").json["gates"]
    assert (gate["path"], gate["prompt"], gate["show"], gate["status"]) == ("/ok", "Send it?", "draft slept", "open")
    assert "/ok" in weft("gates").out
    (wait,) = weft("why", "last", "--json").json["waits_for"]
    assert (wait["kind"], wait["path"]) == ("gate", "/ok")
    said = weft("approve", "last", "--answer", "yes, do", "--why", "it reads well", "--by", "ada")
    assert (said.code, said.out.strip()) == (0, "send slept")
    assert weft.effects() == ["draft", "send"]
    assert weft("gates", "--json").json == {"gates": []}
    (made,) = [event for event in weft("events", "last", "--json").json if event["kind"] == "gate.decided"]
    assert (made["data"]["by"], made["data"]["why"]) == ("ada", "it reads well")
    assert weft("approve", "last", "--answer", "yes, do", "--by", "ada").code == 0
    late = weft("reject", "last", "--by", "bob", "--json")
    assert (late.code, late.json["error"]["code"]) == (17, "conflict")
    assert late.json["error"]["ids"]["decision"]["by"] == "ada"


def test_a_rejection_fails_the_run_and_resuming_asks_again(weft):
    weft.write("flow.yaml", asking())
    weft("run", "flow.yaml")
    said = weft("reject", "last", "--why", "not yet")
    assert said.code == 10
    assert "rejected it: not yet" in said.err
    assert weft("resume", "last").code == 19
    assert weft("approve", "last", "ok", "--json").json["status"] == "completed"


def test_the_former_way_to_answer(weft):
    weft.write("flow.yaml", asking())
    run = weft("run", "flow.yaml", "--json").json["run_id"]
    assert weft("run", "flow.yaml", "--hitl-response", "go").code == 2
    assert weft("run", "--resume", run, "--hitl-response", "go", "--json").json["status"] == "completed"
    (value,) = [step["value"] for step in weft("show", run, "--json").json["steps"] if step["path"] == "/ok"]
    assert value["response"] == "go"


def test_choices_forms_and_assignees_are_held_to_on_the_command_line(weft):
    weft.write("flow.yaml", asking(FORM))
    assert weft("run", "flow.yaml").code == 19
    assert weft("approve", "last", "--set", "days=2").code == 11
    assert weft("approve", "last", "--by", "ada", "--set", "days=soon").code == 2
    assert weft("approve", "last", "--by", "ada", "--choice", "burn", "--set", "days=2").code == 2
    assert weft("approve", "last", "--by", "ada", "--set", "days").code == 2
    given = ("approve", "last", "--by", "ada", "--set", "days=2", "--set", "note=12", "--no-drive", "--json")
    said = weft(*given)
    assert said.json["decision"]["values"] == {"days": 2, "note": "12"}
    assert weft(*given).json["repeated"] is True
    assert weft("why", "last", "--json").json["waits_for"][0]["kind"] == "driver"
    assert weft("resume", "last").code == 0


def test_a_signal_wakes_a_run(weft):
    weft.write("flow.yaml", steps(("one", 0)) + "      - {wait: {signals: [paid]}}\n")
    assert weft("run", "flow.yaml").code == 19
    assert weft("signal", "last", "paid", "--data", "not json").code == 2
    assert weft("signal", "last", "other", "--no-drive", "--json").json["new"] is True
    said = weft("signal", "last", "paid", "--data", '{"euros": 12}', "--key", "k", "--json")
    assert (said.code, said.json["status"]) == (0, "completed")
    assert weft("signal", "last", "paid", "--key", "k", "--json").json["new"] is False
    assert weft("signal", "last", "paid").code == 17


def test_a_run_that_waits_for_time_alone_is_stayed_with(weft, monkeypatch):
    monkeypatch.setenv("WEFT_LIMITS__TIMER_S", "0")
    weft.write(
        "flow.yaml",
        steps(("one", 0)) + "      - {wait: {seconds: 1}}\n" + steps(("two", 0)).split("    steps:\n")[1],
    )
    begun = time.monotonic()
    said = weft("run", "flow.yaml")
    assert (said.code, weft.effects()) == (0, ["one", "two"])
    assert "Waiting until" in said.err
    assert time.monotonic() - begun >= 1


def test_at_a_terminal_the_gate_is_asked_and_the_run_goes_on(weft):
    weft.write("flow.yaml", asking(FORM.replace("        assignees: [ada]\n", "")))
    code, written = on_terminal(weft, "run", "flow.yaml", typed=b"1\nmany\n3\n\n")
    assert code == 0, written
    assert "Send it?" in written
    assert "draft slept" in written
    assert "is not of type 'integer'" in written
    (value,) = [step["value"] for step in weft("show", "last", "--json").json["steps"] if step["path"] == "/ok"]
    assert (value["choice"], value["values"]) == ("send", {"days": 3})


def test_at_a_terminal_an_empty_answer_leaves_the_run_waiting(weft):
    weft.write("flow.yaml", asking())
    code, written = on_terminal(weft, "run", "flow.yaml", typed=b"\n")
    assert code == 19
    assert "Left waiting." in written
    assert weft("approve", "last").code == 0


def test_a_tool_step_with_approval_waits_and_its_arguments_can_be_edited(weft):
    text = steps(("one", 0), effect="once").replace("effect: once}", "effect: once, approval: always}")
    weft.write("flow.yaml", text)
    assert weft("run", "flow.yaml").code == 19
    (gate,) = weft("gates", "--json").json["gates"]
    assert (gate["path"], gate["given"]) == ("/one/gate", {"name": "one", "seconds": 0})
    assert weft("approve", "last", "--set", "name=edited").code == 0
    assert weft.effects() == ["edited"]
    assert weft("run", "flow.yaml").code == 19
    assert weft("reject", "last").code == 10
    assert weft.effects() == ["edited"]
