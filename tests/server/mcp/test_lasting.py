"""Calls that outlive what carries them: lost connections, a service that is killed, state that a client keeps."""

import httpx2
import pytest

from tests.server.mcp.wire import Session, read, single
from tests.waiting import until

pytestmark = pytest.mark.slow
YES = {"action": "accept", "content": {"choice": "send"}}


def test_a_question_survives_a_service_that_is_killed(served):
    asked = single(served.url, "release", {"note": "Weft asks."})["result"]
    assert asked["resultType"] == "input_required"
    (gate,) = asked["inputRequests"]
    served.restart()
    answer = {"requestState": asked["requestState"], "inputResponses": {gate: YES}}
    done = single(served.url, "release", {"note": "Weft asks."}, **answer)["result"]
    assert done["structuredContent"]["status"] == "completed"
    again = single(served.url, "release", {"note": "Weft asks."}, **answer)["result"]
    assert again["structuredContent"]["run_id"] == done["structuredContent"]["run_id"]
    # A run that was started without waiting is found by its id.
    found = single(served.url, "weft_result", {"run_id": done["structuredContent"]["run_id"]})["result"]
    assert found["structuredContent"]["response"] == done["structuredContent"]["response"]


def test_state_counts_for_the_call_it_was_given_to_and_nothing_else(shared):
    asked = single(shared.url, "release", {"note": "One."})["result"]
    (gate,) = asked["inputRequests"]
    answer = {"requestState": asked["requestState"], "inputResponses": {gate: YES}}
    for name, arguments in (("release", {"note": "Two."}), ("brief", {"text": "One."})):
        refused = single(shared.url, name, arguments, **answer)
        assert refused["error"]["message"] == "Invalid or expired requestState"
    state = asked["requestState"][:-4] + "AAAA"
    refused = single(shared.url, "release", {"note": "One."}, **(answer | {"requestState": state}))
    assert refused["error"]["code"] == -32602
    # Answers to gates that were not asked here decide nothing.
    other = single(shared.url, "release", {"note": "Other."})["result"]
    (foreign,) = other["inputRequests"]
    mixed = {"requestState": asked["requestState"], "inputResponses": {foreign: YES}}
    assert single(shared.url, "release", {"note": "One."}, **mixed)["result"]["resultType"] == "input_required"


def test_a_lost_connection_cancels_nothing_and_the_client_reads_on(shared):
    session, last = Session(shared.url), ""
    with session.stream("slow", {}) as response:
        for line in response.iter_lines():
            if line.startswith("id: "):
                last = line[4:]
                break
    reading = session.headers | {"last-event-id": last, "accept": "text/event-stream"}
    answer = None
    with httpx2.stream("GET", session.url, headers=reading, timeout=60) as response:
        assert response.status_code == 200
        for line in response.iter_lines():
            for one in read(line):
                answer = one if "result" in one else answer
            if answer is not None:
                break
    assert answer["result"]["structuredContent"]["workflow"] == "slow"
    assert answer["result"]["structuredContent"]["status"] == "completed"


def test_a_session_reads_nothing_of_another(shared):
    first, second = Session(shared.url), Session(shared.url)
    one = first.call("brief", {"text": "The secret of the first."}, 5)
    assert "The secret of the first." in one.text
    place = [line[4:] for line in one.text.splitlines() if line.startswith("id: ")][0]
    reading = second.headers | {"last-event-id": place, "accept": "text/event-stream"}
    text = ""
    try:
        with httpx2.stream("GET", second.url, headers=reading, timeout=2) as response:
            for line in response.iter_lines():
                text += line
    except httpx2.TimeoutException:
        pass
    assert "secret" not in text


def test_a_request_that_is_sent_twice_in_a_session_is_one_run(shared):
    session = Session(shared.url)
    first = read(session.call("brief", {"text": "Twice."}, 77).text)[-1]["result"]
    again = read(session.call("brief", {"text": "Twice."}, 77).text)[-1]["result"]
    assert first["structuredContent"]["run_id"] == again["structuredContent"]["run_id"]


def test_the_service_stops_and_leaves_the_runs_of_its_calls_to_the_next(make_served):
    from tests.server.conftest import SLOW

    served = make_served({"slow": SLOW.replace("SECONDS", "3")}, WEFT_SERVER__DRAIN_S="0")
    session = Session(served.url)
    with session.stream("slow", {}) as response:
        next(response.iter_lines())
        run = until(served.latest)
        assert served.stop() == 0
    served.start()
    assert served.run(run)["status"] in ("waiting", "running", "completed")
    served.wait_for(run, "completed", seconds=40)
