"""Every kind of act that the audit log promises is written by a real act, in the name of whoever did it."""

import asyncio
import re
import time
from pathlib import Path

import httpx2
import pytest
from pydantic import SecretStr

from tests.cli.test_canaries import echo  # noqa: F401 -- a fixture
from tests.processes import start
from tests.server.test_tenants import running
from weft.app.auditing.acts import Act
from weft.app.auditing.proof import verify
from weft.app.hosting import Host
from weft.core.owner import Owner
from weft.core.settings import Settings
from weft.core.settings_model import Net, Rates, Server
from weft.server.application import build
from weft.store.journal import Journal

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
URL = "http://127.0.0.1"
ACTS = """\
version: 1
name: acts
runtime: {provider: offline, model_id: extract}
env: {secrets: [{key: CANARY, source: env, name: A}]}
inputs: {required: {note: string}}
agents: {nobody: {prompt: unused}}
tools:
  http_executors:
    - {id: echo, base_url: "ECHO", headers: {X-A: "${A}"}}
pattern:
  type: chain
  config:
    steps:
      - {id: read, tool: echo, args: {path: /echo}}
      - {id: again, tool: echo, args: {path: "/echo/{{ note }}"}}
      - first_of:
          - {tool: calculator, args: {expression: 1/0}, retries: 0}
          - {tool: calculator, args: {expression: 1+1}}
      - {type: hitl, id: late, prompt: Go on?, choices: [go, reject], deadline_s: 0.05, default: go}
      - {type: hitl, id: asked, prompt: Go on?, choices: [go, reject]}
"""
DENIED = """\
version: 1
name: denied
runtime: {provider: offline, model_id: extract}
agents: {nobody: {prompt: unused}}
pattern: {type: chain, config: {steps: [CALL]}}
"""
"""A rule that denies an act ends the run, so each of them has one."""
REACHES = (
    '{tool: http_request, args: {method: GET, url: "http://10.0.0.1/x"}, retries: 0}',
    "{tool: file_read, args: {path: ../../../../etc/passwd}, retries: 0}",
)

EXPECTED = {
    ("admin", "sign-in", "service", "done"),
    ("viewer", "runs:start", "/api/v1/runs", "denied"),
    ("admin", "limit", "service", "denied"),
    ("admin", "workflow.register", "workflow/acts", "done"),
    ("admin", "run.start", "run/ID", "done"),
    ("admin", "secret.read", "secret/A", "done"),
    ("weft", "redaction", "run/ID", "done"),
    ("admin", "tool.call", "tool/echo", "done"),
    ("admin", "tool.call", "tool/calculator", "failed"),
    ("admin", "net.request", "host/127.0.0.1", "done"),
    ("admin", "net.request", "host/10.0.0.1", "denied"),
    ("admin", "tool.call", "tool/http_request", "denied"),
    ("admin", "tool.call", "tool/file_read", "denied"),
    ("admin", "tool.call", "tool/calculator", "done"),
    ("weft", "gate.decide", "run/ID", "done"),
    ("admin", "gate.decide", "run/ID", "done"),
    ("admin", "run.cancel", "run/ID", "done"),
    ("admin", "flag.set", "flag/runs.accept", "done"),
    ("admin", "user.create", "user/nina", "done"),
    ("admin", "user.change", "user/nina", "done"),
    ("admin", "key.create", "key/ID", "done"),
    ("admin", "key.revoke", "key/ID", "done"),
    ("admin", "webhook.add", "webhook/ID", "done"),
    ("admin", "automation.add", "automation/daily", "done"),
    ("admin", "automation.pause", "automation/daily", "done"),
    ("admin", "automation.remove", "automation/daily", "done"),
    ("admin", "audit.export", "audit", "done"),
}


