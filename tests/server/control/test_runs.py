"""Runs over the control API of the real service."""

import json

import httpx2
import pytest

from tests.waiting import until

pytestmark = pytest.mark.slow
TEXT = "Rain fell for two days. The river rose by two metres. The bridge was closed on Monday."


@pytest.fixture(scope="module")
def done(api):
    return api.run("brief", session="s-runs", text=TEXT)


def test_a_run_is_shown_in_full_with_its_steps(api, done):
    shown = api.get(f"/runs/{done['id']}")
    assert shown["status"] == "completed"
    assert shown["inputs"] == {"text": TEXT}
    assert "river" in shown["outputs"]["response"]
    assert shown["steps"][0]["steps"][0]["steps"][0]["type"] == "model"
    assert shown["usage"]["tokens"] == shown["usage"]["input_tokens"] + shown["usage"]["output_tokens"] > 0
    assert api.get(f"/runs/{done['id']}", steps=False)["steps"] == []
    early = api.get(f"/runs/{done['id']}", at=2)
    assert (early["status"], early["events"], early["outputs"]) == ("running", 2, None)
    assert api.get(f"/runs/{done['id']}", at=9_999, expect=422)["code"] == "input"


def test_a_run_that_has_not_changed_is_not_sent_again(api, done):
    for path in (
        f"/runs/{done['id']}",
        f"/runs/{done['id']}/events",
        "/runs?limit=1&session=s-runs",
        f"/runs/{done['id']}/trace",
    ):
        first = api.client.get(path)
        again = api.client.get(path, headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b""), path
        assert again.headers["ETag"] == first.headers["ETag"]
        assert api.client.get(path, headers={"If-None-Match": 'W/"other"'}).status_code == 200


