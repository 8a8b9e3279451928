"""Workflows, gates, agents, tools, automations, plans, usage, audit and settings over the control API of the real service."""

import json
import threading

import pytest

from tests.server.control.service import BRIEF, Api
from tests.waiting import until

pytestmark = pytest.mark.slow
TEXT = "Rain fell for two days. The river rose by two metres. The bridge was closed on Monday."
OWN = BRIEF.replace("name: brief", "name: own")
YAML = {"Content-Type": "application/yaml"}
CAPPED = """\
version: 1
name: capped
runtime: {provider: openai, model_id: gpt-4o-mini, max_tokens: 300, budgets: {max_tokens: 9000, max_cost_usd: 0.5}}
inputs: {required: {items: array}}
agents:
  writer: {prompt: Write., tools: [calculator]}
  judge: {prompt: Judge.}
pattern:
  type: chain
  config:
    steps:
      - {agent: judge, input: Begin.}
      - map: {items: inputs.items, as: item, do: [{agent: writer, input: "{{ item }}"}]}
"""


@pytest.fixture(scope="module")
def registered(api):
    made = api("POST", "/workflows", expect=201, content=OWN.encode(), headers=YAML)
    yield made
    api.client.delete("/workflows/own")


def test_workflows_are_listed_and_shown(api):
    names = {one["name"]: one for one in api.get("/workflows")["items"]}
    assert {"brief", "letter", "booking", "nap"} <= set(names)
    assert names["brief"]["version"] == 0
    shown = api.get("/workflows/brief")
    assert shown["input_schema"]["required"] == ["text"]
    assert (shown["main_input"], shown["agents"], shown["source"]) == ("text", ["reader"], BRIEF)
    first = api.client.get("/workflows/brief")
    again = api.client.get("/workflows/brief", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    assert api.get("/workflows/brif", expect=404)["fix"] == "did you mean 'brief'?"


def test_a_workflow_has_versions_that_differ(api, registered):
    assert (registered["name"], registered["version"]) == ("own", 1)
    assert api("POST", "/workflows", expect=200, content=OWN.encode(), headers=YAML)["version"] == 1
    changed = OWN.replace("Summarise the text.", "Summarise the text in one sentence.")
    made = api.post("/workflows", {"source": changed, "note": "shorter"}, expect=201)
    assert made["version"] == 2
    found = api.get("/workflows/own/versions", limit=1)
    assert [(one["version"], one["note"], one["by"]) for one in found["items"]] == [(2, "shorter", "local")]
    assert api.get("/workflows/own/versions", cursor=found["next"])["items"][0]["version"] == 1
    diff = api.get("/workflows/own/diff", first=1, second=2)
    assert (diff["same"], diff["same_plan"], diff["added"], diff["removed"]) == (False, False, 1, 1)
    assert "+agents: {reader: {prompt: Summarise the text in one sentence.}}" in diff["diff"]
    assert api.get("/workflows/own", version=1)["source"] == OWN
    assert api.get("/workflows/own/diff", first=1, second=9, expect=404)["code"] == "not-found"
    run = api.post("/runs", {"workflow": "own", "version": 1, "inputs": {"text": TEXT}}, expect=202)
    assert api.settled(run["id"])["plan_hash"] == api.get("/workflows/own/plan", version=1)["plan_hash"]


def test_a_workflow_that_is_forgotten_can_be_registered_anew(api):
    text = BRIEF.replace("name: brief", "name: passing")
    api("POST", "/workflows", expect=201, content=text.encode(), headers=YAML)
    assert api.delete("/workflows/passing") == {"name": "passing", "versions": 1}
    assert api.get("/workflows/passing", expect=404)["code"] == "not-found"
    other = text.replace("Summarise the text.", "Say it shortly.")
    assert api("POST", "/workflows", expect=201, content=other.encode(), headers=YAML)["version"] == 1
    assert api.get("/workflows/passing/plan")["plan"]["definitions"]["agents"]["reader"]["prompt"] == "Say it shortly."
    api.delete("/workflows/passing")
    assert api.delete("/workflows/brief", expect=409)["code"] == "conflict"
    assert api.delete("/workflows/nothing", expect=404)["code"] == "not-found"


def test_problems_are_named_with_their_places(api):
    wrong = BRIEF.replace("prompt:", "promt:")
    found = api("POST", "/workflows/validate", content=wrong.encode(), headers=YAML)
    assert found["valid"] is False
    assert found["problems"][0]["line"] == 6
    refused = api("POST", "/workflows", expect=422, content=wrong.encode(), headers=YAML)
    assert (refused["code"], refused["problems"][0]["line"]) == ("spec", 6)
    good = api.post("/workflows/validate", {"source": BRIEF})
    assert (good["valid"], good["workflow"], good["problems"]) == (True, "brief", [])
    assert good["plan_hash"] == api.get("/workflows/brief/plan")["plan_hash"]
    document = {"version": 0, "name": "said", "runtime": {"provider": "offline"}, "agents": {"a": {"prompt": "p"}}}
    document["pattern"] = {"type": "chain", "config": {"steps": [{"agent": "a", "input": 'Say "x": [y]'}]}}
    assert api.post("/workflows/validate", {"document": document})["valid"] is True
    for body in ({}, {"source": BRIEF, "document": document}, {"source": ""}):
        assert api.post("/workflows/validate", body, expect=422)["code"] == "input"


def test_a_plan_is_shown_as_data_and_drawn(api):
    assert api.get("/workflows/letter/plan")["plan"]["workflow"] == "letter"
    assert api.get("/workflows/letter/plan", format="mermaid")["picture"].startswith("flowchart")
    assert "gate for anybody" in api.get("/workflows/letter/plan", format="tree")["picture"]
    assert api.get("/workflows/letter/plan", format="png", expect=422)["code"] == "input"
    assert api.post("/workflows/letter/preview", {"request": "x"}, expect=422)["code"] == "input"


def test_an_estimate_says_what_it_knows_and_leaves_the_rest_open(api):
    api.run("brief", text=TEXT)
    known = api.post("/workflows/brief/estimate")
    assert known["calls"] == {"agent": {"low": 1, "high": 1}, "artifact": {"low": 2, "high": 2}}
    assert known["models"][0]["requests"] == {"low": 1, "high": 1}
    assert (known["models"][0]["input_usd_per_million"], known["open"]) == ("0", [])
    assert known["measured"]["runs"] >= 1
    assert known["measured"]["tokens"]["low"] > 0
    api("POST", "/workflows", expect=201, content=CAPPED.encode(), headers=YAML)
    capped = api.post("/workflows/capped/estimate")
    assert capped["calls"]["agent"] == {"low": 1, "high": None}
    assert capped["open"] == ["agent writer"]
    assert capped["limits"] == {"max_tokens": 9000, "max_cost_usd": "0.5", "max_steps": None, "max_duration_s": None}
    model = capped["models"][0]
    assert (model["input_usd_per_million"], model["output_usd_per_million"]) == ("0.15", "0.6")
    assert (model["output_tokens_at_most"], capped["unpriced"], capped["measured"]) == (None, [], None)
    api.delete("/workflows/capped")


def test_what_waits_is_listed_shown_and_decided(api):
    run = api.run("letter", note=TEXT)
    (gate,) = api.get("/gates", run=run["id"])["items"]
    assert (gate["prompt"], gate["choices"], gate["status"]) == ("Send it?", ["send", "reject"], "open")
    assert gate["id"] in [one["id"] for one in api.get("/gates", mine=True, limit=200)["items"]]
    path = f"/gates/{gate['id']}"
    tag = api.client.get(path).headers["etag"]
    assert api.client.get(path, headers={"If-None-Match": tag}).status_code == 304
    for body, code, expect in (
        ({}, "input", 422),
        ({"choice": "burn"}, "input", 422),
        ({"choice": "send", "saw": "something else"}, "conflict", 409),
        ({"choice": "send", "approved": True}, "input", 422),
        ({"values": {"x": 1}}, "input", 422),
    ):
        assert api.post(f"{path}/decide", body, expect=expect)["code"] == code
    answer = {"choice": "send", "why": "it is right", "saw": gate["shown"]}
    decided = api.post(f"{path}/decide", answer)
    assert (decided["decision"]["by"], decided["gate"]["status"], decided["repeated"]) == ("local", "decided", False)
    assert api.post(f"{path}/decide", answer)["repeated"] is True
    lost = api.post(f"{path}/decide", {"choice": "reject"}, expect=409)
    assert (lost["code"], lost["ids"]["decision"]["choice"]) == ("conflict", "send")
    assert api.client.get(path, headers={"If-None-Match": tag}).status_code == 200
    ended = api.ended(run["id"])
    assert ended["status"] == "completed"
    assert api.get("/gates", run=run["id"], status="decided")["items"][0]["decision"]["why"] == "it is right"
    assert api.get("/gates", run=run["id"])["items"] == []


def test_of_many_answers_one_wins_and_the_others_are_told(api, service):
    run = api.run("letter", note=TEXT)
    (gate,) = api.get("/gates", run=run["id"])["items"]
    told = []

    def answer(choice):
        with Api(service.url) as own:
            told.append(own.client.post(f"/gates/{gate['id']}/decide", json={"choice": choice, "why": choice}))

    threads = [threading.Thread(target=answer, args=(("send", "reject")[n % 2],)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    won = [one.json()["decision"]["choice"] for one in told if one.status_code == 200]
    lost = [one.json()["ids"]["decision"]["choice"] for one in told if one.status_code == 409]
    assert (len(won), len(lost), len({*won, *lost})) == (4, 4, 1)
    api.ended(run["id"])


def test_a_form_is_for_whom_it_asks(api):
    run = api.run("booking")
    (gate,) = api.get("/gates", run=run["id"])["items"]
    assert gate["form"]["properties"]["people"] == {"type": "integer", "minimum": 1}
    assert gate["id"] not in [one["id"] for one in api.get("/gates", mine=True, limit=200)["items"]]
    path = f"/gates/{gate['id']}/decide"
    assert api.post(path, {"values": {"people": 3}}, expect=403)["code"] == "policy"
    assert api.post(path, {"values": {"people": 0}, "by": "maitre"}, expect=422)["code"] == "input"
    assert api.post(path, {"values": {"people": 3}, "by": "maitre"})["decision"]["values"] == {"people": 3}
    assert api.ended(run["id"])["status"] == "completed"


def test_gates_come_in_pages(api):
    runs = [api.run("letter", note=f"{TEXT} {n}")["id"] for n in range(3)]
    for mine in (False, True):
        seen, cursor = [], None
        while True:
            page = api.get("/gates", limit=2, mine=mine, **({"cursor": cursor} if cursor else {}))
            seen += [gate["run_id"] for gate in page["items"]]
            cursor = page["next"]
            if cursor is None:
                break
        assert len(seen) == len(set(seen))
        assert set(runs) <= set(seen)
    for run_id in runs:
        api.post(f"/runs/{run_id}/cancel")


def test_agents_are_shown_with_schemas_and_card(api):
    assert "brief/reader" in [one["name"] for one in api.get("/agents", limit=200)["items"]]
    shown = api.get("/agents/brief/reader")
    assert (shown["model"], shown["atomic"], shown["card"]["id"]) == ("offline/extract", False, "reader")
    assert "message" in shown["input_schema"]["required"]
    assert api.get("/agents/brief", expect=404)["code"] == "not-found"
    run = api.run("nap/reader", message=TEXT)
    assert (run["workflow"], run["status"]) == ("nap/reader", "completed")


def test_tools_are_listed(api):
    tools = {one["name"]: one for one in api.get("/tools", limit=200)["items"]}
    assert tools["calculator"]["effect"] == "pure"
    assert tools["calculator"]["input_schema"]["properties"]
    assert tools["python_exec"]["allowed"] is False
    assert api.get("/tools", workflow="brief")["items"] == []


def test_schedules_are_added_paused_and_removed(api):
    body = {"workflow": "brief", "name": "daily", "cron": "0 8 * * *", "tz": "Europe/Berlin", "inputs": {"text": TEXT}}
    made = api.post("/schedules", body, expect=201)
    assert (made["workflow"], made["kind"], made["paused"]) == ("brief", "schedule", False)
    assert api.post("/schedules", body, expect=409)["code"] == "conflict"
    assert len(api.get("/schedules/daily/next", count=3)["times"]) == 3
    assert api.post("/schedules/daily/pause")["next"] is None
    assert api.post("/schedules/daily/resume")["next"]
    assert api.get("/schedules/daily")["firings"] == []
    assert [one["name"] for one in api.get("/schedules")["items"]] == ["daily"]
    assert api.get("/triggers/daily", expect=404)["code"] == "not-found"
    assert api.delete("/schedules/daily") == {"removed": "daily"}
    for wrong in (
        {"cron": "x"},
        {"cron": None},
        {"tz": "Mars/Base"},
        {"every_s": 5},
        {"inputs": {}},
        {"name": "../x"},
        {"cron": "0 0 30 2 *"},
    ):
        assert api.post("/schedules", body | wrong, expect=422)["code"] == "input", wrong


def test_a_trigger_starts_a_run_after_another(api, service):
    made = api.post("/triggers", {"workflow": "brief/reader", "on_run": {"workflow": "nap"}}, expect=422)
    assert made["code"] == "input"
    body = {"workflow": "own2", "name": "after", "on_run": {"workflow": "brief"}}
    text = (
        BRIEF.replace("name: brief", "name: own2")
        .replace("{text: string}", "{response: string}")
        .replace("{{ text }}", "{{ response }}")
    )
    api("POST", "/workflows", expect=201, content=text.encode(), headers=YAML)
    assert api.post("/triggers", body, expect=201)["kind"] == "run"
    first = api.run("brief", text=TEXT)
    # Runs that other tests have begun may end meanwhile, too.
    started = until(lambda: [one for one in api.get("/triggers/after")["firings"] if first["id"] in str(one)])[0]
    until(lambda: started["run_id"] in [one["id"] for one in api.get("/runs", workflow="own2")["items"]])
    api.settled(started["run_id"])
    api.delete("/triggers/after")
    api.delete("/workflows/own2")
    watched = {"workflow": "brief", "name": "files", "inputs": {}}
    for folder in ("/etc", "..", str(service.home), "\x00"):
        refused = api.client.post("/triggers", json=watched | {"on_file": {"folder": folder, "variable": "text"}})
        assert refused.status_code in {403, 422}, folder
    inside = {"on_file": {"folder": str(service.flows), "variable": "text", "pattern": "*.txt"}}
    assert api.post("/triggers", watched | inside, expect=201)["kind"] == "file"
    api.delete("/triggers/files")
    assert api.post("/triggers", watched, expect=422)["code"] == "input"


def test_kept_plans_are_listed_and_invalidated(api):
    assert api.get("/plans") == {"items": [], "next": None}
    assert api.post("/plans/invalidate", {"all": True}) == {"removed": []}
    assert api.post("/plans/invalidate", {}, expect=422)["code"] == "input"


def test_usage_is_summed_request_by_request(api):
    text = BRIEF.replace("name: brief", "name: counted")
    api("POST", "/workflows", expect=201, content=text.encode(), headers=YAML)
    runs = [api.run("counted", text=f"{TEXT} {number}") for number in range(2)]
    sums = api.get("/usage", by=["model", "agent"], workflow="counted")
    assert sums["total"]["tokens"] == sum(run["usage"]["tokens"] for run in runs) > 0
    assert sums["runs"] == 2
    [row] = sums["items"]
    assert (row["agent"], row["model"], row["usage"]["cost_usd"], row["day"]) == (
        "reader",
        "offline/extract",
        "0",
        None,
    )
    assert api.get("/usage")["total"]["tokens"] >= sums["total"]["tokens"]
    days = api.get("/usage", workflow="counted")["items"]
    # They may have gone on past midnight.
    dates = [run[at][:10] for run in runs for at in ("created_at", "updated_at")]
    assert min(dates) <= min(one["day"] for one in days) <= max(one["day"] for one in days) <= max(dates)
    assert sum(one["usage"]["tokens"] for one in days) == sums["total"]["tokens"]
    api.delete("/workflows/counted")
    assert api.get("/usage", since="2001-01-01", until="2001-02-01")["total"]["tokens"] == 0
    assert api.get("/usage", since="2001-01-01", expect=422)["code"] == "input"


def test_audit_says_who_did_what(api):
    run = api.run("nap")
    api.post(f"/runs/{run['id']}/cancel", {"reason": "r"})
    entries = api.get("/audit", target=f"run/{run['id']}")["items"]
    assert [one["act"] for one in entries] == ["run.cancel", "run.start"]
    assert api.get("/audit", act="run.*", limit=1)["next"]
    page = api.get("/audit", act="run.*", limit=1)
    older = api.get("/audit", act="run.*", limit=1, cursor=page["next"])
    assert older["items"][0]["seq"] < page["items"][0]["seq"]
    assert api.get("/audit", principal="nobody")["items"] == []


def test_settings_are_named_with_their_sources(api):
    rows = {row["name"]: row for row in api.get("/settings", limit=200)["items"]}
    assert rows["home"]["source"] == "WEFT_HOME"
    assert rows["server.port"]["variable"] == "WEFT_SERVER__PORT"
    assert json.dumps(rows)
