"""The short way and the usual one answer alike: the same request, once in its plainest form and once in another."""

import json
import socket

import httpx2
import pytest

from tests.server.control.test_hostile import ALIVE, exchange, status
from tests.waiting import until

pytestmark = pytest.mark.slow
PLAIN = "application/json"
OTHER = "application/json; charset=UTF-8; of=no-use"
"""JSON too, said in a way that is not at first sight."""
RUN = {"workflow": "nap", "inputs": {}}


@pytest.fixture(scope="module")
def client(service):
    with httpx2.Client(base_url=f"{service.url}/api/v1", timeout=30) as client:
        yield client


def start(client, body, kind, **headers):
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post("/runs", content=text, headers={"Content-Type": kind, **headers})


def parts(answer):
    """What two answers to the same have in common."""
    headers = set(answer.headers) - {"date"}
    return answer.status_code, headers, set(answer.json()), answer.headers["content-type"]


def test_a_run_is_started_alike(client):
    short, usual = start(client, RUN, PLAIN), start(client, RUN, OTHER)
    assert parts(short) == parts(usual)
    assert short.status_code == 202
    assert short.headers["location"] == f"/api/v1/runs/{short.json()['id']}"
    shown = client.get(f"/runs/{short.json()['id']}").json()
    for name in ("id", "workflow", "session", "plan_hash", "inputs", "created_at", "parent", "forked_from"):
        assert short.json()[name] == shown[name]


@pytest.mark.parametrize(
    "body",
    [
        {"workflow": "nothing"},
        {"workflow": ""},
        {"workflow": "nap", "version": 7},
        {"workflow": "nap", "surprise": 1},
        {"workflow": 1},
        {"workflow": "brief"},
        {"workflow": "nap", "inputs": [1]},
        [],
        "nap",
        b"",
        b"{",
        b"\xff\xfe",
        b'{"workflow": "nap", "inputs": {"a": 1e999}}',
        b'{"workflow": "nap", "inputs": ' + b'{"a":' * 150 + b"1" + b"}" * 151,
    ],
)
def test_what_does_not_fit_is_refused_alike(client, body):
    short, usual = start(client, body, PLAIN), start(client, body, OTHER)
    assert short.status_code in {404, 422}
    assert (short.status_code, short.json()) == (usual.status_code, usual.json())


def test_a_key_holds_on_both_ways(client):
    first = start(client, RUN, PLAIN, **{"Idempotency-Key": "both ways"})
    again = start(client, RUN, OTHER, **{"Idempotency-Key": "both ways"})
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json()["id"] == again.json()["id"]
    other = start(client, RUN | {"session": "x"}, PLAIN, **{"Idempotency-Key": "both ways"})
    assert other.status_code == 409
    assert start(client, RUN, PLAIN, **{"Idempotency-Key": "k" * 300}).status_code == 422
    two = [("Content-Type", PLAIN), ("Idempotency-Key", "one"), ("Idempotency-Key", "two")]
    assert client.post("/runs", content=json.dumps(RUN), headers=two).status_code == 202


def test_what_is_read_is_the_same(client):
    run = start(client, RUN, PLAIN).json()["id"]
    # Whoever drove it to where it waits may take a moment to let go of it.
    until(lambda: (shown := client.get(f"/runs/{run}").json())["status"] == "waiting" and not shown["driven"])
    for path, query in (
        (f"/runs/{run}", {"steps": "true"}),
        (f"/runs/{run}/events", {"limit": "100"}),
        ("/gates", {"limit": "50"}),
        ("/runs/nothing", {"steps": "true"}),
        (f"/runs/{'x' * 300}", {"steps": "true"}),
        ("/runs/nothing/events", {"limit": "100"}),
    ):
        short, usual = client.get(path), client.get(path, params=query)
        assert (parts(short), short.json()) == (parts(usual), usual.json()), path
    etag = client.get(f"/runs/{run}").headers["etag"]
    unchanged = client.get(f"/runs/{run}", headers={"If-None-Match": etag})
    assert (unchanged.status_code, unchanged.content, unchanged.headers["etag"]) == (304, b"", etag)
    assert client.head(f"/runs/{run}").status_code == 405
    assert client.put(f"/runs/{run}").status_code == 405


def test_a_client_that_leaves_in_the_middle_of_its_request_starts_nothing(service, client):
    body = json.dumps(RUN | {"session": "left"}).encode()
    head = (
        b"POST /api/v1/runs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as line:
        line.sendall(head % (len(body) + 5) + body)
    assert status(exchange(service, ALIVE)) == 200
    assert client.get("/runs", params={"session": "left"}).json()["items"] == []