@pytest.fixture
async def world(tmp_path, monkeypatch, echo):  # noqa: F811 -- a fixture
    """A service with a user of each role, and a workflow that reaches for everything."""
    monkeypatch.setenv("CANARY", "env-canary-8d1")
    host = Host(
        Settings(
            home=tmp_path / "home",
            net=Net(allow_loopback=True),
            server=Server(
                token=SecretStr("t" * 40), registered_secrets=("CANARY",), registered_addresses=("169.254.169.254",)
            ),
            rates=Rates(user_minute=1 + len(REACHES)),
        )
    )
    app = build(host, url=URL)
    keys = {}
    for role in ("admin", "viewer"):
        await host.identity.add_user(role, "", role, tenant="north")
        keys[role] = (await host.identity.new_key(role, "k", role, tenant="north"))[1]
    async with (
        running(app),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=URL, timeout=30) as client,
    ):

        async def call(who, method, path, body=None, expect=None, **headers):
            headers = {"Authorization": f"Bearer {keys.get(who, who)}", **headers}
            answer = await client.request(method, f"/api/v1{path}", json=body, headers=headers)
            assert expect is None or answer.status_code == expect, answer.text
            return answer

        yield host, call, ACTS.replace("ECHO", echo[0])
        await host.drain()
    await host.close()


def named(one):
    return one.principal, one.act, re.sub("[0-9a-f]{8}-[-0-9a-f]+", "ID", one.target), one.outcome


async def test_each_kind_of_act_is_an_entry(world):
    host, call, source = world
    await call("weft_wrong", "GET", "/runs", expect=401)
    asked = {"workflow": "acts", "inputs": {"note": "env-canary-8d1"}}
    await call("viewer", "POST", "/runs", asked, expect=403)
    await call("admin", "GET", "/runs", expect=403, Origin="http://evil.example")
    for reach in REACHES:
        await call("admin", "POST", "/workflows", {"source": DENIED.replace("CALL", reach)}, expect=201)
        await call("admin", "POST", "/runs", {"workflow": "denied", "inputs": {}}, expect=202)
    await call("admin", "POST", "/workflows", {"source": source}, expect=201)
    run = (await call("admin", "POST", "/runs", asked, expect=202)).json()["id"]
    await call("admin", "POST", "/runs", asked, expect=429)
    await call("admin", "POST", "/runs", asked, expect=429)
    async with asyncio.timeout(60):
        while not (gates := (await call("admin", "GET", f"/gates?run={run}")).json()["items"]) or (
            "asked" not in gates[0]["path"]
        ):
            await asyncio.sleep(0.05)
    await call("admin", "POST", f"/gates/{gates[0]['id']}/decide", {"choice": "go"}, expect=200)
    await call("admin", "POST", f"/runs/{run}/cancel")
    await call("admin", "PUT", "/flags/runs.accept", {"value": True}, expect=200)
    await call("admin", "POST", "/users", {"id": "nina", "role": "viewer"}, expect=201)
    await call("admin", "PATCH", "/users/nina", {"disabled": True}, expect=200)
    key = (await call("admin", "POST", "/keys", {"user": "admin", "name": "k", "role": "viewer"}, expect=201)).json()
    await call("admin", "DELETE", f"/keys/{key['id']}", expect=204)
    await call("admin", "POST", "/webhooks", {"url": "https://example.org/h", "topics": ["runs"]}, expect=201)
    await call("admin", "POST", "/schedules", {**asked, "name": "daily", "every_s": 9_000}, expect=201)
    await call("admin", "POST", "/schedules/daily/pause")
    await call("admin", "DELETE", "/schedules/daily", expect=200)
    await call("admin", "GET", "/audit/export", expect=200)
    # Entries may wait a moment for others.
    host.trail.flush()
    seen, until = set(), time.monotonic() + 30
    while time.monotonic() < until:
        north, here = (host.journal.audit.list(tenant=tenant, limit=200) for tenant in ("north", "local"))
        seen = {named(one) for one in north}
        if seen >= EXPECTED:
            break
        await asyncio.sleep(0.05)
    assert seen >= EXPECTED
    # Whoever is refused again and again fills no log.
    assert [one.act for one in north].count("limit") == 1
    local = [(one.act, one.outcome, one.data.get("reason", "")) for one in here]
    # What was taken out is said of its run and its step, each once, in the log of whoever's run it is.
    cleaned = [(one.target, one.data["run"], one.data["path"]) for one in north if one.act == "redaction"]
    assert {(f"run/{run}", run, "/read"), (f"run/{run}", run, "/again")} <= set(cleaned)
    assert len(cleaned) == len(set(cleaned))
    assert "redaction" not in {one.act for one in here}
    refused = {reason for act, outcome, reason in local if (act, outcome) == ("sign-in", "denied")}
    assert any("evil.example" in reason for reason in refused)
    assert len(refused) >= 2
    # What the page promises is what was seen, and nobody's secret is in it.
    promised = set(
        re.findall(r"`([a-z]+[.-][a-z]+)`", (ROOT / "docs" / "audit.md").read_text().partition("An entry")[0])
    )
    known = {one[1] for one in seen} | {one[0] for one in local}
    assert promised - known <= {"run.resume", "run.fork", "run.signal", "run.delete", "sign-out", "signin.end"} | {
        *("flag.set", "session.delete", "plan.invalidate", "tools.accept", "automation.sync"),
        # Commands do these, and their tests look for them.
        *(f"db.{act}" for act in ("backup", "restore", "migrate", "role")),
        *("settings.change", "workflow.change", "tools.login", "link.create", "run.promote", "run.discard"),
        *(f"encryption.{act}" for act in ("rotate", "rewrap", "reseal", "unseal", "shred")),
    }
    assert "env-canary" not in str([*north, *local])
    found = verify(host.journal.audit, host.trail._sealer.public)
    assert [one.bad for one in found] == [None, None]


