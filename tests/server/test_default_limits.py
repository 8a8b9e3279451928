"""The limits that hold when nobody has set any, each by its number, asked of a real service."""

import time

import httpx2
import pytest

from weft.app.limits import Limits
from weft.core.errors import RateLimitError
from weft.core.settings_model import Rates

OFF = {f"WEFT_RATES__{name}": "0" for name in ("USER_MINUTE", "USER_HOUR", "KEY_HOUR", "TENANT_HOUR", "SESSION_HOUR")}
ECHO = """\
version: 1
name: echo
runtime: {provider: offline, model_id: extract}
inputs: {required: {text: string}}
agents: {nobody: {prompt: unused}}
pattern: {type: chain, config: {steps: [{tool: calculator, args: {expression: "1+1"}}]}}
"""


def serving(make_served, *kept):
    """A service in which only these limits stand, each as it is by default."""
    off = {name: value for name, value in OFF.items() if name.removeprefix("WEFT_RATES__") not in kept}
    return make_served({"echo": ECHO}, WEFT_SERVER__MODELS="offline/*", WEFT_DURABILITY="fast", **off)


def user(served, name):
    """A client in the name of a new user."""
    assert served.api("POST", "/users", json={"id": name, "role": "developer"}).status_code == 201
    made = served.api("POST", "/keys", json={"user": name, "name": "k", "role": "developer"})
    return httpx2.Client(base_url=served.url, headers={"Authorization": f"Bearer {made.json()['key']}"}, timeout=60)


def embed(client):
    return client.post("/v1/embeddings", json={"model": "offline/embed", "input": "a"})


def until_refused(ask, count, seconds):
    """The first answer that is refused. Before it there are `count`, and one more for each step of time that has passed."""
    step = seconds / count
    began, lefts = time.monotonic(), []
    for _ in range(count * 3):
        answer = ask()
        assert answer.headers.get("ratelimit-limit") == str(count), answer.text
        if answer.status_code == 429:
            break
        assert answer.status_code < 300, answer.text
        lefts.append(int(answer.headers["ratelimit-remaining"]))
        assert 0 < int(answer.headers["ratelimit-reset"]) <= seconds
    passed = time.monotonic() - began
    assert answer.status_code == 429
    assert count <= len(lefts) <= count + passed / step + 1
    assert lefts[0] == count - 1
    assert answer.headers["ratelimit-remaining"] == "0"
    assert 0 < int(answer.headers["retry-after"]) <= step + 1
    assert int(answer.headers["ratelimit-reset"]) <= seconds
    return answer


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limit", "count", "seconds", "said"),
    [("USER_MINUTE", 10, 60, "more than 10 a minute for a user"), ("USER_HOUR", 100, 3_600, "100 an hour for a user")],
)
def test_a_user(make_served, limit, count, seconds, said):
    served = serving(make_served, limit)
    with user(served, "ann") as ann, user(served, "bob") as bob:
        refused = until_refused(lambda: embed(ann), count, seconds)
        assert said in refused.json()["error"]["message"]
        # It is the same for what else begins something, another user has their own, and looking goes on.
        asked = ann.post("/api/v1/runs", json={"workflow": "echo", "inputs": {"text": "t"}})
        assert (asked.status_code, asked.json()["code"]) == (429, "rate-limited")
        assert int(asked.headers["retry-after"]) >= 1
        assert embed(bob).headers["ratelimit-remaining"] == str(count - 1)
        assert {ann.get("/api/v1/runs").status_code for _ in range(30)} == {200}


@pytest.mark.slow
def test_a_tenant(make_served):
    served = serving(make_served, "TENANT_HOUR")
    with user(served, "ann") as ann, user(served, "bob") as bob:
        asking = [ann, bob]

        def ask():
            asking.reverse()
            return embed(asking[0])

        refused = until_refused(ask, 1_000, 3_600)
        assert "more than 1000 an hour for a tenant" in refused.json()["error"]["message"]
        assert served.api("GET", "/runs").status_code == 200


@pytest.mark.slow
def test_a_session(make_served):
    served = serving(make_served, "SESSION_HOUR")
    with user(served, "ann") as ann:
        session, other = (ann.post("/api/v1/sessions", json={"target": "echo"}).json()["id"] for _ in range(2))

        def ask(which=session):
            answer = ann.post(f"/api/v1/sessions/{which}/turns", json={"message": "t"})
            if answer.status_code == 202:
                until = time.monotonic() + 30
                while ann.get(f"/api/v1/runs/{answer.json()['run']}").json()["status"] != "completed":
                    assert time.monotonic() < until
                    time.sleep(0.02)
            return answer

        refused = until_refused(ask, 50, 3_600)
        assert "more than 50 an hour for a session" in refused.json()["detail"]
        assert ask(other).headers["ratelimit-remaining"] == "49"


@pytest.mark.slow
def test_the_user_of_this_machine_has_none(make_served):
    served = make_served({"echo": ECHO}, WEFT_SERVER__MODELS="offline/*", WEFT_DURABILITY="fast")
    with httpx2.Client(base_url=served.url, timeout=60) as here:
        found = [embed(here) for _ in range(120)]
        assert {one.status_code for one in found} == {200}
        assert not any("ratelimit-limit" in one.headers for one in found)
        begun = [here.post("/api/v1/runs", json={"workflow": "echo", "inputs": {"text": "t"}}) for _ in range(15)]
        assert {one.status_code for one in begun} == {202}


class Still:
    """A clock that goes on when it is told to."""

    now = 1_000_000_000

    def micros(self):
        return self.now


def test_looking_is_limited_far_higher():
    clock = Still()
    limits = Limits(Rates(), None, clock)
    for _ in range(6_000):
        limits.read("local", "ann")
    with pytest.raises(RateLimitError, match="more than 6000 a minute"):
        limits.read("local", "ann")
    limits.read("local", "bob")
    limits.read("local", "local")
    clock.now += 10_000
    limits.read("local", "ann")
    with pytest.raises(RateLimitError):
        limits.read("local", "ann")