def test_lists_come_in_pages_and_miss_nothing(api):
    made = [api.run("brief", session="s-pages", text=f"{TEXT} {number}")["id"] for number in range(5)]
    seen, cursor = [], None
    while True:
        page = api.get("/runs", session="s-pages", limit=2, **({"cursor": cursor} if cursor else {}))
        seen += [run["id"] for run in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == made[::-1]


def test_lists_are_narrowed(api, done):
    def ids(**filters):
        return {run["id"] for run in api.get("/runs", limit=200, **filters)["items"]}

    assert done["id"] in ids(session="s-runs")
    assert done["id"] in ids(status=["completed", "failed"], workflow="brief")
    assert done["id"] not in ids(status="failed")
    assert done["id"] not in ids(workflow="letter")
    assert ids(id=done["id"][9:]) == {done["id"]}
    assert ids(id="%") == set()
    assert done["id"] not in ids(since="2100-01-01T00:00:00Z")
    assert done["id"] not in ids(until="2000-01-01")
    assert ids(until="0001-01-01T00:00:00+14:00") == set()
    for wrong in (
        {"limit": 201},
        {"limit": 0},
        {"cursor": "x"},
        {"status": "lost"},
        {"colour": "red"},
        {"since": "then"},
    ):
        assert api("GET", "/runs", expect=422, params=wrong)["code"] == "input"


def test_a_key_starts_one_run(api):
    body = {"workflow": "brief", "inputs": {"text": TEXT}}
    first = api.post("/runs", body, expect=202, headers={"Idempotency-Key": "k-1"})
    assert api.post("/runs", body, expect=200, headers={"Idempotency-Key": "k-1"})["id"] == first["id"]
    other = {**body, "inputs": {"text": "other"}}
    assert api.post("/runs", other, expect=409, headers={"Idempotency-Key": "k-1"})["code"] == "conflict"


def test_events_come_in_pages(api, done):
    seen, after = [], 0
    while after is not None:
        page = api.get(f"/runs/{done['id']}/events", after=after, limit=4)
        seen += [event["seq"] for event in page["items"]]
        after = page["next"]
    assert seen == list(range(1, done["events"] + 1))


def test_the_stream_tells_what_the_events_say(api, done):
    with api.client.stream("GET", f"/runs/{done['id']}/stream", headers={"Last-Event-ID": "1"}) as answer:
        lines = [line for line in answer.iter_lines() if line.startswith("data: ")]
    told = [json.loads(line[6:]) for line in lines]
    assert [one["seq"] for one in told] == list(range(2, done["events"] + 1))
    assert told[-1]["type"] == "run.completed"


def test_a_run_can_be_looked_into(api, done):
    run = f"/runs/{done['id']}"
    assert api.get(f"{run}/why") == {"status": "completed", "sources": []}
    assert api.get(f"{run}/verify")["intact"] is True
    assert api.get(f"{run}/trace")
    thoughts = api.get(f"{run}/reasoning")["items"]
    assert thoughts[0]["agent"] == "reader"
    replayed = api.post(f"{run}/replay")
    assert (replayed["same"], replayed["events"]) == (True, done["events"])


def test_a_fork_shares_the_past_and_differs(api, done):
    made = api.post(
        f"/runs/{done['id']}/rerun", {"step": "/step[0]", "set": {"text": "Snow fell. It was deep."}}, expect=201
    )
    assert made["forked_from"]["run_id"] == done["id"]
    fork = api.ended(made["id"])
    assert fork["status"] == "completed"
    assert "Snow" in fork["outputs"]["response"]
    for run, word in ((fork, "Snow"), (done, "river")):
        assert word in api.client.get(f"/runs/{run['id']}/artifacts/notes/said.md").text
    page = api.get(f"/runs/{done['id']}/diff", other=fork["id"], limit=1)
    assert page["different"] > 0
    assert len(page["items"]) == 1
    assert page["next"]
    assert api.get("/runs", forked_from=done["id"])["items"][0]["id"] == fork["id"]
    assert api.post(f"/runs/{fork['id']}/promote")["current"] is True
    assert api.get(f"/runs/{fork['id']}")["current"] is True
    assert api.delete(f"/runs/{done['id']}", expect=409)["code"] == "conflict"
    assert api.post(f"/runs/{fork['id']}/discard", expect=409)["code"] == "conflict"
    api.post(f"/runs/{done['id']}/promote")
    assert api.post(f"/runs/{fork['id']}/discard")["gone"] == [fork["id"]]
    assert api.get(f"/runs/{fork['id']}", expect=404)["code"] == "not-found"


def test_a_fork_may_wait_for_somebody_to_drive_it(api, done):
    made = api.post(f"/runs/{done['id']}/fork", {"at": "/step[0]", "drive": False}, expect=201)
    assert made["driven"] is False
    assert api.post(f"/runs/{made['id']}/resume", expect=202)["id"] == made["id"]
    assert api.ended(made["id"])["status"] == "completed"
    assert api.post(f"/runs/{made['id']}/resume", expect=409)["code"] == "conflict"
    assert api.post(f"/runs/{done['id']}/fork", {"at": "/nowhere"}, expect=404)["code"] == "not-found"


def test_a_signal_wakes_a_run_and_counts_once(api):
    run = api.run("nap")
    assert api.get(f"/runs/{run['id']}/why")["sources"][0]["kind"] == "signal"
    sent = {"name": "wake", "data": {"x": [1]}, "key": "w"}
    assert api.post(f"/runs/{run['id']}/signal", sent, expect=202)["new"] is True
    assert api.post(f"/runs/{run['id']}/signal", sent, expect=202)["new"] is False
    assert api.ended(run["id"])["status"] == "completed"


def test_a_run_is_cancelled_reopened_and_deleted(api):
    run = api.run("nap")
    assert api.delete(f"/runs/{run['id']}", expect=409)["code"] == "conflict"
    assert api.post(f"/runs/{run['id']}/cancel", {"reason": "enough"})["status"] == "cancelled"
    assert api.post(f"/runs/{run['id']}/resume", expect=409)["code"] == "conflict"
    assert api.post(f"/runs/{run['id']}/resume", {"reopen": True}, expect=202)
    until(lambda: api.settled(run["id"])["status"] == "waiting")
    assert api.post(f"/runs/{run['id']}/resume", {"settle": {"/x": "yes"}}, expect=422)["code"] == "input"
    api.post(f"/runs/{run['id']}/cancel")
    assert api.delete(f"/runs/{run['id']}") == {"gone": [run["id"]]}
    assert api.get(f"/runs/{run['id']}/events", expect=404)["code"] == "not-found"


def test_artifacts_are_listed_and_downloaded_as_files(api, service, done):
    found = {one["path"]: one for one in api.get(f"/runs/{done['id']}/artifacts")["items"]}
    assert set(found) == {"notes/said.md", "page.html"}
    assert found["page.html"]["type"] == "application/octet-stream"
    answer = api.client.get(f"/runs/{done['id']}/artifacts/page.html")
    assert answer.text == "<script>1</script>"
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''page.html"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    said = api.client.get(f"/runs/{done['id']}/artifacts/notes/said.md")
    assert said.headers["content-type"] == "text/markdown; charset=utf-8"
    kept = {"If-None-Match": said.headers["etag"]}
    assert api.client.get(f"/runs/{done['id']}/artifacts/notes/said.md", headers=kept).status_code == 304
    for path in ("../../journal.db", "%2e%2e/%2e%2e/journal.db", "notes%2F%2e%2e%2Fpage.html", "/etc/passwd", "none"):
        url = f"{service.url}/api/v1/runs/{done['id']}/artifacts/{path}"
        assert httpx2.get(url, timeout=60).status_code == 404, path


def test_an_artifact_that_is_no_longer_what_was_written_is_not_sent(api, service):
    run = api.run("brief", text=TEXT)
    folder = service.home / "artifacts" / run["id"]
    (folder / "page.html").unlink()
    assert api.get(f"/runs/{run['id']}/artifacts/page.html", expect=404)["code"] == "not-found"
    (folder / "page.html").symlink_to(service.home / "journal.db")
    assert api.get(f"/runs/{run['id']}/artifacts/page.html", expect=409)["code"] == "conflict"
    (folder / "notes" / "said.md").write_text("something else")
    assert api.get(f"/runs/{run['id']}/artifacts/notes/said.md", expect=409)["code"] == "conflict"
    (folder / "notes").rename(service.home / "moved")
    (folder / "notes").symlink_to(service.home / "moved")
    assert api.get(f"/runs/{run['id']}/artifacts/notes/said.md", expect=409)["code"] == "conflict"


def test_what_is_not_there_is_not_found_anywhere(api):
    for method, path in (
        ("GET", ""), ("DELETE", ""), ("GET", "/events"), ("GET", "/stream"), ("GET", "/why"), ("GET", "/verify"),
        ("GET", "/trace"), ("GET", "/reasoning"), ("GET", "/artifacts"), ("POST", "/cancel"), ("POST", "/resume"),
        ("POST", "/fork"), ("POST", "/promote"), ("POST", "/discard"), ("POST", "/replay"), ("GET", "/diff?other=x"),
    ):  # fmt: skip
        for guessed in ("01a228ef-7d43-7131-b584-c92df5576c90", "0", "%00", "last", "'--"):
            answer = api.client.request(method, f"/runs/{guessed}{path}")
            assert answer.status_code == 404, (method, path, guessed, answer.text)
            assert answer.headers["content-type"] == "application/problem+json"
