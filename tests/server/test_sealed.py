"""A service over a sealed store: what callers say is found by them and nowhere on the disk, and keys change while it runs."""

import pytest

from tests.processes import command
from tests.server.conftest import BRIEF, RELEASE

pytestmark = pytest.mark.slow

CANARY = "kingfisher-under-the-bridge"
MASTER = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


@pytest.fixture(params=["sqlite", "postgres"])
def served(request, make_served, databases):
    where = {"WEFT_STORE__URL": databases.fresh()} if request.param == "postgres" else {}
    flows = {"brief": BRIEF, "release": RELEASE}
    return make_served(
        flows, MASTER=MASTER, WEFT_ENCRYPTION__KEY="env:MASTER", WEFT_NET__ALLOW_LOOPBACK="true", **where
    )


def weft(served, *args):
    """A command of its own process, on the store of the service."""
    done = command(*args, env=served.environ, cwd=served.folder)
    assert done.code == 0, done.err
    return done.out


def post(served, path, body, code):
    answer = served.api("POST", path, json=body)
    assert answer.status_code == code, answer.text
    return answer.json()


def started(served, workflow, **inputs):
    return post(served, "/runs", {"workflow": workflow, "inputs": inputs}, 202)["id"]


def written(served):
    return {
        str(file.relative_to(served.folder)): file.read_bytes() for file in served.folder.rglob("*") if file.is_file()
    }


def test_callers_find_what_they_said_and_nobody_else_does_while_keys_change(served):
    session = post(served, "/sessions", {"target": "brief/reader"}, 201)["id"]
    turn = post(served, f"/sessions/{session}/turns", {"message": f"The {CANARY} waits.", "inputs": {"text": "t"}}, 202)
    served.wait_for(turn["run"], "completed")
    done = started(served, "brief", text=f"A {CANARY} was seen.")
    waiting = started(served, "release", note=f"The {CANARY} is here.")
    served.wait_for(done, "completed")
    gate = served.wait_for(waiting, "waiting")
    assert CANARY in str(gate["inputs"])
    hook = {"url": f"http://127.0.0.1:9/{CANARY}", "topics": ["runs"]}
    post(served, "/webhooks", hook, 201)
    schedule = {"workflow": "brief", "every_s": 86_400, "inputs": {"text": CANARY}}
    post(served, "/schedules", schedule, 201)

    # New keys, by another process, and everything anew under them, while the service runs.
    weft(served, "encryption", "rotate")
    weft(served, "encryption", "reseal")
    [open_gate] = served.api("GET", f"/gates?run={waiting}").json()["items"]
    post(served, f"/gates/{open_gate['id']}/decide", {"choice": "send", "why": CANARY}, 200)
    assert CANARY in str(served.wait_for(waiting, "completed"))
    served.restart()
    assert CANARY in str(served.run(done)["outputs"])
    found = served.api("GET", "/sessions/search", params={"words": "kingfisher under"}).json()
    assert {one["role"] for one in found} >= {"user"}
    assert "0 values are in plain" in weft(served, "encryption", "status", "--values")
    assert "Everything is as it was written" in weft(served, "db", "check")
    assert weft(served, "audit", "verify")
    assert served.stop() == 0

    words = (CANARY.encode(), MASTER.encode())
    assert [name for name, data in written(served).items() if any(word in data for word in words)] == []
