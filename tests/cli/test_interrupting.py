"""A run survives what happens to its process, and other processes can watch it and stop it."""

import json
import signal
from pathlib import Path

import pytest

from tests.cli.conftest import steps
from tests.waiting import until

SLOW = (("one", 0), ("two", 0), ("three", 100), ("four", 0))


def only_run(weft):
    (run,) = weft("runs", "list", "--json").json["runs"]
    return run


@pytest.mark.slow
def test_a_killed_run_resumes_without_doing_anything_twice(weft):
    weft.write("flow.yaml", steps(*SLOW))
    process = weft.start("run", "flow.yaml")
    weft.wait_for_effects(2)
    weft.wait_for_event("step.completed", "/two")
    process.kill()
    weft.finish(process)
    weft.wake()
    run = only_run(weft)
    assert (run["status"], run["driven"]) == ("running", False)
    assert "not driven" in weft("runs", "list").out
    assert weft("why", run["run_id"], "--json").json["waits_for"][0]["kind"] == "driver"
    said = weft("resume", "last")
    assert (said.code, said.out) == (0, "four slept\n")
    assert weft.effects().count("one") == weft.effects().count("two") == 1
    assert weft("verify", "last").code == 0


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_leaves_the_run_resumable_and_says_how(weft, number, code):
    weft.write("flow.yaml", steps(*SLOW))
    process = weft.start("run", "flow.yaml")
    weft.wait_for_effects(2)
    weft.wait_for_event("step.completed", "/two")
    process.send_signal(number)
    said = weft.finish(process)
    weft.wake()
    run = only_run(weft)
    assert said.code == code
    assert f"weft resume {run['run_id']}" in said.err
    assert "Traceback" not in said.err
    assert run["status"] == "waiting"
    assert weft("resume", run["run_id"]).code == 0
    assert [weft.effects().count(name) for name in ("one", "two", "four")] == [1, 1, 1]


@pytest.mark.slow
def test_an_interrupted_run_says_so_in_json(weft):
    weft.write("flow.yaml", steps(*SLOW))
    process = weft.start("run", "flow.yaml", "--json")
    weft.wait_for_effects(2)
    process.send_signal(signal.SIGINT)
    said = weft.finish(process)
    assert said.code == 130
    assert said.json["interrupted"] is True
    assert said.json["run_id"] == only_run(weft)["run_id"]


STOPS_ITSELF = """\
import os, pathlib, signal

def nap(name: str, seconds: float) -> str:
    return name

def fail(message: str) -> str:
    return message

if not (mark := pathlib.Path("loaded")).exists():
    mark.touch()
    os.kill(os.getpid(), signal.SIGINT)
"""
"""Tools are loaded when a run is created, before its first step."""


@pytest.mark.slow
def test_a_run_that_is_interrupted_before_its_first_step_has_the_status_of_its_row(weft):
    weft.write("flow.yaml", steps(("one", 0)))
    weft.write("napping.py", STOPS_ITSELF)
    said = weft.finish(weft.start("run", "flow.yaml", "--json"))
    assert said.code == 130
    weft.wake()
    assert (said.json["interrupted"], said.json["status"]) == (True, only_run(weft)["status"])
    assert weft("events", "last", "--json").json[-1]["kind"] in {"run.created", "run.started", "run.waiting"}
    assert weft("resume", "last").code == 0


@pytest.mark.slow
def test_a_second_signal_ends_the_process_and_harms_nothing(weft):
    weft.write("flow.yaml", steps(*SLOW))
    process = weft.start("run", "flow.yaml")
    weft.wait_for_effects(2)
    weft.wait_for_event("step.completed", "/one")
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    assert weft.finish(process).code == 130
    weft.wake()
    assert weft("verify", "last").code == 0
    assert weft("resume", "last").code == 0
    assert weft.effects().count("one") == 1


