"""A service that starts with other settings than the last time says which, and never what they are."""

import json
import time

import pytest

from tests.processes import start
from weft.core.settings import Settings
from weft.store.journal import Journal

pytestmark = pytest.mark.slow
FLOW = """\
version: 1
name: NAME
runtime: {provider: offline, model_id: extract}
agents: {nobody: {prompt: unused}}
pattern: {type: chain, config: {steps: [{tool: calculator, args: {expression: "1+1"}}]}}
"""
FIRST, SECOND = "first-token-4b1f0c2d9e8a7f6e5d4c", "second-token-0a9b8c7d6e5f4a3b2c1d"


def changes(served, process="up"):
    """The entries about settings, the oldest first, without the one for another process."""
    journal = Journal(Settings(home=served.home).journal)
    try:
        found = [one for one in journal.audit.list(limit=200) if one.act == "settings.change"]
    finally:
        journal.close()
    assert {(one.principal, one.tenant, one.target, one.outcome) for one in found} <= {
        ("local", "local", "settings", "done")
    }
    return [one.data for one in found[::-1] if one.data["process"] == process]


def again(served, **environ):
    served.stop()
    served.environ |= environ
    served.start()
    return changes(served)


def test_settings_that_differ_from_the_last_start_are_named(make_served):
    served = make_served({}, WEFT_SERVER__TOKEN=FIRST)
    (first,) = changes(served)
    assert first["first"] is True
    assert {"home", "server.token"} <= set(first["settings"])
    # As they were: nothing to say.
    assert len(again(served)) == 1
    # Another secret, a variable, a line in the file of the home, and one less.
    (served.home / "weft.toml").write_text("[identity]\nsession_hours = 3\n")
    assert again(served, WEFT_SERVER__TOKEN=SECOND, WEFT_RATES__USER_MINUTE="7")[1:] == [
        {"process": "up", "settings": ["identity.session_hours", "rates.user_minute", "server.token"]}
    ]
    served.environ.pop("WEFT_RATES__USER_MINUTE")
    assert again(served)[2:] == [{"process": "up", "settings": ["rates.user_minute"]}]
    # Another certificate under the same name is another setting.
    key = served.folder / "issuer.pem"
    key.write_text("one")
    assert again(served, WEFT_IDENTITY__PUBLIC_KEY=str(key), WEFT_IDENTITY__ISSUER="https://id.example")[3:] == [
        {
            "process": "up",
            "settings": ["identity.issuer", "identity.public_key", "identity.public_key (content)"],
        }
    ]
    key.write_text("two")
    assert again(served)[4:] == [{"process": "up", "settings": ["identity.public_key (content)"]}]
    # What is kept for the next time is its owner's alone, and holds no value; without it, everything is said anew.
    kept = served.home / "secrets" / "settings.seen"
    assert kept.stat().st_mode & 0o777 == 0o600
    written = [file.read_bytes() for file in served.home.rglob("*") if file.is_file() and file.name != "weft.toml"]
    for value in (FIRST, SECOND, "https://id.example", str(key)):
        assert value.encode() not in b"".join(written)
    kept.write_text("{")
    assert again(served)[5]["first"] is True


def test_a_worker_says_so_too(make_served):
    served = make_served({})
    for more in ({}, {}, {"WEFT_LIMITS__CALLS": "3"}):
        done = start(["worker", "--once"], env=served.environ | more, cwd=served.folder)
        assert done.wait(60) == 0
    assert [one["settings"] for one in changes(served, "worker")[1:]] == [["limits.calls"]]
    assert len(changes(served)) == 1
    assert json.loads((served.home / "secrets" / "settings.seen").read_text())["processes"].keys() == {"up", "worker"}


def test_files_in_the_folders_that_change_while_it_runs_are_noted(make_served):
    served = make_served({"one": FLOW.replace("NAME", "one")})

    def noted():
        names = [one["name"] for one in served.api("GET", "/workflows").json()["items"]]
        found = served.api("GET", "/audit", params={"act": "workflow.*"}).json()["items"]
        return names, [(one["principal"], one["target"], one["data"]["what"]) for one in found[::-1]]

    def until(expected):
        limit = time.monotonic() + 30
        while (seen := noted())[1] != expected:
            assert time.monotonic() < limit, seen
            time.sleep(0.05)

    assert noted() == (["one"], [])
    served.add("two", FLOW.replace("NAME", "two"))
    expected = [("weft", "workflow/two.yaml", "added")]
    until(expected)
    served.add("one", FLOW.replace("NAME", "one") + "# another\n")
    until(expected := [*expected, ("weft", "workflow/one.yaml", "changed")])
    (served.flows / "two.yaml").unlink()
    until([*expected, ("weft", "workflow/two.yaml", "removed")])
    # What was there at the start is nobody's change.
    served.restart()
    assert len(noted()[1]) == 3
