"""A sealed store through the real command line: everything works, and what users said is nowhere in the home."""

import base64
import json
import signal

import pytest

from tests.cli.conftest import steps
from tests.secrets.stores import Store

pytestmark = pytest.mark.slow

CANARY = "heron-on-the-weir"
LONG = " ".join([CANARY] * 1_000)
FLOW = f"""\
version: 1
name: asks
runtime: {{provider: offline, model_id: extract}}
inputs: {{values: {{said: {CANARY}, long: "{LONG}"}}}}
agents: {{nobody: {{prompt: unused}}}}
tools:
  python:
    - {{callable: 'peek:peek', id: peek}}
pattern:
  type: chain
  config:
    steps:
      - {{tool: peek, id: look, args: {{said: "{{{{ said }}}} {{{{ long }}}}"}}}}
      - {{type: hitl, prompt: "Is {CANARY} right?"}}
      - {{tool: peek, id: again, args: {{said: "{{{{ said }}}}"}}}}
"""
PEEK = '''\
"""A tool that shows what it should not."""

import os


def peek(said: str) -> str:
    """Say it again, and what the environment holds."""
    return said + " " + os.environ["MASTER"]
'''


@pytest.fixture
def keys(weft, monkeypatch):
    """Two master keys, in variables; the store is sealed with the first."""
    made = [weft("encryption", "key").out.strip() for _ in range(2)]
    assert [len(base64.b64decode(key)) for key in made] == [32, 32]
    monkeypatch.setenv("MASTER", made[0])
    monkeypatch.setenv("NEXT", made[1])
    monkeypatch.setenv("WEFT_ENCRYPTION__KEY", "env:MASTER")
    return made


def home(weft):
    files = [file for file in (weft.folder.parent / "home").rglob("*") if file.is_file()]
    return {str(file): file.read_bytes() for file in files}


def found(weft, *words):
    """The files of the home in which one of the words stands."""
    return [name for name, data in home(weft).items() if any(word.encode() in data for word in words)]


def ids(weft):
    return [run["run_id"] for run in weft("runs", "list", "--json").json["runs"]]


def test_every_command_works_on_a_sealed_store_and_neither_words_nor_keys_are_in_the_home(weft, keys, monkeypatch):
    weft.write("two.yaml", steps(("one", 0), ("two", 0)).replace("version: 1", f"version: 1\ndescription: {CANARY}"))
    said = [weft("run", "two.yaml", "--json")]
    run = said[0].json["run_id"]
    said += [weft("fork", run, "--at", "one", "--json"), weft("rerun", run, "--from", "two", "--json")]
    said += [weft(verb, run) for verb in ("show", "events", "verify", "replay", "why")]
    said += [weft("db", "check"), weft("doctor"), weft("runs", "list"), weft("encryption", "status", "--values")]
    assert [one.code for one in said] == [0] * len(said), said
    assert "0 values are in plain" in said[-1].out
    fork = said[1].json["run_id"]
    assert weft("verify", fork).code == 0
    assert [weft("runs", "delete", one, "--force").code for one in (fork, said[2].json["run_id"], run)] == [0, 0, 0]
    assert ids(weft) == []
    told = "".join(one.out + one.err for one in said)
    assert keys[0] not in told
    assert found(weft, CANARY, *keys) == []


def test_a_store_is_backed_up_without_the_key_and_restored_for_whoever_has_it(weft, keys, monkeypatch):
    weft.write("two.yaml", steps(("one", 0)))
    run = weft("run", "two.yaml", "--json").json["run_id"]
    shown = weft("events", run, "--json").out
    monkeypatch.delenv("WEFT_ENCRYPTION__KEY")
    assert weft("db", "backup", "b.weft").code == 0
    monkeypatch.setenv("WEFT_HOME", str(weft.folder / "other"))
    assert weft("db", "restore", "b.weft").code == 0
    checked = weft("db", "check")
    assert (checked.code, "sealed and were not looked into" in checked.err) == (0, True)
    refused = weft("show", run)
    assert (refused.code, "its master key is not given" in refused.err) == (12, True)
    monkeypatch.setenv("WEFT_ENCRYPTION__KEY", "env:MASTER")
    assert weft("events", run, "--json").out == shown