async def test_the_rest_of_what_changes_something_is_an_entry_too(world):
    host, call, source = world
    host.limits._settings = Rates(user_minute=0)

    async def newest(tenant="north"):
        await host.trail.finish()
        # What happens by itself, such as the decision of a gate at its deadline, is told whenever the news of it arrives.
        by_people = (one for one in host.journal.audit.list(tenant=tenant) if one.principal in {"admin", "deputy"})
        found = next(by_people)
        return found.principal, found.act, found.outcome, found.target.partition("/")[0], dict(found.data)

    await call("admin", "POST", "/workflows", {"source": source}, expect=201)
    asked = {"workflow": "acts", "inputs": {"note": "a"}}
    run = (await call("admin", "POST", "/runs", asked, expect=202)).json()["id"]
    async with asyncio.timeout(60):
        while not any(
            "asked" in gate["path"] for gate in (await call("admin", "GET", f"/gates?run={run}")).json()["items"]
        ):
            await asyncio.sleep(0.05)
    await call("admin", "POST", f"/runs/{run}/signal", {"name": "go"}, expect=202)
    assert await newest() == ("admin", "run.signal", "done", "run", {"name": "go"})
    fork = (await call("admin", "POST", f"/runs/{run}/fork", {"drive": False}, expect=201)).json()["id"]
    assert await newest() == ("admin", "run.fork", "done", "run", {"of": run})
    await call("admin", "POST", f"/runs/{fork}/promote", expect=200)
    assert (await newest())[1] == "run.promote"
    await call("admin", "POST", f"/runs/{fork}/discard", expect=409)
    assert (await newest())[1:3] == ("run.discard", "failed")
    await call("admin", "POST", f"/runs/{fork}/cancel", expect=200)
    await call("admin", "POST", f"/runs/{run}/promote", expect=200)
    await call("admin", "POST", f"/runs/{fork}/discard", expect=200)
    assert await newest() == ("admin", "run.discard", "done", "run", {"runs": 1})
    await call("admin", "POST", f"/runs/{run}/resume", expect=202)
    assert await newest() == ("admin", "run.resume", "done", "run", {"reopen": False, "settled": {}})
    await call("admin", "POST", f"/runs/{run}/cancel", expect=200)
    await call("admin", "DELETE", f"/runs/{run}", expect=200)
    assert await newest() == ("admin", "run.delete", "done", "run", {"runs": 1})
    hook = (await call("admin", "POST", "/webhooks", {"url": "https://example.org/h", "topics": ["runs"]})).json()["id"]
    await call("admin", "PATCH", f"/webhooks/{hook}", {"paused": True}, expect=200)
    assert (await newest())[1:4] == ("webhook.change", "done", "webhook")
    await call("admin", "POST", f"/webhooks/{hook}/test", expect=202)
    assert (await newest())[1] == "webhook.test"
    await call("admin", "DELETE", f"/webhooks/{hook}", expect=204)
    assert (await newest())[1] == "webhook.remove"
    await call("admin", "DELETE", "/workflows/acts", expect=200)
    assert await newest() == ("admin", "workflow.delete", "done", "workflow", {"versions": 1})
    await call("admin", "DELETE", "/workflows/acts", expect=404)
    assert (await newest())[1:3] == ("workflow.delete", "failed")
    # Whoever reaches for more than they may give is in the log, by what they reached for.
    await host.identity.add_user("deputy", "", "admin", tenant="north")
    rights = ["users:write", "users:read"]
    narrow = {"user": "deputy", "name": "k", "role": "admin", "rights": rights}
    key = (await call("admin", "POST", "/keys", narrow, expect=201)).json()["key"]
    for method, path, body, act in (
        ("POST", "/users", {"id": "mole", "role": "admin"}, "user.create"),
        ("PATCH", "/users/viewer", {"role": "admin"}, "user.change"),
        ("POST", "/keys", {"user": "admin", "name": "k", "role": "admin"}, "key.create"),
    ):
        await call(key, method, path, body, expect=403)
        assert (await newest())[:3] == ("deputy", act, "denied")
    await call("admin", "PUT", "/flags/runs.accept", {"value": "perhaps"}, expect=422)
    await call("admin", "PUT", "/flags/runs.accept", {"value": 7}, expect=422)
    assert (await newest())[1:3] == ("flag.set", "failed")


