"""Users, roles, keys and flags over the API: who may do what, from the moment it is said."""

import contextlib

import pytest

from tests.server.control.service import Api

pytestmark = pytest.mark.slow


@pytest.fixture
def caller(service, api):
    made = []

    def make(user, role):
        api.post("/users", {"id": user, "role": role}, expect=201)
        key = api.post("/keys", {"user": user, "name": "test", "role": role}, expect=201)
        one = Api(service.url, Authorization=f"Bearer {key['key']}")
        made.append(one)
        return one, key

    yield make
    for one in made:
        with contextlib.suppress(RuntimeError):
            one.client.close()


def test_a_viewer_sees_and_does_nothing(api, caller):
    viewer, _ = caller("vera", "viewer")
    viewer.get("/runs")
    refused = viewer.post("/runs", {"workflow": "brief", "inputs": {"text": "t"}}, expect=403)
    assert "runs:start" in refused["detail"]
    viewer.get("/audit", expect=403)
    viewer.post("/users", {"id": "x", "role": "viewer"}, expect=403)
    denied = [one for one in api.get("/audit", limit=200)["items"] if one["outcome"] == "denied"]
    assert "vera" in {one["principal"] for one in denied}


def test_an_approver_decides_in_their_own_name(api, caller):
    approver, _ = caller("abel", "approver")
    run = api.run("letter", note="Dear Ann")
    [gate] = api.get("/gates", run=run["id"])["items"]
    decided = approver.post(f"/gates/{gate['id']}/decide", {"choice": "send"})
    assert decided["decision"]["by"] == "abel"


def test_a_key_is_told_once_and_counts_no_more_when_it_is_taken_back(api, caller):
    user, key = caller("kay", "developer")
    assert key["key"].startswith("weft_")
    listed = next(one for one in api.get("/keys") if one["id"] == key["id"])
    assert listed["key"] is None
    user.get("/runs")
    api.delete(f"/keys/{key['id']}", expect=204)
    user.get("/runs", expect=401)
    api.delete("/keys/none", expect=404)


def test_a_user_who_is_disabled_is_out_at_once(api, caller):
    user, _ = caller("dora", "developer")
    user.get("/runs")
    api("PATCH", "/users/dora", json={"disabled": True})
    user.get("/runs", expect=401)


def test_nobody_gives_what_they_have_not(api, caller):
    developer, _ = caller("dev", "developer")
    developer.post("/keys", {"user": "local", "name": "x", "role": "admin"}, expect=403)
    api.post("/keys", {"user": "dev", "name": "x", "role": "admin"}, expect=422)


def test_sessions_are_their_owners_alone(api, caller):
    ann, _ = caller("ann", "developer")
    bob, _ = caller("bob", "developer")
    session = ann.post("/sessions", {"target": "brief"}, expect=201)["id"]
    theirs = bob.get(f"/sessions/{session}", expect=404)
    nobodys = bob.get("/sessions/none", expect=404)
    assert theirs["detail"].replace(session, "") == nobodys["detail"].replace("none", "")


def test_a_flag_stops_new_runs_without_a_restart(serve):
    one = serve()
    with Api(one.url) as api:
        flags = {flag["name"]: flag for flag in api.get("/flags")}
        assert flags["runs.accept"]["value"] is True
        api("PUT", "/flags/runs.accept", json={"value": False})
        refused = api.post("/runs", {"workflow": "brief", "inputs": {"text": "t"}}, expect=503)
        assert refused["code"] == "transient"
        api("PUT", "/flags/runs.accept", json={"value": None})
        api.run("brief", text="t")
        api("PUT", "/flags/runs.accept", json={"value": 3}, expect=422)
        api("PUT", "/flags/other", json={"value": True}, expect=404)