def test_keys_are_rotated_rewrapped_and_put_away_again(weft, keys, monkeypatch):
    weft.write("two.yaml", steps(("one", 0)))
    monkeypatch.delenv("WEFT_ENCRYPTION__KEY")
    run = weft("run", "two.yaml", "--json").json["run_id"]
    events = weft("events", run, "--json").out
    refused = weft("encryption", "status")
    assert (refused.code, "name no master key" in refused.err) == (2, True)

    monkeypatch.setenv("WEFT_ENCRYPTION__KEY", "env:MASTER")
    assert weft("events", run, "--json").out == events
    assert weft("encryption", "rotate").out == "No tenant has a data key yet.\n"
    sealed = weft("encryption", "reseal", "--json").json
    assert (sealed["state"], sealed["changed"]["events"] > 3, sealed["lost"]) == ("sealed", True, 0)
    assert found(weft, "napping") == []
    assert weft("encryption", "rotate", "--json").json == {"rotated": {"": 2, "local": 2}}
    assert weft("encryption", "rotate", "--tenant", "nobody").code == 2
    weft("run", "two.yaml")
    counted = {
        (key["tenant"], key["version"]): key["values"]
        for key in weft("encryption", "status", "--values", "--json").json["keys"]
    }
    assert counted["local", 1] > 3 < counted["local", 2]
    assert weft("encryption", "reseal").code == 0

    # Another master key: the one of before is needed until everything is wrapped by the new one.
    monkeypatch.setenv("WEFT_ENCRYPTION__KEY", "env:NEXT")
    refused = weft("runs", "list")
    assert (refused.code, "wrapped by the master key" in refused.err) == (12, True)
    monkeypatch.setenv("WEFT_ENCRYPTION__OLDER", "env:MASTER")
    assert weft("events", run, "--json").out == events
    assert weft("encryption", "rewrap", "--json").json["rewrapped"] >= 4
    monkeypatch.delenv("WEFT_ENCRYPTION__OLDER")
    assert weft("events", run, "--json").out == events

    # The way back.
    monkeypatch.setenv("WEFT_ENCRYPTION__WRITE", "plain")
    refused = weft("encryption", "rotate")
    assert (refused.code, "nothing is sealed any more" in refused.err) == (17, True)
    assert weft("encryption", "reseal", "--json").json["state"] == "plain"
    monkeypatch.delenv("WEFT_ENCRYPTION__KEY")
    assert weft("events", run, "--json").out == events
    assert weft("db", "check").code == 0
    acts = [entry["act"] for entry in weft("audit", "list", "--json").json["entries"]]
    assert {"encryption.rotate", "encryption.reseal", "encryption.rewrap", "encryption.unseal"} <= set(acts)
    assert weft("audit", "verify").code == 0


@pytest.mark.parametrize(
    ("value", "code", "says"),
    [
        ("env:NOT_THERE", 13, "NOT_THERE, which is not set"),
        ("env:SHORT", 2, "32 bytes, written as Base64"),
        ("file:nothing", 2, "set secrets.folder"),
        ("Zm9vYmFyYmF6cXV4", 2, "name a place and a key in it"),
        ("env:two words#", 2, "name a place and a key in it"),
    ],
)
def test_a_key_that_is_no_key_is_refused_before_anything_happens_and_never_shown(weft, monkeypatch, value, code, says):
    monkeypatch.setenv("SHORT", "c2hvcnQtc2VjcmV0")
    monkeypatch.setenv("WEFT_ENCRYPTION__KEY", value)
    weft.write("two.yaml", steps(("one", 0)))
    said = weft("run", "two.yaml")
    assert (said.code, says in said.err) == (code, True), said
    assert "c2hvcnQtc2VjcmV0" not in said.err
    assert value.startswith(("env:", "file:")) or value not in said.err
    assert weft.effects() == []


