"""The commands against a running service: they print what they print over the same journal on this machine."""

import json
import re
import signal

import pytest

from tests.cli.test_terminals import on_terminal
from tests.server.control.service import BRIEF, Api, Served
from tests.waiting import until
from weft.store.journal import Journal

pytestmark = pytest.mark.slow
LATER = """\
version: 1
name: later
runtime: {provider: offline, model_id: extract}
agents: {reader: {prompt: Say it.}}
pattern: {type: chain, config: {steps: [{wait: {seconds: 2}}, {agent: reader, input: "It is over."}]}}
"""
OWN = {"options"}
"""What only the machine of the service knows of a run: where its files are."""


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    one = Served(tmp_path_factory.mktemp("service"), WEFT_LIMITS__TIMER_S="0").start()
    yield one
    one.kill()


@pytest.fixture(scope="module")
def api(served):
    with Api(served.url) as api:
        yield api


@pytest.fixture
def both(weft, served, monkeypatch):
    """A command over the service, and over its journal on this machine; what they said, after checking that it is the same."""

    def call(*args, but=frozenset()):
        monkeypatch.setenv("WEFT_HOME", str(served.home))
        here, there = weft(*args), weft(*args, "--server", served.url)
        assert there.code == here.code, there.err + there.out
        if "--json" in args:
            one, other = (
                [json.loads(line) for line in said.out.splitlines()] if "--follow" in args else said.json
                for said in (here, there)
            )
            assert without(other, but) == without(one, but)
        else:
            assert (there.out, there.err) == (here.out, here.err)
        return there

    return call


def without(data, names):
    if isinstance(data, dict):
        return {name: without(value, names) for name, value in data.items() if name not in names}
    return [without(one, names) for one in data] if isinstance(data, list) else data


@pytest.fixture
def remote(weft, served):
    return lambda *args: weft(*args, "--server", served.url)


def test_runs_are_looked_at_like_those_of_this_machine(both, api):
    done = api.run("brief", text="Rain fell.")["id"]
    waiting = api.run("letter", note="We meet at noon.")["id"]
    fork = api.post(f"/runs/{done}/fork", {"at": 3}, expect=201)["id"]
    api.settled(fork)
    api.post(f"/runs/{fork}/promote")
    for run in (done, waiting, fork, done[:-4], done[6:]):
        both("show", run)
        both("show", run, "--json", but=OWN)
    for args in (
        ("runs", "list"),
        ("runs", "list", "--status", "waiting"),
        ("runs", "list", "--limit", "1"),
        ("runs", "list", "--before", fork),
        ("show", done, "--prompts"),
        ("show", done, "--at", "5"),
        ("show", done, "--format", "mermaid"),
        ("show", done, "--reasoning"),
        ("events", done),
        ("events", done, "--after", "3"),
        ("events", done, "--follow"),
        ("events", waiting, "--follow"),
        ("why", waiting),
        ("why", done),
        ("verify", done),
        ("diff", done, fork),
        ("diff", done, fork, "--all"),
        ("replay", done),
        ("gates",),
        ("plans", "list"),
        ("schedules", "list"),
        ("triggers", "list"),
        ("show", "nothing"),
        ("show", "0"),
        ("resume", done),
        ("cancel", done),
        ("promote", fork),
    ):
        both(*args)
        both(*args, "--json", but=OWN)


def test_a_row_that_was_changed_is_named_over_the_service_too(both, api, served):
    run = api.run("brief", text="Hail fell.")["id"]
    journal = Journal(served.journal)
    journal.writer.call(lambda connection: connection.execute("UPDATE runs SET principal='eve' WHERE id=?", (run,)))
    journal.close()
    assert both("verify", run).code == 17
    found = both("verify", run, "--json").json
    assert (found["intact"], [flaw["field"] for flaw in found["row"]]) == (False, ["principal"])


def test_a_file_is_registered_there_and_run(weft, remote, served, api, monkeypatch):
    file = weft.write("flow.yaml", BRIEF.replace("name: brief", "name: from-here"))
    over = remote("run", file, "--var", "text=Snow fell.", "--out", "there")
    here = weft("run", file, "--var", "text=Snow fell.", "--out", "here")
    assert (over.code, over.out) == (here.code, here.out) == (0, over.out)
    assert (weft.folder / "there/notes/said.md").read_bytes() == (weft.folder / "here/notes/said.md").read_bytes()
    same = re.compile(r"[0-9a-f-]{36}|[\d:]{8}|\d+(\.\d+)? m?s")
    assert same.sub("", over.err).replace("there/", "here/") == same.sub("", here.err)
    assert api.get("/workflows/from-here")["version"] == 1
    again = remote("run", file, "--var", "text=Hail fell.", "--json")
    assert again.json["status"] == "completed"
    assert api.get("/workflows/from-here")["version"] == 1
    kept = remote("run", file, "--var", "text=Sun.", "--out", "there")
    assert kept.code == 0 and "stays as it is" in kept.err
    forced = remote("run", file, "--var", "text=Sun.", "--out", "there", "--force")
    assert "Sun." in (weft.folder / "there/notes/said.md").read_text() and forced.code == 0
    with_problem = weft.write("wrong.yaml", BRIEF.replace("prompt:", "promt:"))
    wrong = remote("run", with_problem)
    assert wrong.code == 3 and "wrong.yaml:6" in wrong.err


