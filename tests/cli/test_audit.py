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
