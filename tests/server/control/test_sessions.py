"""Conversations over the API: turns, branches, again, search, and one turn at a time."""

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def session(api):
    return api.post("/sessions", {"target": "brief/reader", "title": ""}, expect=201)["id"]


def say(api, session, text, expect=202, **more):
    turn = api.post(f"/sessions/{session}/turns", {"message": text, "inputs": {"text": "t"}, **more}, expect=expect)
    if expect == 202:
        api.settled(turn["run"])
    return turn


def test_turns_follow_one_another_and_say_what_they_cost(api, session):
    first, second = say(api, session, "Looms are warped."), say(api, session, "The weft is missing.")
    found = api.get(f"/sessions/{session}")
    assert [one["run"] for one in found["turns"]] == [first["run"], second["run"]]
    assert found["turns"][1]["after"] == first["run"]
    assert found["turns"][0]["answered"]
    assert found["usage"]["requests"] == 2
    assert found["title"] == "Looms are warped."
    given = api.get(f"/runs/{second['run']}")["inputs"]["messages"]
    assert [one["role"] for one in given] == ["user", "assistant"]


def test_a_branch_and_an_answer_once_more_leave_the_others(api, session):
    first, second = say(api, session, "one"), say(api, session, "two")
    again = api.post(f"/sessions/{session}/turns/{second['run']}/again", expect=202)
    api.settled(again["run"])
    found = api.get(f"/sessions/{session}")
    assert [one["run"] for one in found["turns"]] == [first["run"], again["run"]]
    assert [one["run"] for one in found["others"]] == [second["run"]]
    api("PATCH", f"/sessions/{session}", json={"after": "", "title": "Anew"})
    assert api.get(f"/sessions/{session}")["turns"] == []
    api("PATCH", f"/sessions/{session}", json={"after": "nowhere"}, expect=404)


def test_a_second_turn_is_refused_while_one_waits(api):
    session = api.post("/sessions", {"target": "letter"}, expect=201)["id"]
    turn = api.post(f"/sessions/{session}/turns", {"message": "Dear Ann"}, expect=202)
    api.settled(turn["run"])
    refused = api.post(f"/sessions/{session}/turns", {"message": "Dear Bob"}, expect=409)
    assert refused["ids"]["run"] == turn["run"]
    api.delete(f"/sessions/{session}", expect=409)
    api.post(f"/runs/{turn['run']}/cancel")
    api.settled(turn["run"])
    api.delete(f"/sessions/{session}", expect=204)
    api.get(f"/sessions/{session}", expect=404)
    api.get(f"/runs/{turn['run']}", expect=404)


def test_what_was_said_is_found(api, session):
    turn = say(api, session, "Where is the heddle of the jacquard?")
    found = api.get("/sessions/search", words="jacquard hedd")
    assert [(one["session"], one["run"]) for one in found if one["role"] == "user"] == [(session, turn["run"])]
    assert api.get("/sessions/search", words='"') == []


def test_lists_have_pages(api):
    made = [api.post("/sessions", {"target": "brief"}, expect=201)["id"] for _ in range(3)]
    first = api.get("/sessions", target="brief", limit=2)
    rest = api.get("/sessions", target="brief", limit=200, cursor=first["next"])
    assert set(made) <= {one["id"] for one in first["items"] + rest["items"]}
    assert not {one["id"] for one in first["items"]} & {one["id"] for one in rest["items"]}


def test_the_same_turn_under_its_key_is_the_same_run(api, session):
    body = {"message": "once", "inputs": {"text": "t"}}
    key = {"Idempotency-Key": "k1"}
    first = api.post(f"/sessions/{session}/turns", body, expect=202, headers=key)
    second = api.post(f"/sessions/{session}/turns", body, expect=202, headers=key)
    assert first["run"] == second["run"]
    api.settled(first["run"])
    api.post(f"/sessions/{session}/turns", {**body, "message": "other"}, expect=409, headers=key)
