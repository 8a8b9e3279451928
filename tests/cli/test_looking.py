"""Commands that look at runs: what they show, how runs are named, and what JSON they print."""

import json
import sqlite3

import pytest

from tests.cli.conftest import steps


@pytest.fixture
def runs(weft):
    """Three runs: two completed ones, and the newest, which failed."""
    weft.write("good.yaml", steps(("one", 0), ("two", 0)))
    weft.write("bad.yaml", steps(("one", 0), ("two", -1)).replace("name: naps", "name: broken"))
    return [weft("run", name, "--json").json["run_id"] for name in ("good.yaml", "good.yaml", "bad.yaml")]


def test_a_fresh_home_has_no_runs_and_says_how_to_start_one(weft):
    said = weft("runs", "list")
    assert (said.code, said.out) == (0, "")
    assert "weft run FILE" in said.err
    assert weft("runs", "list", "--json").json == {"runs": [], "next": None}
    said = weft("show", "last")
    assert said.code == 17
    assert "there are no runs yet" in said.err


def test_lists_filter_and_page(weft, runs):
    def ids(*flags):
        return [run["run_id"] for run in weft("runs", "list", "--json", *flags).json["runs"]]

    assert ids() == runs[::-1]
    assert ids("--status", "completed") == [runs[1], runs[0]]
    assert ids("--workflow", "broken") == [runs[2]]
    first = weft("runs", "list", "--json", "--limit", "2").json
    assert first["next"] == runs[1]
    assert ids("--limit", "2", "--before", first["next"]) == [runs[0]]
    assert weft("runs", "list", "--status", "lost").code == 2
    assert weft("runs", "list", "--limit", "0").code == 2
    human = weft("runs", "list", "--limit", "2")
    assert all(run in human.out for run in runs[1:])
    assert f"--before {runs[1]}" in human.err


@pytest.mark.slow
def test_runs_are_named_by_id_beginning_end_or_last(weft, runs):
    for name in (runs[2], runs[2][-8:], "last"):
        assert weft("show", name, "--json").json["run_id"] == runs[2]
    ambiguous = weft("show", runs[0][:2])
    assert ambiguous.code == 2
    assert "several runs" in ambiguous.err
    for command in ("show", "events", "why", "verify", "resume", "cancel"):
        said = weft(command, "nothing-like-it", "--json")
        assert (said.code, said.json["error"]["code"]) == (17, "not-found")


def test_show_prints_the_tree_and_the_outputs(weft, runs):
    said = weft("show", runs[0])
    assert said.code == 0
    assert [word for word in ("naps", "completed", "one", "two", "Outputs", "two slept") if word not in said.out] == []
    assert '"seconds"' not in said.out
    assert '"seconds"' in weft("show", runs[0], "--prompts").out
    failed = weft("show", runs[2]).out
    assert "no luck" in failed
    assert "at /two" in failed
    data = weft("show", runs[2], "--json").json
    assert [(step["path"], step["status"]) for step in data["steps"]] == [("/one", "completed"), ("/two", "failed")]
    assert data["error"]["code"] == "tool"


def test_events_are_one_a_line_for_people_and_a_list_for_programs(weft, runs):
    human = weft("events", runs[0]).out.splitlines()
    data = weft("events", runs[0], "--json").json
    assert [event["seq"] for event in data] == list(range(1, len(human) + 1))
    assert data[0]["kind"] == "run.created"
    assert data[-1]["kind"] == "run.completed"
    assert weft("events", runs[0], "--json", "--after", "3").json == data[3:]
    followed = weft("events", runs[0], "--follow", "--json").out.splitlines()
    assert [json.loads(line) for line in followed] == data


def test_a_run_that_has_ended_waits_for_nothing(weft, runs):
    assert "has ended (completed)" in weft("why", runs[0]).out
    assert weft("why", runs[0], "--json").json["waits_for"] == []


def test_a_completed_run_cannot_be_resumed_or_cancelled(weft, runs):
    for command in ("resume", "cancel"):
        said = weft(command, runs[0])
        assert said.code == 17
        assert "ended" in said.err