@pytest.mark.slow
def test_a_detached_run_is_watched_and_cancelled_by_other_processes(weft):
    weft.write("flow.yaml", steps(("one", 0), ("two", 100), ("three", 0)))
    said = weft.finish(weft.start("run", "flow.yaml", "--detach"))
    run_id = said.out.strip()
    assert said.code == 0
    assert only_run(weft)["run_id"] == run_id
    follower = weft.start("events", run_id, "--follow", "--json")
    weft.wait_for_effects(1)
    cancelled = weft("cancel", run_id, "--reason", "enough", "--json")
    assert (cancelled.code, cancelled.json.get("status")) == (0, "cancelled"), (cancelled.out, cancelled.err)
    kinds = [json.loads(line)["kind"] for line in weft.finish(follower).out.splitlines()]
    assert kinds[0] == "run.created"
    assert kinds[-1] == "run.cancelled"
    assert weft.effects() == ["one"]
    assert weft("cancel", run_id).code == 17


@pytest.mark.slow
def test_a_detached_run_finishes_on_its_own_and_leaves_a_log(weft):
    weft.write("flow.yaml", steps(("one", 0)))
    data = weft.finish(weft.start("run", "flow.yaml", "--detach", "--json")).json
    assert data["status"] == "queued"
    until(lambda: "one slept" in Path(data["log"]).read_text())
    assert weft("show", data["run_id"], "--json").json["status"] == "completed"


@pytest.mark.slow
def test_a_run_that_is_cancelled_from_elsewhere_exits_with_10_and_says_so(weft):
    weft.write("flow.yaml", steps(("one", 0), ("two", 100)))
    process = weft.start("run", "flow.yaml")
    weft.wait_for_effects(1)
    assert weft("cancel", "last").code == 0
    said = weft.finish(process)
    assert said.code == 10
    assert "was cancelled" in said.err


@pytest.mark.slow
def test_a_second_driver_is_refused_while_the_first_lives(weft):
    weft.write("flow.yaml", steps(("one", 0), ("two", 100)))
    weft.start("run", "flow.yaml")
    weft.wait_for_effects(1)
    weft.wait_for_event("", "/two")
    said = weft("resume", "last")
    assert said.code == 17
    assert "another process is driving" in said.err
    assert weft("why", "last").out.count("/two") == 1


@pytest.mark.slow
def test_a_doubtful_step_waits_for_a_person_who_settles_it(weft):
    weft.write("flow.yaml", steps(("one", 0), ("two", 100), effect="once"))
    process = weft.start("run", "flow.yaml")
    weft.wait_for_effects(1)
    weft.wait_for_event("", "/two")
    process.kill()
    weft.finish(process)
    waiting = weft("resume", "last")
    assert waiting.code == 19
    assert "--did /two=yes" in waiting.err
    assert weft("resume", "last", "--json").json["waits_for"][0]["path"] == "/two"
    assert weft("why", "last", "--json").json["waits_for"][0]["kind"] == "doubt"
    assert weft("resume", "last", "--did", "/nowhere=yes").code == 2
    assert weft("resume", "last", "--did", "/two").code == 2
    settled = weft("resume", "last", "--did", "/two=yes", "--json")
    assert (settled.code, settled.json["status"]) == (0, "completed")
    assert weft.effects() == ["one"]


@pytest.mark.slow
def test_ten_processes_in_one_home_all_finish(weft):
    weft.write("flow.yaml", steps(("one", 0.1), ("two", 0.1)))
    processes = [weft.start("run", "flow.yaml", "--quiet") for _ in range(10)]
    said = [weft.finish(process, timeout=120) for process in processes]
    assert [one.code for one in said] == [0] * 10, [one.err for one in said]
    runs = weft("runs", "list", "--status", "completed", "--json").json["runs"]
    assert len({run["run_id"] for run in runs}) == 10
    assert all(weft("verify", run["run_id"]).code == 0 for run in runs)