def test_a_name_is_a_workflow_of_the_service(remote):
    done = remote("run", "brief", "--var", "text=Rain.", "--json")
    assert done.code == 0 and done.json["workflow"] == "brief"
    assert remote("run", "breif").code == 17
    missing = remote("run", "brief", "--ask")
    assert missing.code == 2 and "--var text=" in missing.err
    left = remote("run", "letter", "--var", "note=x", "--detach", "--json")
    assert left.json["status"] == "queued"


def test_people_answer_over_the_service(remote, api):
    waiting = remote("run", "letter", "--var", "note=We meet at noon.", "--json")
    run = waiting.json["run_id"]
    assert waiting.code == 19 and waiting.json["waits_for"][0]["kind"] == "gate"
    assert run in [one["run_id"] for one in remote("gates", "--json").json["gates"]]
    refused = remote("approve", run, "--choice", "perhaps")
    assert refused.code == 2 and "send" in refused.err
    done = remote("approve", run, "--choice", "send", "--json")
    assert done.code == 0 and done.json["status"] == "completed"
    assert api.get("/gates", run=run, status="any")["items"][0]["decision"]["by"] == "local"
    late = remote("reject", run)
    assert late.code == 17 and "decided already" in late.err


def test_a_form_for_somebody_and_a_rejection(remote):
    run = remote("run", "booking", "--json").json["run_id"]
    assert remote("approve", run, "--set", "people=4").code == 11
    assert remote("approve", run, "--set", "people=none", "--by", "maitre").code == 2
    assert remote("approve", run, "--set", "people=4", "--by", "maitre", "--json").json["status"] == "completed"
    other = remote("run", "letter", "--var", "note=x", "--json").json["run_id"]
    told = remote("reject", other, "--why", "too short", "--no-drive", "--json").json
    assert told["decision"]["why"] == "too short"


def test_signals_and_cancelling(remote):
    run = remote("run", "nap", "--json").json["run_id"]
    sent = remote("signal", run, "wake", "--key", "k1", "--json")
    assert sent.code == 0 and sent.json["status"] == "completed"
    other = remote("run", "nap", "--json").json["run_id"]
    assert remote("cancel", other, "--reason", "no more").code == 0
    back = remote("resume", other, "--json")
    assert back.code == 19 and back.json["status"] == "waiting"
    assert remote("cancel", other).code == 0
    assert remote("runs", "delete", other, "--force", "--json").json == {"deleted": [other]}
    assert remote("signal", run, "wake", "--by", "me").code == 2


def test_time_travel(remote):
    run = remote("run", "brief", "--var", "text=Rain.", "--json").json["run_id"]
    fork = remote("rerun", run, "--from", "/1", "--set", "text=Snow.", "--json")
    assert fork.code in {0, 17}, fork.out
    step = next(one["path"] for one in remote("show", run, "--json").json["steps"] if one.get("type") != "artifact")
    fork = remote("rerun", run, "--from", step, "--set", "text=Snow.", "--json")
    assert fork.code == 0 and "Snow." in json.dumps(fork.json["outputs"])
    still = remote("fork", run, "--no-drive", "--json")
    assert still.code == 0 and still.json["status"] == "queued"
    assert remote("discard", still.json["run_id"], "--json").json == {"discarded": [still.json["run_id"]]}


def test_schedules_and_triggers(remote, weft, both):
    assert remote("schedules", "add", "brief", "--cron", "0 8 * * *", "--var", "text=x", "--json").code == 0
    shown = remote("schedules", "show", "brief", "--json").json
    assert (shown["rule"]["cron"], shown["file"], shown["variables"]) == ("0 8 * * *", "brief", {"text": "x"})
    both("schedules", "next", "brief", "--json")
    assert remote("schedules", "pause", "brief", "--json").json["paused"]
    assert not remote("schedules", "resume", "brief", "--json").json["paused"]
    assert (
        remote("triggers", "add", "brief", "--after", "nap", "--name", "after-nap", "--var", "text=x", "--json").code
        == 0
    )
    assert [one["name"] for one in remote("triggers", "list", "--json").json["automations"]] == ["after-nap"]
    for group, name in (("schedules", "brief"), ("triggers", "after-nap")):
        assert remote(group, "remove", name, "--json").json == {"removed": name}
        assert remote(group, "show", name).code == 17
    assert remote("schedules", "sync", weft.folder).code == 2


