"""Two services on one Postgres database: what one of them begins, the other one shows, steers, and goes on with."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.server.conftest import SMALL, Served

pytestmark = pytest.mark.slow


@pytest.fixture
def pair(tmp_path, postgres):
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        one = Served(tmp_path / name, WEFT_STORE__URL=postgres)
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
    assert until(lambda: drives(two, run_id) == 2) < 1.0
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
    assert until(lambda: drives(two, run_id) == 2) < 3.0
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
    assert until(lambda: one.run(run_id)["status"] == "cancelled") < 5


def test_a_run_under_one_key_is_started_once_however_many_services_are_asked(pair):
    def ask(service):
        body = {"workflow": "brief", "inputs": {"text": "Rain fell."}}
        return service.api("POST", "/runs", json=body, headers={"Idempotency-Key": "once"}).json()["id"]

    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(ask, pair * 4))
    assert len(ids) == 1
