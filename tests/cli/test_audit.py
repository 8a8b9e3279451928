"""``weft audit``: decisions, tools and denied requests of runs stand in a log that can be proved."""

import json

import pytest

FLOW = """\
version: 1
name: sums
runtime: {provider: offline, model_id: extract}
agents: {nobody: {prompt: unused}}
pattern:
  type: chain
  config:
    steps:
      - {tool: calculator, args: {expression: 3*5}}
      - {type: hitl, prompt: Go on?, choices: [go, reject]}
      - first_of:
          - {tool: http_request, args: {method: GET, url: "http://127.0.0.1:9/secret-path"}}
          - {tool: calculator, args: {expression: 1+1}}
"""


@pytest.mark.slow
def test_what_a_run_does_is_noted_and_proved(weft, tmp_path):
    (weft.folder / "sums.yaml").write_text(FLOW)
    assert weft("run", "sums.yaml").code == 19
    assert weft("approve", "last", "--by", "ann").code == 0, weft("show", "last").out
    listed = weft("audit", "list", "--json").json["entries"]
    acts = [(one["principal"], one["act"], one["target"].partition("/")[2], one["outcome"]) for one in listed[::-1]]
    assert [one[:2] for one in acts[:1]] == [("local", "run.start")]
    assert ("local", "tool.call", "calculator", "done") in acts
    assert ("local", "net.request", "127.0.0.1", "denied") in acts
    assert ("local", "tool.call", "http_request", "denied") in acts
    assert [one[0] for one in acts if one[1] == "gate.decide"] == ["ann"]
    assert "secret-path" not in json.dumps(listed)
    assert weft("audit", "verify", "--json").json["intact"] is True
    key, head, export = weft.folder / "key.pem", weft.folder / "head", weft.folder / "audit.jsonl"
    key.write_text(weft("audit", "key").out)
    head.write_text(weft("audit", "head").out)
    assert weft("audit", "export", "--out", str(export)).code == 0
    assert weft("audit", "export", "--out", str(export)).code == 2
    proved = ("audit", "verify", str(export), "--key", str(key), "--head", str(head))
    assert weft(*proved).code == 0
    lines = export.read_text().splitlines()
    first = next(number for number, line in enumerate(lines) if "calculator" in line)
    lines[first] = lines[first].replace("calculator", "calendar  ")
    export.write_text("\n".join(lines))
    found = weft(*proved, "--json")
    assert (found.code, found.json["logs"][0]["first_bad"]["seq"]) == (17, first + 1)
    assert f"entry {first + 1} is the first that does not fit" in weft(*proved).out
    assert weft("audit", "list", "--act", "gate.*", "--limit", "1").out.count("gate.decide") == 1


@pytest.mark.slow
def test_what_commands_change_is_noted(weft):
    (weft.folder / "sums.yaml").write_text(FLOW)
    assert weft("run", "sums.yaml").code == 19
    assert weft("fork", "last", "--no-drive").code == 0
    listed = weft("audit", "list", "--json").json["entries"]
    [(fork, run)] = [(one["target"].partition("/")[2], one["data"]["of"]) for one in listed if one["act"] == "run.fork"]
    for command in (
        ("cancel", run, "--reason", "enough"),
        ("cancel", fork),
        ("runs", "delete", fork, "--force"),
        ("schedules", "add", "sums.yaml", "--every", "2h", "--name", "daily"),
        ("schedules", "pause", "daily"),
        ("schedules", "resume", "daily"),
        ("schedules", "remove", "daily"),
    ):
        said = weft(*command)
        assert said.code == 0, (command, said)
    acts = [(one["act"], one["target"]) for one in weft("audit", "list", "--json").json["entries"]]
    assert {
        ("run.cancel", f"run/{run}"),
        ("run.delete", f"run/{fork}"),
        ("automation.add", "automation/daily"),
        ("automation.pause", "automation/daily"),
        ("automation.resume", "automation/daily"),
        ("automation.remove", "automation/daily"),
    } <= set(acts)


GOES_ON = """\
version: 1
name: goes-on
runtime: {provider: offline, model_id: extract}
agents: {nobody: {prompt: unused}}
schedule: {every: 1h}
pattern: {type: chain, config: {steps: [{tool: calculator, args: {expression: 1+1}}]}}
"""


