"""Webhooks out and in, and the live stream, over the real service."""

import json
import threading
import time
from datetime import UTC, datetime

import httpx2
import pytest

from tests.app.telling.test_teller import Receiver, serving
from tests.server.control.service import Api
from tests.waiting import until
from weft.app.telling.signing import headers, verify

pytestmark = pytest.mark.slow

HOOKED = """\
version: 1
name: hooked
runtime: {provider: offline, model_id: extract}
inputs: {required: {body: string}}
agents: {reader: {prompt: Say what the text says.}}
pattern: {type: chain, config: {steps: [{agent: reader, input: "{{ body }}"}]}}
"""


@pytest.fixture
def receiver():
    yield from serving(Receiver())


def test_a_webhook_is_told_and_can_be_tried_paused_and_removed(serve, receiver):
    one = serve(WEFT_NET__ALLOW_LOOPBACK="true")
    with Api(one.url) as api:
        made = api.post("/webhooks", {"url": receiver.url, "topics": ["gates", "runs"]}, expect=201)
        api.post(f"/webhooks/{made['id']}/test", expect=202)
        until(lambda: receiver.types() == ["test"])
        api.run("letter", note="Dear Ann")
        until(lambda: "gate.opened" in receiver.types())
        given, body = receiver.got[-1]
        verify(made["secret"], given, body, now=time.time())
        assert api.get(f"/webhooks/{made['id']}")["secret"] is None
        changed = api("PATCH", f"/webhooks/{made['id']}", json={"paused": True, "new_secret": True})
        assert changed["secret"] not in {None, made["secret"]}
        until(lambda: {row["status"] for row in api.get(f"/webhooks/{made['id']}/deliveries")} == {"delivered"})
        before = len(receiver.got)
        api.run("brief", text="t")
        time.sleep(0.5)
        assert len(receiver.got) == before
        api.delete(f"/webhooks/{made['id']}", expect=204)
        api.get(f"/webhooks/{made['id']}", expect=404)


def test_addresses_that_the_rules_forbid_are_refused_at_once(api):
    for url in ("http://127.0.0.1:1/x", "http://169.254.169.254/latest", "file:///etc/passwd", "nowhere"):
        api.post("/webhooks", {"url": url, "topics": ["runs"]}, expect=403)
    api.post("/webhooks", {"url": "https://example.org/x", "topics": ["other"]}, expect=422)
    api.post("/webhooks", {"url": "https://example.org/x", "topics": ["run/none"]}, expect=404)


def message(secret, name, body, *, at=None, message_id="m1"):
    return headers(secret, message_id, int(at or time.time()), body)


def test_a_signed_message_starts_one_run_and_a_replay_none(serve):
    one = serve()
    (one.flows / "hooked.yaml").write_text(HOOKED)
    with Api(one.url) as api:
        made = api.post("/triggers", {"workflow": "hooked", "name": "orders", "on_webhook": {}}, expect=201)
        secret, url = made["secret"], f"{one.url}/hooks/orders"
        body = json.dumps({"text": "The loom is warped."}).encode()
        first = httpx2.post(url, content=body, headers=message(secret, "orders", body), timeout=60)
        assert first.status_code == 202, first.text
        again = httpx2.post(url, content=body, headers=message(secret, "orders", body), timeout=60)
        assert again.json() == first.json()
        run_id = first.json()["run"]
        until(lambda: api.client.get(f"/runs/{run_id}").status_code == 200)
        assert api.settled(run_id)["inputs"]["body"] == body.decode()
        assert len([run for run in api.get("/runs")["items"] if run["workflow"] == "hooked"]) == 1
        wrong = [
            httpx2.post(url, content=body, timeout=60),
            httpx2.post(url, content=b"{}", headers=message(secret, "orders", body), timeout=60),
            httpx2.post(url, content=body, headers=message(secret, "orders", body, at=time.time() - 900), timeout=60),
            httpx2.post(f"{one.url}/hooks/none", content=body, headers=message(secret, "orders", body), timeout=60),
        ]
        assert [answer.status_code for answer in wrong] == [401] * 4
        large = b"x" * 300_000
        assert httpx2.post(url, content=large, headers=message(secret, "orders", large), timeout=60).status_code == 413


def read_stream(url, enough, found, **given):
    """Keep what a live stream says in `found`, until `enough` of it has come."""
    with httpx2.stream("GET", url, timeout=30, headers=given) as answer:
        found.append(answer.status_code)
        entry = {}
        for line in answer.iter_lines():
            if line.startswith(":"):
                found.append("open")
            elif line:
                name, _, value = line.partition(": ")
                entry[name] = value
            elif entry:
                found.append(entry)
                entry = {}
                if enough():
                    return


def test_the_live_stream_tells_of_all_runs_and_goes_on_where_it_was(service, api):
    found, mine = [], []

    def entries():
        """What is told of this test's run: others may go on meanwhile."""
        told = [one for one in found if isinstance(one, dict)]
        return [one for one in told if json.loads(one["data"])["data"].get("run") in mine]

    url = f"{service.url}/api/v1/stream?topics=runs,gates"
    reading = threading.Thread(target=read_stream, args=(url, lambda: len(entries()) > 2, found), daemon=True)
    reading.start()
    until(lambda: "open" in found)
    mine.append(api.run("letter", note="Dear Ann")["id"])
    api.run("brief", text="t")  # whatever comes has the reader look once more
    reading.join(30)
    entries = entries()
    assert [one["event"] for one in entries] == ["run.started", "gate.opened", "run.waiting"]
    data = json.loads(entries[1]["data"])
    assert (data["topic"], data["data"]["run"]) == ("gates", mine[0])
    assert datetime.fromtimestamp(data["at"] / 1e6, UTC).year > 2000
    rest = []
    read_stream(url, lambda: True, rest, **{"Last-Event-ID": "another-life-7"})
    assert next(one for one in rest if isinstance(one, dict))["event"] == "lagged"


def test_topics_that_are_none_are_refused(service, api):
    api.get("/stream", topics="other", expect=422)
    api.get("/stream", topics="", expect=422)
    api.get("/stream", topics="run/none", expect=404)
