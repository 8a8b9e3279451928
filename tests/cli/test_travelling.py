"""Time travel from the command line."""

from __future__ import annotations

import json
import sqlite3

import pytest

from tests.cli.conftest import steps


@pytest.fixture
def run(weft):
    """A completed run of two steps."""
    weft.write("two.yaml", steps(("one", 0), ("two", 0)))
    return weft("run", "two.yaml", "--json").json["run_id"]


def effects(weft) -> list[str]:
    return (weft.folder / "effects.log").read_text(encoding="utf-8").split()


def test_a_fork_shares_the_past_and_goes_on_alone(weft, run):
    said = weft("fork", run, "--at", "one", "--json")
    assert said.code == 0, said.err
    made = said.json["run_id"]
    assert said.json["status"] == "completed"
    assert effects(weft) == ["one", "two", "two"]
    assert weft("verify", made).code == weft("verify", run).code == 0
    listed = {each["run_id"]: each for each in weft("runs", "list", "--json").json["runs"]}
    assert listed[made]["forked_from"]["run_id"] == run
    assert listed[run]["forked_from"] is None
    assert f"fork of {run}" in weft("show", made).out
    assert f"fork of {run[-12:]}" in weft("runs", "list").out


def test_a_fork_can_wait_and_have_other_values(weft, run):
    said = weft("fork", run, "--at", "/one", "--set", "/one.response=another", "--no-drive", "--json")
    made = said.json["run_id"]
    assert effects(weft) == ["one", "two"]
    (line,) = [line for line in weft("diff", run, made, "--json").json["lines"] if line["path"] == "/one"]
    assert (line["change"], line["second"]["status"]) == ("changed", "edited")
    assert weft("resume", made).code == 0
    assert weft("replay", made).code == 0


def test_rerun_does_a_step_again(weft, run):
    said = weft("rerun", run, "--from", "two", "--json")
    assert said.json["status"] == "completed", said.err
    assert effects(weft) == ["one", "two", "two"]
    assert weft("rerun", run, "--from", "/one").code == 0
    assert effects(weft)[3:] == ["one", "two"]


def test_what_cannot_be_forked_is_refused_with_what_to_do(weft, run):
    for flags, code, says in (
        (["--at", "onne"], 17, "did you mean '/one'?"),
        (["--at", "999"], 2, "its events are 1 to"),
        (["--set", "topic"], 2, "--set topic=rain"),
        (["--set", "nowhere=1"], 17, "its values"),
    ):
        said = weft("fork", run, *flags)
        assert said.code == code, said.err
        assert says in said.err
    assert weft("discard", run).code == 2
    assert weft("fork", "nothing-like-it", "--json").json["error"]["code"] == "not-found"


def test_a_replay_performs_nothing_and_names_the_first_difference(weft, run):
    said = weft("replay", run, "--json")
    assert (said.code, said.json["same"], said.json["first_difference"]) == (0, True, None)
    assert "all the same" in weft("replay", run).out
    assert effects(weft) == ["one", "two"]


def test_a_changed_journal_is_not_replayed(weft, run):
    (path,) = weft.folder.parent.rglob("journal.db")
    with sqlite3.connect(path) as database:
        database.execute("UPDATE events SET data=? WHERE seq=3", (b'{"value":1}',))
    database.close()
    assert weft("replay", run).code == 17


def test_a_run_is_shown_as_it_was(weft, run):
    events = weft("events", run, "--json").json
    first = next(event["seq"] for event in events if event["kind"] == "step.completed")
    shown = weft("show", run, "--at", str(first), "--json").json
    assert (shown["status"], shown["events"], shown["outputs"]) == ("running", first, None)
    assert [step["path"] for step in shown["steps"]] == ["/one"]
    assert weft("show", run, "--at", str(len(events)), "--json").json["status"] == "completed"
    assert weft("show", run, "--at", "999").code == 2
    assert "weft resume" not in weft("show", run, "--at", str(first)).out, "the run is over now"


def test_a_line_has_a_current_run_and_forks_can_be_dropped(weft, run):
    made = weft("fork", run, "--json").json["run_id"]
    assert weft("promote", made).code == 0
    marked = {each["run_id"]: each["current"] for each in weft("runs", "list", "--json").json["runs"]}
    assert marked == {run: False, made: True}
    assert " *" in weft("runs", "list").out
    assert weft("discard", made).code == 17
    weft("promote", run)
    assert json.loads(weft("discard", made, "--json").out) == {"discarded": [made]}
    assert weft("show", made).code == 17


def test_two_runs_are_compared_path_by_path(weft, run):
    other = weft("run", "two.yaml", "--json").json["run_id"]
    said = weft("diff", run, other, "--json").json
    assert said["lines"] == []
    assert said["same"] > 2
    assert "different" in weft("diff", run, other, "--all").out