async def test_whoever_leaves_in_the_middle_takes_no_entry_along(world):
    host, _, _ = world
    begun, going = asyncio.Event(), asyncio.Event()

    async def work():
        begun.set()
        await going.wait()

    asking = asyncio.ensure_future(host.trail.act(Owner("north", "ann"), Act("flag.set", "flag/x"), work()))
    await begun.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    going.set()
    await host.trail.finish()
    found = host.journal.audit.list(tenant="north", limit=1)[0]
    assert (found.principal, found.act, found.outcome) == ("ann", "flag.set", "done")


CHANGES = {
    "POST /api/v1/workflows": "workflow.register",
    "DELETE /api/v1/workflows/{name}": "workflow.delete",
    "POST /api/v1/runs": "run.start",
    "DELETE /api/v1/runs/{run_id}": "run.delete",
    "POST /api/v1/runs/{run_id}/cancel": "run.cancel",
    "POST /api/v1/runs/{run_id}/resume": "run.resume",
    "POST /api/v1/runs/{run_id}/fork": "run.fork",
    "POST /api/v1/runs/{run_id}/rerun": "run.fork",
    "POST /api/v1/runs/{run_id}/promote": "run.promote",
    "POST /api/v1/runs/{run_id}/discard": "run.discard",
    "POST /api/v1/runs/{run_id}/signal": "run.signal",
    "POST /api/v1/gates/{gate_id}/decide": "gate.decide",
    "POST /api/v1/plans/invalidate": "plan.invalidate",
    "DELETE /api/v1/sessions/{session_id}": "session.delete",
    "POST /api/v1/sessions/{session_id}/turns": "run.start",
    "POST /api/v1/sessions/{session_id}/turns/{run_id}/again": "run.start",
    "POST /api/v1/webhooks": "webhook.add",
    "PATCH /api/v1/webhooks/{webhook_id}": "webhook.change",
    "DELETE /api/v1/webhooks/{webhook_id}": "webhook.remove",
    "POST /api/v1/webhooks/{webhook_id}/test": "webhook.test",
    "PUT /api/v1/flags/{name}": "flag.set",
    "POST /api/v1/users": "user.create",
    "PATCH /api/v1/users/{user_id}": "user.change",
    "POST /api/v1/keys": "key.create",
    "DELETE /api/v1/keys/{key_id}": "key.revoke",
    "DELETE /api/v1/signins/{signin_id}": "signin.end",
} | {
    f"{way}": act
    for kind in ("schedules", "triggers")
    for way, act in (
        (f"POST /api/v1/{kind}", "automation.add"),
        (f"DELETE /api/v1/{kind}/{{name}}", "automation.remove"),
        (f"POST /api/v1/{kind}/{{name}}/pause", "automation.pause"),
        (f"POST /api/v1/{kind}/{{name}}/resume", "automation.resume"),
    )
}
CHANGES_NOTHING = {
    "POST /api/v1/workflows/validate",
    "POST /api/v1/workflows/{name}/estimate",
    "POST /api/v1/workflows/{name}/preview",
    "POST /api/v1/runs/{run_id}/replay",
    # Conversations of one's own: what they start is a run, and is noted as one.
    "POST /api/v1/sessions",
    "PATCH /api/v1/sessions/{session_id}",
}