@pytest.fixture
def last(weft):
    """The entry that a command adds: whose it is, the act, the outcome, the kind of its target, and what is said of it."""
    seen = []

    def entry(*command, code=0, tenant="local"):
        said = weft(*command)
        assert said.code == code, said
        found = weft("audit", "list", "--limit", "1", "--tenant", tenant, "--json").json["entries"][0]
        assert found["hash"] not in seen, "it adds none"
        seen.append(found["hash"])
        return found["principal"], found["act"], found["outcome"], found["target"].partition("/")[0], found["data"]

    return entry


@pytest.mark.slow
def test_what_commands_do_to_runs_is_noted_as_the_service_does(weft, last):
    weft.write("sums.yaml", FLOW)
    assert weft("run", "sums.yaml", "--quiet").code == 19
    run = weft("runs", "list", "--json").json["runs"][0]["run_id"]
    found = weft("audit", "list", "--act", "run.start", "--json").json["entries"]
    assert [(one["target"], one["outcome"], one["data"]) for one in found] == [
        (f"run/{run}", "done", {"file": "sums.yaml"})
    ]
    assert last("fork", run, "--no-drive") == ("local", "run.fork", "done", "run", {"of": run})
    fork = weft("runs", "list", "--json").json["runs"][0]["run_id"]
    assert last("promote", fork)[:3] == ("local", "run.promote", "done")
    assert last("signal", fork, "go", "--no-drive") == ("local", "run.signal", "done", "run", {"name": "go"})
    # Also what comes to nothing.
    assert last("approve", run, "--choice", "nonsense", "--by", "ann", "--no-drive", code=2)[:3] == (
        "ann",
        "gate.decide",
        "failed",
    )
    assert last("cancel", fork) == ("local", "run.cancel", "done", "run", {"reason": ""})
    assert last("resume", fork, code=19) == ("local", "run.resume", "done", "run", {"reopen": True, "settled": {}})
    assert last("cancel", fork)[1] == "run.cancel"
    assert last("discard", fork, code=17)[1:3] == ("run.discard", "failed")
    assert last("promote", run)[1] == "run.promote"
    assert last("discard", fork) == ("local", "run.discard", "done", "run", {"runs": 1})
    assert last("cancel", run)[1] == "run.cancel"
    assert last("runs", "delete", run, "--force") == ("local", "run.delete", "done", "run", {"runs": 1})
    assert weft("audit", "verify", "--json").json["intact"] is True


@pytest.mark.slow
def test_commands_that_set_things_up_otherwise_are_noted(weft, last, tmp_path):
    weft.write("goes-on.yaml", GOES_ON)
    north = ("--tenant", "north")
    who = ("local", "user.create", "done", "user", {"role": "approver"})
    assert last("users", "add", "ann", "--role", "approver", *north, tenant="north") == who
    refused = last("keys", "add", "ann", "--role", "admin", *north, code=2, tenant="north")
    assert refused == ("local", "key.create", "failed", "key", {"user": "ann", "role": "admin", "error": "input"})
    assert last("keys", "add", "ann", "--role", "viewer", *north, tenant="north")[1:3] == ("key.create", "done")
    key = weft("keys", "list", *north, "--json").json["keys"][0]["id"]
    assert last("keys", "revoke", key, *north, tenant="north")[1:3] == ("key.revoke", "done")
    assert last("users", "disable", "ann", *north, tenant="north")[4] == {"disabled": True}
    assert last("link")[1:4] == ("link.create", "done", "service")
    added = last("schedules", "add", "goes-on.yaml", "--every", "2h", "--name", "often")
    assert added == ("local", "automation.add", "done", "automation", {"kind": "schedule"})
    assert last("schedules", "pause", "often")[1] == "automation.pause"
    assert last("schedules", "resume", "often")[1] == "automation.resume"
    assert last("schedules", "remove", "often")[1] == "automation.remove"
    assert last("schedules", "remove", "often", code=17)[1:3] == ("automation.remove", "failed")
    synced = last("schedules", "sync", "goes-on.yaml")
    assert synced == ("local", "automation.sync", "done", "automations", {"file": "goes-on.yaml", "added": ["goes-on"]})
    assert last("plans", "invalidate", "--all")[1] == "plan.invalidate"
    backup = tmp_path / "all.weft"
    assert last("db", "backup", str(backup)) == ("local", "db.backup", "done", "store", {"file": "all.weft"})
    assert last("db", "migrate", "--to", "0010")[1:3] == ("db.migrate", "done")
    assert weft("audit", "verify", "--json").json["intact"] is True