def test_verify_names_the_first_bad_event(weft, runs, tmp_path):
    assert weft("verify", runs[0], "--json").json["intact"] is True
    with sqlite3.connect(tmp_path / "home" / "journal.db") as database:
        database.execute("UPDATE events SET path='/elsewhere' WHERE run_id=? AND seq=3", (runs[0],))
    database.close()
    said = weft("verify", runs[0])
    assert said.code == 17
    assert "event 3" in said.out
    assert weft("verify", runs[0], "--json").json["first_bad"]["seq"] == 3
    assert weft("verify", runs[1]).code == 0


def test_verify_names_the_field_of_a_row_that_is_not_as_the_events_say(weft, runs, tmp_path):
    fits = weft("verify", runs[0], "--json").json
    assert (fits["row"], fits["unproven"]) == ([], [])
    with sqlite3.connect(tmp_path / "home" / "journal.db") as database:
        database.execute("UPDATE runs SET status='failed', principal='eve' WHERE id=?", (runs[0],))
        database.execute("UPDATE runs SET inputs='nonsense' WHERE id=?", (runs[1],))
    database.close()
    said = weft("verify", runs[0])
    assert said.code == 17
    assert "its row is not as they say" in said.out
    assert "principal is eve, event 1 (run.created) says local" in said.out
    found = weft("verify", runs[0], "--json").json
    assert (found["intact"], found["first_bad"]) == (False, None)
    assert [(flaw["field"], flaw["stored"], flaw["told"]) for flaw in found["row"]] == [
        ("principal", "eve", "local"),
        ("status", "failed", "completed"),
    ]
    checked = weft("db", "check")
    assert checked.code == 10
    assert f"run {runs[0]}: in its row, status is failed, event" in checked.err
    assert f"run {runs[1]}: in its row, inputs is no JSON, event 1 (run.created) says" in checked.err
    unreadable = weft("show", runs[1])
    assert unreadable.code == 17
    assert f"the row of run {runs[1]} cannot be read" in unreadable.err


def test_sessions_is_the_former_name_of_runs(weft, runs):
    assert weft("sessions", "list", "--json").json == weft("runs", "list", "--json").json
    assert weft("sessions", "show", runs[0]).out == weft("show", runs[0]).out
    assert "sessions" not in weft("--help").out


def test_what_a_run_holds_cannot_steer_the_terminal(weft):
    weft.write("flow.yaml", steps(("one", 0)).replace("name: one, sec", 'name: "\\x1b[2Jgone\\x9b0m", sec'))
    assert weft("run", "flow.yaml", "--quiet").code == 0
    for command in ("show", "events"):
        said = weft(command, "last")
        assert "gone" in said.out
        assert "\x1b[2J" not in said.out
        assert "\x9b" not in said.out


def test_config_shows_where_each_setting_comes_from(weft, monkeypatch):
    weft.write("weft.toml", "[limits]\ncalls = 7\n")
    rows = {row["name"]: row for row in weft("config", "--json").json["settings"]}
    assert rows["limits.calls"]["value"] == 7
    assert rows["limits.calls"]["source"].endswith("weft.toml:2")
    assert rows["home"]["source"] == "WEFT_HOME"
    human = weft("config").out
    assert "weft.toml:2" in human
    monkeypatch.setenv("WEFT_LIMITS__CALLS", "none")
    wrong = weft("config")
    assert wrong.code == 2
    assert "WEFT_LIMITS__CALLS" in wrong.err


def test_doctor_says_what_is_missing(weft, monkeypatch, tmp_path):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    said = weft("doctor", "--json")
    assert (said.code, said.json["ready"]) == (0, True)
    assert "OPENAI_API_KEY" in weft("doctor").out
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("WEFT_HOME", str(tmp_path / "file" / "home"))
    broken = weft("doctor", "--json")
    assert (broken.code, broken.json["ready"]) == (10, False)