def test_every_operation_that_changes_something_has_its_act(tmp_path):
    app = build(Host(Settings(home=tmp_path)), url=URL)
    found = {
        f"{method.upper()} {path}"
        for path, methods in app.openapi()["paths"].items()
        for method in methods
        if path.startswith("/api/v1/") and method != "get"
    }
    assert found == CHANGES.keys() | CHANGES_NOTHING
    page = (ROOT / "docs" / "audit.md").read_text()
    promised = set(re.findall(r"`([a-z]+[.][a-z*]+)`", page))
    assert {act for act in CHANGES.values() if not {act, f"{act.partition('.')[0]}.*"} & promised} == set()


def audit_check(served, status):
    """What the health check says of the audit log, once it says `status`."""
    until = time.monotonic() + 30
    while (check := httpx2.get(f"{served.url}/health/deep", timeout=30).json()["checks"]["audit"])["status"] != status:
        assert time.monotonic() < until, check
        time.sleep(0.05)
    return check


def test_entries_that_the_journal_refuses_are_told_of_by_the_health_check_and_come_later(served):
    journal = Journal(served.journal)
    try:
        journal.writer.call(lambda connection: connection.execute("ALTER TABLE audit RENAME TO audit_away"))
        refused = served.api("PUT", "/flags/runs.accept", json={"value": True})
        assert refused.status_code >= 500, refused.text
        check = audit_check(served, "degraded")
        assert (check["lost"], check["waiting"]) == (0, 1)
        assert "tried again" in check["message"]
        journal.writer.call(lambda connection: connection.execute("ALTER TABLE audit_away RENAME TO audit"))
        assert audit_check(served, "ok") == {"status": "ok"}
        assert "flag.set" in [one.act for one in journal.audit.list()]
    finally:
        journal.close()


def test_a_run_that_gives_way_to_the_next_one_of_its_schedule_is_an_entry(served):
    command = ["schedules", "add", served.flows / "booking.yaml", "--every", "1s", "--overlap", "cancel", "--name", "s"]
    assert start(command, env=served.environ, cwd=served.folder).wait(60) == 0
    journal, until = Journal(served.journal), time.monotonic() + 30
    try:
        while not (found := [one for one in journal.audit.list() if one.act == "run.cancel"]):
            assert time.monotonic() < until, served.log
            time.sleep(0.05)
        entry = found[-1]
        assert (entry.principal, entry.outcome, entry.data["automation"]) == ("local", "done", "s")
        assert entry.data["reason"] == "the next run of s is due"
        assert journal.runs.get(entry.target.removeprefix("run/")).status == "cancelled"
    finally:
        journal.close()
