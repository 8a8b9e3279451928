"""Two services on one Postgres database: what one of them begins, the other one shows, steers, and goes on with."""

import re
import resource
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from tests.faults.crew import promised
from tests.processes import PIPE, start
from tests.server.conftest import SMALL, Served

pytestmark = pytest.mark.slow


@pytest.fixture
def environ():
    """What both services are told besides."""
    return {}


@pytest.fixture
def pair(tmp_path, postgres, environ):
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        one = Served(tmp_path / name, WEFT_STORE__URL=postgres, **environ)
        for flow, text in SMALL.items():
            one.add(flow, text)
        made.append(one)
    with ThreadPoolExecutor() as pool:
        list(pool.map(Served.start, made))
    yield made
    for one in made:
        one.process.send_signal(signal.SIGCONT)
        one.kill()


def begin(service, workflow, **inputs):
    answer = service.api("POST", "/runs", json={"workflow": workflow, "inputs": inputs})
    assert answer.status_code in {200, 201, 202}, answer.text
    return answer.json()["id"]


def drives(service, run_id):
    """How often somebody has begun to drive a run, and whether it has ended."""
    events = service.api("GET", f"/runs/{run_id}/events?limit=100").json()["items"]
    return sum(event["kind"] == "run.started" for event in events)


def until(what, seconds=30.0):
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < seconds, "it never came"
        time.sleep(0.02)
    return time.monotonic() - began


def test_what_a_killed_service_has_begun_goes_on_in_the_other_one_within_a_second(pair):
    one, two = pair
    run_id = begin(one, "slow")
    until(lambda: drives(two, run_id) == 1)
    time.sleep(1.0)
    one.process.kill()
    assert until(lambda: drives(two, run_id) == 2) < promised(1.0)
    assert two.wait_for(run_id, "completed")["outputs"]
    one.process.wait()
    one.start()
    assert one.run(run_id)["status"] == "completed"


def test_what_a_frozen_service_has_begun_goes_on_within_three_seconds_and_it_says_the_truth_when_it_wakes(pair):
    one, two = pair
    run_id = begin(one, "slow")
    until(lambda: drives(two, run_id) == 1)
    time.sleep(1.0)
    one.process.send_signal(signal.SIGSTOP)
    assert until(lambda: drives(two, run_id) == 2) < promised(3.0)
    one.process.send_signal(signal.SIGCONT)
    assert two.wait_for(run_id, "completed") == one.wait_for(run_id, "completed")
    assert two.api("GET", f"/runs/{run_id}/verify").json()["intact"]
    assert begin(one, "brief", text="Rain fell.")


def test_a_gate_that_is_answered_at_both_at_once_has_one_answer(pair):
    one, two = pair
    run_id = begin(one, "release", note="Hello")
    two.wait_for(run_id, "waiting")
    (gate,) = two.api("GET", f"/gates?run={run_id}").json()["items"]

    def answer(service, choice):
        return service.api("POST", f"/gates/{gate['id']}/decide", json={"choice": choice})

    with ThreadPoolExecutor() as pool:
        first, second = (pool.submit(answer, *how) for how in ((one, "send"), (two, "reject")))
        codes = sorted([first.result().status_code, second.result().status_code])
    assert codes == [200, 409]
    # The workflow ends as failed when the note is rejected.
    one.wait_for(run_id, "completed" if first.result().status_code == 200 else "failed")


def test_a_cancel_at_the_other_service_reaches_the_run(pair):
    one, two = pair
    run_id = begin(one, "slow")
    until(lambda: drives(two, run_id) == 1)
    assert two.api("POST", f"/runs/{run_id}/cancel", json={"reason": "enough"}).status_code in {200, 202}
    assert until(lambda: one.run(run_id)["status"] == "cancelled") < promised(5)


def test_a_run_under_one_key_is_started_once_however_many_services_are_asked(pair):
    def ask(service):
        body = {"workflow": "brief", "inputs": {"text": "Rain fell."}}
        return service.api("POST", "/runs", json=body, headers={"Idempotency-Key": "once"}).json()["id"]

    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(ask, pair * 4))
    assert len(ids) == 1


def memory(service):
    """How much memory the service has now (bytes)."""
    file = Path(f"/proc/{service.process.pid}/statm")
    return int(file.read_text().split()[1]) * resource.getpagesize()