def test_the_master_key_may_be_in_a_file_or_in_vault(weft, keys, monkeypatch, tmp_path):
    places = Store()
    places.vault["kv/weft"] = {"master": keys[0], "other": "x"}
    folder = tmp_path / "run-secrets"
    folder.mkdir()
    (folder / "master").write_text(keys[0] + "\n")
    for name, value in {
        "WEFT_NET__ALLOW_LOOPBACK": "true",
        "WEFT_SECRETS__FOLDER": str(folder),
        "WEFT_SECRETS__VAULT_URL": places.url,
        "WEFT_SECRETS__VAULT_TOKEN": "hvs.vault-token-1",
    }.items():
        monkeypatch.setenv(name, value)
    weft.write("two.yaml", steps(("one", 0)))
    shown = []
    for where in ("env:MASTER", "file:master", "vault:kv/weft#master"):
        monkeypatch.setenv("WEFT_ENCRYPTION__KEY", where)
        shown.append(weft("run", "two.yaml").code)
        shown.append(weft("encryption", "status", "--json").json["master"])
    assert shown == [0, shown[1]] * 3
    assert len(ids(weft)) == 3
    assert found(weft, *keys) == []
    places.close()


def test_a_master_key_that_a_tool_says_is_masked(weft, keys, monkeypatch):
    weft.write("peek.py", PEEK)
    monkeypatch.setenv("WEFT_TOOLS__ALLOWED_MODULES", "peek")
    weft.write("asks.yaml", FLOW)
    said = weft("run", "asks.yaml", "--json")
    assert said.code == 19, said
    run = said.json["run_id"]
    assert weft("approve", run, "--why", CANARY).code == 0
    told = weft("events", run, "--json").out + weft("show", run).out
    assert CANARY in told
    assert "[redacted]" in told
    assert keys[0] not in told
    assert found(weft, CANARY, *keys) == []


def test_shredding_asks_and_then_nobody_reads_what_was_kept(weft, keys):
    weft.write("two.yaml", steps(("one", 0)))
    run = weft("run", "two.yaml", "--json").json["run_id"]
    refused = weft("encryption", "shred", "local")
    assert (refused.code, "--force" in refused.err) == (2, True)
    assert weft("encryption", "shred", "nobody", "--force").code == 17
    assert weft("encryption", "shred", "local", "--force", "--json").json == {"tenant": "local", "shredded": 1}
    assert weft("verify", run).code == weft("db", "check").code == 0
    assert "$erased" in weft("events", run, "--json").out
    assert weft("encryption", "reseal", "--json").json["lost"] > 3
    assert weft("run", "two.yaml").code == 0


def test_sealing_anew_that_is_killed_goes_on_where_it_was(weft, keys, monkeypatch):
    monkeypatch.delenv("WEFT_ENCRYPTION__KEY")
    weft.write("many.yaml", steps(*((f"s{n}", 0) for n in range(20))))
    runs = [weft("run", "many.yaml", "--json").json["run_id"]]
    events = [weft("events", run, "--json").out for run in runs]
    monkeypatch.setenv("WEFT_ENCRYPTION__KEY", "env:MASTER")
    process = weft.start("encryption", "reseal")
    # The first page is done, and the process dies at whatever it is at.
    assert process.stderr.readline()
    process.send_signal(signal.SIGKILL)
    weft.finish(process)
    assert weft("db", "check").code == 0
    assert [weft("events", run, "--json").out for run in runs] == events
    assert weft("encryption", "reseal").code == 0
    assert weft("encryption", "status", "--values", "--json").json["plain"] == 0
    assert [weft("events", run, "--json").out for run in runs] == events
    assert json.loads(weft("db", "check", "--json").out)["sound"]
