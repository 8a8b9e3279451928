"""Schedules, triggers and the worker from the command line, in processes of their own where processes matter."""

import json
import re
import signal
import time

import pytest

from tests.cli.conftest import steps

pytestmark = pytest.mark.slow

GREETING = """\
version: 1
name: greeting
runtime: {provider: offline, model_id: extract}
agents: {writer: {prompt: Write one line.}}
inputs: {values: {path: nothing}}
pattern: {type: chain, config: {steps: [{agent: writer, input: "Here is {{ path }}."}]}}
"""


@pytest.fixture
def greeting(weft):
    return weft.write("greeting.yaml", GREETING)


def firings(weft, name):
    return weft("schedules", "show", name, "--json").json["firings"]


def wait_until(true, *, timeout=90.0):
    deadline = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_schedule_is_added_shown_paused_resumed_and_removed(weft, greeting):
    added = weft(
        "schedules", "add", greeting, "--cron", "0 8 * * 1-5", "--tz", "Europe/Berlin", "--var", "path=x", "--json"
    )
    assert (added.code, added.json["name"], added.json["variables"]) == (0, "greeting", {"path": "x"})
    times = weft("schedules", "next", "greeting", "-n", "3", "--json").json["next"]
    assert times[0] == added.json["next"]
    assert all(re.search(r"T0[67]:00:00\.000Z$", at) for at in times)
    assert "0 8 * * 1-5 (Europe/Berlin)" in weft("schedules", "list").out
    assert weft("triggers", "list").out == ""
    paused = weft("schedules", "pause", "greeting", "--json").json
    assert (paused["paused"], paused["next"]) == (True, None)
    assert "(paused)" in weft("schedules", "show", "greeting").out
    assert weft("schedules", "resume", "greeting", "--json").json["next"] == times[0]
    assert weft("schedules", "remove", "greeting").code == 0
    assert weft("schedules", "list", "--json").json == {"automations": []}


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--cron", "61 8 * * *"], "input", "bad minute"),
        (["--cron", "0 8 * * *", "--tz", "Mars/Olympus"], "input", "no time zone"),
        (["--every", "soon"], "input", "no length of time"),
        (["--every", "0s"], "input", "--every cannot be 0"),
        (["--every", "1h", "--jitter", "2d"], "input", "--jitter cannot be 172800"),
        (["--every", "1h", "--cron", "* * * * *"], "input", "either a cron expression or a length"),
        ([], "input", "either a cron expression or a length"),
        (["--every", "1h", "--name", "a b"], "input", "cannot be the name"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused_with_a_way_out(weft, greeting, options, code, said):
    refused = weft("schedules", "add", greeting, *options, "--json")
    error = refused.json["error"]
    assert (refused.code, error["code"]) == (2, code)
    assert said in error["message"]
    assert error["fix"]
    assert weft("schedules", "list", "--json").json == {"automations": []}


def test_a_workflow_with_problems_and_an_input_that_lacks_are_found_when_it_is_added(weft):
    broken = weft.write("broken.yaml", GREETING.replace("agent: writer", "agent: nobody"))
    assert weft("schedules", "add", broken, "--every", "1h").code == 3
    needy = weft.write(
        "needy.yaml", GREETING.replace("values: {path: nothing}", "required: {topic: string, path: string}")
    )
    refused = weft("schedules", "add", needy, "--every", "1h", "--json")
    assert (refused.code, "topic" in refused.json["error"]["message"]) == (2, True)
    assert weft("triggers", "add", needy, "--folder", ".", "--var", "topic=x").code == 0


def test_a_file_and_the_end_of_its_run_each_start_one(weft, greeting):
    inbox = weft.folder / "in"
    inbox.mkdir()
    (inbox / "report.txt").write_text("numbers")
    assert weft("triggers", "add", greeting, "--folder", inbox, "--settle", "0", "--pattern", "*.txt").code == 0
    after = weft.write(
        "after.yaml",
        GREETING.replace("greeting", "after")
        .replace("path: nothing", "response: none")
        .replace("{{ path }}", "{{ response }}"),
    )
    added = weft(
        "triggers", "add", after, "--after", "greeting", "--status", "completed", "--status", "failed", "--json"
    )
    assert added.json["rule"]["statuses"] == ["completed", "failed"]
    done = weft("worker", "--once")
    assert (done.code, "warning" in done.err) == (0, False)
    runs = {run["workflow"]: run for run in weft("runs", "list", "--json").json["runs"]}
    assert runs["greeting"]["status"] == runs["after"]["status"] == "completed"
    shown = weft("show", runs["after"]["run_id"], "--json").json
    assert str(inbox / "report.txt") in json.dumps(shown)
    assert weft("worker", "--once").code == 0
    assert len(weft("runs", "list", "--json").json["runs"]) == 2


def test_a_trigger_has_one_cause(weft, greeting):
    for options in ([], ["--folder", ".", "--after", "x"]):
        assert weft("triggers", "add", greeting, *options).code == 2
    wrong = weft("triggers", "add", greeting, "--after", "x", "--status", "happy")
    assert (wrong.code, "completed" in wrong.err) == (2, True)


def test_what_is_pinned_does_not_start_once_the_workflow_has_changed(weft, greeting):
    for name, options in (("pinned", ["--pin"]), ("follows", [])):
        assert weft("schedules", "add", greeting, "--every", "1s", "--name", name, *options).code == 0
    greeting.write_text(GREETING.replace("Write one line.", "Write two lines."))
    time.sleep(1.1)
    weft("worker", "--once")
    refused = firings(weft, "pinned")[0]
    assert (refused["status"], "has changed" in refused["reason"]) == ("refused", True)
    assert any(one["status"] == "started" for one in firings(weft, "follows"))
    assert {run["workflow"] for run in weft("runs", "list", "--json").json["runs"]} == {"greeting"}


def test_a_worker_that_is_told_to_stop_leaves_its_run_to_the_next_one(weft):
    weft.write("naps.yaml", steps(("one", 0), ("two", 100)))
    weft("schedules", "add", "naps.yaml", "--every", "1s", "--name", "s")
    worker = weft.start("worker", "--json", "--drain", "0.2")
    weft.wait_for_effects(1)
    weft("schedules", "remove", "s")
    worker.send_signal(signal.SIGTERM)
    said = weft.finish(worker)
    events = [json.loads(line) for line in said.out.splitlines()]
    assert (said.code, [events[0]["event"], events[-1]["event"]]) == (0, ["ready", "stopped"])
    [draining] = [one for one in events if one["event"] == "draining"]
    [left] = [run for run in weft("runs", "list", "--json").json["runs"] if run["run_id"] in draining["runs"]]
    assert left["status"] not in {"completed", "failed", "cancelled"}
    weft.wake()
    again = weft.finish(weft.start("worker", "--once"))
    assert (again.code, f"completed  run_id={left['run_id']}" in again.err) == (0, True)


def test_one_of_two_workers_is_killed_and_every_time_still_has_exactly_one_run(weft):
    weft.write("naps.yaml", steps(("one", 0.3), ("two", 0.3)))
    added = weft("schedules", "add", "naps.yaml", "--every", "2s", "--overlap", "allow", "--name", "s", "--json").json
    first, second = weft.start("worker"), weft.start("worker")
    wait_until(lambda: len(firings(weft, "s")) >= 3)
    first.send_signal(signal.SIGKILL)
    seen = len(firings(weft, "s"))
    wait_until(lambda: len(firings(weft, "s")) >= seen + 3)
    weft("schedules", "pause", "s")
    second.send_signal(signal.SIGTERM)
    assert weft.finish(second).code == 0
    assert weft.finish(weft.start("worker", "--once")).code == 0
    found = firings(weft, "s")
    runs = weft("runs", "list", "--json", "--limit", "500").json["runs"]
    assert {one["status"] for one in found} == {"started"}
    assert sorted(one["run_id"] for one in found) == sorted(run["run_id"] for run in runs)
    assert {run["status"] for run in runs} == {"completed"}
    assert min(one["nominal"] for one in found) == added["next"]
    fraction = added["next"][-5:]
    assert {one["nominal"][-5:] for one in found} == {fraction}
    assert len({one["nominal"] for one in found}) == len(found)