STREAMS, STALLED = 80, 8


def test_many_who_look_on_and_some_who_do_not_read_hold_nobody_up(pair):
    one, two = pair
    run_id = begin(one, "release", note="x" * 20_000)
    two.wait_for(run_id, "waiting")
    before = memory(two)
    request = f"GET /api/v1/runs/{run_id}/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    sockets = []
    for number in range(STREAMS + STALLED):
        each = socket.socket()
        if number >= STREAMS:
            # Whoever does not read has a small window, and lets it run full.
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
        each.settimeout(30)
        each.connect(("127.0.0.1", two.port))
        each.sendall(request)
        sockets.append(each)

    def to_the_end(each):
        said = b""
        while b"run.completed" not in said[-4_096:]:
            data = each.recv(65_536)
            if not data:
                break
            said += data
        return said

    with ThreadPoolExecutor(16) as pool:
        # All of them have been answered before anything goes on.
        assert all(pool.map(lambda each: each.recv(12) == b"HTTP/1.1 200", sockets[:STREAMS]))
        ends = [pool.submit(to_the_end, each) for each in sockets[:STREAMS]]
        (gate,) = one.api("GET", f"/gates?run={run_id}").json()["items"]
        assert one.api("POST", f"/gates/{gate['id']}/decide", json={"choice": "send"}).status_code == 200
        assert all(b"run.completed" in each.result(60) for each in ends)
    assert two.api("GET", "/runs").status_code == 200
    assert memory(two) - before < 200_000_000
    for each in sockets:
        each.close()
    assert two.run(run_id)["status"] == "completed"


class TestTenants:
    """Two tenants at two services."""

    @pytest.fixture
    def environ(self):
        return {"WEFT_SERVER__TOKEN": "t" * 40}

    def key(self, service, tenant):
        """A key of an admin of that tenant."""
        shown = ""
        for command in (
            ["users", "add", "boss", "--role", "admin", "--tenant", tenant],
            ["keys", "add", "boss", "--role", "admin", "--tenant", tenant, "--name", "k"],
        ):
            process = start(command, env=service.environ, cwd=service.folder, stdout=PIPE, stderr=PIPE)
            shown, complaints = process.communicate(timeout=60)
            assert process.returncode == 0, complaints
        return re.search(r"weft_\S+", shown)[0]

    def ask(self, service, key, method, path, **rest):
        return httpx2.request(
            method, f"{service.url}/api/v1{path}", headers={"Authorization": f"Bearer {key}"}, timeout=30, **rest
        )

    def test_what_waits_for_one_tenant_is_not_there_for_another_at_either_service(self, pair):
        one, two = pair
        north, south = self.key(one, "north"), self.key(two, "south")
        body = {"workflow": "release", "inputs": {"note": "Rain fell."}}
        run_id = self.ask(one, north, "POST", "/runs", json=body).json()["id"]
        until(lambda: self.ask(two, north, "GET", f"/runs/{run_id}").json()["status"] == "waiting")
        (gate,) = self.ask(two, north, "GET", f"/gates?run={run_id}").json()["items"]
        nothing = gate["id"][:-6] + "000000"
        for service in pair:
            assert self.ask(service, south, "GET", f"/gates?run={run_id}").json().get("items", []) == []
            for method, path, rest in (
                ("GET", "/gates/{}", {}),
                ("POST", "/gates/{}/decide", {"json": {"choice": "send"}}),
            ):
                theirs, nobodys = (
                    self.ask(service, south, method, path.format(each), **rest) for each in (gate["id"], nothing)
                )
                assert theirs.status_code == nobodys.status_code == 404
                assert theirs.text.replace(gate["id"], "ID") == nobodys.text.replace(nothing, "ID")
            for bad in (north[:-1] + ("a" if north[-1] != "a" else "b"), "t" * 39, north + "x"):
                decided = self.ask(service, bad, "POST", f"/gates/{gate['id']}/decide", json={"choice": "send"})
                assert decided.status_code == 401
        assert self.ask(one, north, "GET", f"/runs/{run_id}").json()["status"] == "waiting"
        assert self.ask(two, north, "POST", f"/gates/{gate['id']}/decide", json={"choice": "send"}).status_code == 200
        until(lambda: self.ask(one, north, "GET", f"/runs/{run_id}").json()["status"] == "completed")
