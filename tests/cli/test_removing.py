"""Deleting runs: only those that have ended, with everything that is recorded of them, and the flags of `weft run` about keeping."""

import sqlite3

from tests.cli.conftest import steps


def rows(weft, table):
    with sqlite3.connect(weft.folder.parent / "home" / "journal.db") as connection:
        return connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]


def test_a_run_is_deleted_with_all_that_is_recorded_of_it(weft):
    weft.write("a.yaml", steps(("one", 0)))
    first, second = (weft("run", "a.yaml", "--json").json["run_id"] for _ in range(2))
    before = rows(weft, "events")
    assert weft("runs", "delete", first).code == 2
    said = weft("sessions", "delete", first, "-f", "--json")
    assert said.json == {"deleted": [first]}
    assert rows(weft, "events") == before // 2
    assert weft("show", first).code == 17
    assert weft("verify", second).code == 0
    assert weft("runs", "delete", first, "--force").code == 17


def test_nothing_in_any_table_names_a_run_that_was_deleted(weft):
    weft.write(
        "a.yaml",
        steps(("one", 0)).replace("{tool: nap, id: one, args: {name: one, seconds: 0}}", "{type: hitl, prompt: ok?}"),
    )
    run_id = weft("run", "a.yaml", "--json").json["run_id"]
    weft("signal", run_id, "news", "--no-drive")
    assert weft("approve", run_id).code == 0
    assert rows(weft, "gates") == rows(weft, "signals") == 1
    assert weft("runs", "delete", run_id, "-f").code == 0
    with sqlite3.connect(weft.folder.parent / "home" / "journal.db") as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")]
        dump = {name: str(connection.execute(f"SELECT * FROM {name}").fetchall()) for name in tables}
    # The audit log says for ever that there was one, and nothing else of it.
    assert [name for name, text in dump.items() if run_id in text] == ["audit"]


def test_a_run_that_has_not_ended_is_not_deleted(weft):
    weft.write("a.yaml", steps(("one", 0)))
    run_id = weft("run", "a.yaml", "--json").json["run_id"]
    with sqlite3.connect(weft.folder.parent / "home" / "journal.db") as connection:
        connection.execute("UPDATE runs SET status='waiting' WHERE id=?", (run_id,))
    said = weft("runs", "delete", run_id, "-f")
    assert said.code == 17
    assert "weft cancel" in said.err
    assert rows(weft, "runs") >= 1


def test_a_run_that_a_fork_is_made_of_stays(weft):
    weft.write("a.yaml", steps(("one", 0)))
    base, fork = (weft("run", "a.yaml", "--json").json["run_id"] for _ in range(2))
    with sqlite3.connect(weft.folder.parent / "home" / "journal.db") as connection:
        connection.execute("UPDATE runs SET base_run=?, base_seq=1 WHERE id=?", (base, fork))
    said = weft("runs", "delete", base, "-f")
    assert said.code == 17
    assert fork in said.err
    assert weft("runs", "cleanup", "--max-age-days", "0", "-f", "--json").json == {"deleted": [fork, base], "kept": []}
    assert rows(weft, "events") == 0


def test_cleaning_up_takes_what_is_old_enough_and_not_to_be_kept(weft):
    weft.write("good.yaml", steps(("one", 0)))
    weft.write("bad.yaml", steps(("one", -1)))
    good, bad = (weft("run", name, "--json").json["run_id"] for name in ("good.yaml", "bad.yaml"))
    assert weft("runs", "cleanup", "-f", "--json").json["deleted"] == []
    assert weft("sessions", "cleanup", "--max-age-days", "0", "--keep-completed", "-f", "--json").json["deleted"] == [
        bad
    ]
    assert weft("runs", "cleanup", "--max-age-days", "0").code == 2
    assert weft("runs", "cleanup", "--max-age-days", "0", "-f", "--json").json["deleted"] == [good]


def test_a_run_that_is_not_to_be_kept_leaves_nothing(weft, monkeypatch):
    # What the flags set is put back afterwards.
    for name in ("WEFT_LOG__LEVEL", "BYPASS_TOOL_CONSENT"):
        monkeypatch.setenv(name, "")
    weft.write("a.yaml", steps(("one", 0)))
    said = weft("run", "a.yaml", "--no-save-session", "--bypass-tool-consent", "--verbose")
    assert said.code == 0
    assert weft("runs", "list", "--json").json["runs"] == []
    assert weft("run", "a.yaml", "--no-save-session", "--detach").code == 2


def test_auto_resume_goes_on_with_the_last_run_that_stopped(weft):
    weft.write("a.yaml", steps(("one", 0), ("two", -1)))
    first = weft("run", "a.yaml", "--json").json
    assert first["status"] == "failed"
    again = weft("run", "a.yaml", "--auto-resume", "--json").json
    assert again["run_id"] == first["run_id"]
    assert (weft.folder / "effects.log").read_text().splitlines() == ["one"]
    weft.write("b.yaml", steps(("one", 0)))
    fresh = weft("run", "b.yaml", "--auto-resume", "--json").json
    assert fresh["status"] == "completed"
    assert weft("run", "b.yaml", "--auto-resume", "--json").json["run_id"] != fresh["run_id"]