def test_settings_and_health(remote, served):
    rows = {row["name"]: row for row in remote("config", "--json").json["settings"]}
    assert rows["home"]["value"] == str(served.home)
    found = remote("doctor", "--json").json
    assert found["ready"] and [one["name"] for one in found["findings"]] == ["service", "journal", "audit", "library"]
    assert remote("plans", "invalidate", "--all", "--json").json == {"removed": []}


def test_where_the_service_is_may_be_said_in_three_ways(weft, served, monkeypatch):
    listed = weft("--server", served.url, "runs", "list", "--json").json
    assert listed == weft("runs", "list", "--json", f"--server={served.url}").json
    assert weft("runs", "list", "--json").json != listed
    monkeypatch.setenv("WEFT_SERVER_URL", served.url)
    assert weft("runs", "list", "--json").json == listed
    file = weft.write("flow.yaml", BRIEF)
    assert weft("validate", file).code == 0
    monkeypatch.delenv("WEFT_SERVER_URL")
    weft.write("weft.toml", f'server_url = "{served.url}"\n')
    assert weft("runs", "list", "--json").json == listed


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("validate", "flow.yaml", "--server", "http://127.0.0.1:1"), "works on the machine"),
        (("up", "--server=http://127.0.0.1:1"), "works on the machine"),
        (("runs", "list", "--server"), "needs an address"),
        (("runs", "list", "--server", "nowhere"), "no address"),
        (("runs", "list", "--server", "http://127.0.0.1:1"), "there is no service at"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(weft, monkeypatch, args, says):
    monkeypatch.setattr("weft.client.connection.RETRIES", 0)
    said = weft(*args)
    assert said.code in {2, 10} and says in said.err and "Traceback" not in said.err


def test_what_is_for_the_service_to_say_is_refused(remote):
    assert "models" in remote("run", "brief", "--var", "text=x", "--offline").err
    assert "journal" in remote("run", "brief", "--durability", "fast").err


def test_events_are_followed_live_and_letting_go_leaves_the_run_alone(weft, served, api):
    run = api.run("nap")["id"]
    process = weft.start("run", "nap", "--server", served.url)
    mine = until(lambda: [one for one in api.get("/runs", workflow="nap")["items"] if one["id"] > run])
    said = weft.finish(process)
    assert said.code == 19 and "waiting" in said.err
    assert weft.finish(weft.start("resume", mine[0]["id"], "--server", served.url)).code == 19
    file = weft.write("flow.yaml", LATER.replace("seconds: 2", "seconds: 600"))
    follower = weft.start("run", file, "--server", served.url)
    (later,) = until(lambda: [one for one in api.get("/runs", workflow="later")["items"] if one["status"] == "waiting"])
    follower.send_signal(signal.SIGINT)
    # A shell says 130 of both: it may not have come to look at signals yet.
    assert weft.finish(follower).code in {130, -signal.SIGINT}
    assert api.get(f"/runs/{later['id']}")["status"] == "waiting"
    api.post(f"/runs/{later['id']}/cancel")


def test_at_a_terminal_the_gate_of_a_service_is_asked_and_its_run_goes_on(weft, served):
    args = ("run", "letter", "--var", "note=We meet at noon.", "--server", served.url)
    code, said = on_terminal(weft, *args, typed=b"1\n")
    assert code == 0, said
    assert "Send it?" in said and "completed" in said


def test_a_run_that_waits_for_time_is_watched_until_it_ends(weft, remote):
    file = weft.write("flow.yaml", LATER)
    done = remote("run", file, "--json")
    assert done.code == 0 and done.json["status"] == "completed"


def test_the_token_is_shown(weft, tmp_path, monkeypatch):
    token = "a-token-that-is-long-enough-to-be-one"
    one = Served(tmp_path / "guarded", WEFT_SERVER__TOKEN=token).start()
    try:
        refused = weft("runs", "list", "--server", one.url)
        assert refused.code == 13
        monkeypatch.setenv("WEFT_TOKEN", token)
        assert weft("runs", "list", "--server", one.url, "--json").json == {"runs": [], "next": None}
        shown = weft("config").out
        assert token not in shown
    finally:
        one.kill()
