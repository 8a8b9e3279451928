"""Schedules and triggers that stand in files: made active, changed and forgotten from the command line."""

import time

import pytest

from tests.cli.test_automation import GREETING, firings

SAYS = GREETING.replace(
    "version: 1", 'version: 1\nschedule: {cron: "0 8 * * *", timezone: Europe/Berlin, catch_up: 2h}'
)
TWO = GREETING + "schedule: [{name: a, every: 1h}, {name: b, every: 2h, inputs: {path: y}}]\n"


@pytest.fixture
def says(weft):
    return weft.write("greeting.yaml", SAYS)


def listed(weft):
    found = (
        weft("schedules", "list", "--json").json["automations"] + weft("triggers", "list", "--json").json["automations"]
    )
    return {one["name"]: one for one in found}


def changes(said):
    return {what: [one["name"] for one in found] for what, found in said.json.items() if found}


def test_running_or_checking_a_file_makes_nothing_active(weft, says):
    assert weft("validate", says).code == 0
    assert weft("run", says).code == 0
    assert weft("worker", "--once").code == 0
    assert listed(weft) == {}


def test_a_file_becomes_active_by_either_command_and_says_the_same_as_options(weft, says):
    assert changes(weft("schedules", "add", says, "--json")) == {"added": ["greeting"]}
    assert changes(weft("schedules", "sync", says, "--json")) == {"unchanged": ["greeting"]}
    written = listed(weft)["greeting"]
    options = ["--cron", "0 8 * * *", "--tz", "Europe/Berlin", "--catch-up", "2h", "--name", "other"]
    by_hand = weft("schedules", "add", says, *options, "--json").json
    assert (written["written"], by_hand["written"]) == (True, False)
    assert {**written["rule"], "since": 0} == {**by_hand["rule"], "since": 0}
    assert written["next"] == by_hand["next"]


def test_the_journal_follows_the_file_and_nothing_else(weft):
    file = weft.write("greeting.yaml", TWO)
    weft("schedules", "add", file, "--every", "3h", "--name", "mine")
    assert changes(weft("schedules", "sync", file, "--json")) == {"added": ["a", "b"]}
    weft("schedules", "pause", "a")
    file.write_text(GREETING + "schedule: [{name: a, every: 4h}, {name: c, every: 2h}]\n")
    said = weft("schedules", "sync", file)
    assert [line.split(":")[0] for line in said.out.splitlines()] == ["added  c", "changed  a", "removed  b"]
    found = listed(weft)
    assert {name: (one["rule"]["every"], one["paused"]) for name, one in found.items()} == {
        "a": (4 * 3600, True),
        "c": (2 * 3600, False),
        "mine": (3 * 3600, False),
    }
    file.write_text(GREETING)
    assert changes(weft("schedules", "sync", file, "--json")) == {"removed": ["a", "c"]}
    assert listed(weft).keys() == {"mine"}


def test_a_folder_is_all_or_nothing_and_forgets_files_that_are_gone(weft):
    flows = weft.folder / "flows"
    (flows / "deep").mkdir(parents=True)
    (flows / "in").mkdir()
    (flows / "two.yaml").write_text(TWO)
    third = flows / "deep" / "third.yaml"
    third.write_text(GREETING.replace("greeting", "third") + "triggers: {folder: ../in, input: path}\n")
    (flows / "notes.yaml").write_text("just: notes\n")
    (flows / "broken.yaml").write_text("a: [\n")
    assert changes(weft("schedules", "sync", flows, "--json")) == {"added": ["a", "b", "third"]}
    assert listed(weft)["third"]["rule"]["folder"] == str(flows / "in")
    third.write_text(third.read_text().replace("{folder", "{foldr"))
    wrong = weft("schedules", "sync", flows, "--json")
    assert (wrong.code, "foldr" in wrong.out) == (3, True)
    third.write_text("a: [\n")
    assert weft("schedules", "sync", flows).code == 3
    assert listed(weft).keys() == {"a", "b", "third"}
    third.unlink()
    assert changes(weft("schedules", "sync", flows, "--json")) == {"unchanged": ["a", "b"], "removed": ["third"]}


def test_a_name_that_is_taken_is_nobody_elses(weft):
    file = weft.write("greeting.yaml", TWO)
    weft("schedules", "add", file, "--every", "3h", "--name", "b")
    refused = weft("schedules", "sync", file, "--json").json["error"]
    assert (refused["code"], "'b'" in refused["message"]) == ("conflict", True)
    assert listed(weft).keys() == {"b"}


def test_a_file_that_says_nothing_and_options_beside_what_it_says_are_refused(weft, says):
    silent = weft.write("silent.yaml", GREETING)
    for command in ("sync", "add"):
        refused = weft("schedules", command, silent, "--json").json["error"]
        assert (refused["code"], "neither `schedule` nor `triggers`" in refused["message"]) == ("input", True)
    for options in (["--name", "x"], ["--tz", "Asia/Tokyo"], ["--var", "path=1"]):
        assert weft("schedules", "add", says, *options).code == 2
    assert listed(weft) == {}


@pytest.mark.slow
def test_a_worker_makes_its_folder_active_and_starts_what_is_due(weft):
    flows = weft.folder / "flows"
    flows.mkdir()
    (flows / "often.yaml").write_text(
        GREETING.replace("greeting", "often") + "schedule: {every: 1, inputs: {path: tea}}\n"
    )
    said = weft("worker", flows, "--once")
    assert (said.code, "synced  added=often" in said.err) == (0, True)
    time.sleep(1.1)
    assert "synced  unchanged=often" in weft("worker", flows, "--once").err
    # A time that comes while the run before goes on is skipped.
    assert "started" in {one["status"] for one in firings(weft, "often")}
    [run, *_] = weft("runs", "list", "--workflow", "often", "--json").json["runs"]
    assert (run["status"], "tea" in weft("show", run["run_id"]).out) == ("completed", True)
    weft.write("wrong.yaml", "version: 1\n")
    assert weft("worker", "wrong.yaml", "--once").code == 3
