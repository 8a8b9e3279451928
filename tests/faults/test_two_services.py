"""Two services on one Postgres database: what one of them begins, the other one shows, steers, and goes on with."""

import asyncio
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import httpx2
import pytest

from tests.faults.crew import until
from tests.faults.onlookers import Onlooker, Stalled, begin_anew, descriptors, most_memory, places
from tests.processes import PIPE, start
from tests.server.conftest import SMALL, Served
from tests.waiting import promised

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


READERS, STALLED = 1_000, 100


async def test_a_thousand_who_look_on_are_told_everything_and_some_who_do_not_read_hold_nobody_up(pair):
    one, two = pair
    run_id = begin(one, "release", note="word " * 40_000)
    two.wait_for(run_id, "waiting")
    (gate,) = one.api("GET", f"/gates?run={run_id}").json()["items"]
    count = places(READERS + STALLED, two.process) - STALLED
    own, all_runs = f"/api/v1/runs/{run_id}/stream", f"/api/v1/stream?topics=run/{run_id}"
    files, before = descriptors(two.process), begin_anew(two.process)
    stalled = [Stalled(two.port, path) for path in (own, all_runs) for _ in range(STALLED // 2)]
    crowd = [await Onlooker.come(two.port, own) for _ in range(count)]
    ends = asyncio.gather(*(each.to_the_end() for each in crowd))
    decided = await asyncio.to_thread(one.api, "POST", f"/gates/{gate['id']}/decide", json={"choice": "send"})
    assert decided.status_code == 200
    # Meanwhile the service answers others, and drives their runs.
    waits = []
    async with asyncio.timeout(120):
        while not (waits and ends.done()):
            began = time.monotonic()
            other = await asyncio.to_thread(begin, two, "brief", text="Rain fell.")
            waits.append(time.monotonic() - began)
            await asyncio.to_thread(two.wait_for, other, "completed")
    kinds = [event["kind"] for event in one.api("GET", f"/runs/{run_id}/events?limit=100").json()["items"]]
    told = await ends
    assert all([name.decode() for name in each if name != b"delta"] == kinds for each in told)
    assert median(waits) < promised(3.0)
    assert most_memory(two.process) - before < 200_000_000
    # Whoever begins to read after all has missed nothing.
    first, last = stalled[0], stalled[-1]
    assert [name.decode() for name in await first.read_on() if name != b"delta"] == kinds
    assert b"run.completed" in await last.read_on()
    for each in stalled:
        each.close()
    # Of those who have gone nothing is left: what is open besides are connections to the database.
    until(lambda: descriptors(two.process) < files + 20)


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
