"""What a caller may do over A2A is what its rights say: starting a task grants nothing, and reading one neither."""

import httpx2
import pytest

from tests.server.a2a.service import EXTENSION, HEADERS, state, told
from weft.app.hosting import Host
from weft.core.owner import Owner
from weft.core.settings import Settings
from weft.core.settings_model import Server
from weft.server.application import build
from weft.server.caller import Caller, Doorkeeper
from weft.store.audit import AuditFilter

FLOW = """
version: 1
name: release
runtime: {provider: offline, model_id: extract}
inputs: {optional: {message: string}}
agents: {writer: {prompt: Say it.}}
pattern: {type: chain, config: {steps: [{type: hitl, prompt: Send it?, choices: [send, reject]}]}}
"""
VIEWER = Caller(Owner(principal="vera"), frozenset({"runs:read"}))
STARTER = Caller(Owner(principal="stan"), frozenset({"runs:read", "runs:start"}))
APPROVER = Caller(Owner(principal="ada"), frozenset({"runs:read", "gates:decide"}))


@pytest.fixture
async def calling(tmp_path, monkeypatch):
    """JSON-RPC calls to the application, each by a caller of its own."""
    flows = tmp_path / "flows"
    flows.mkdir()
    (flows / "release.yaml").write_text(FLOW)
    host = Host(Settings(home=tmp_path / "home", server=Server(folders=(flows,))))
    app = build(host, url="http://127.0.0.1")

    async def call(caller, method, params):
        monkeypatch.setattr(Doorkeeper, "admit", lambda self, headers: caller)
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://127.0.0.1") as client:
            body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
            answer = (await client.post("/a2a", json=body, headers=HEADERS, timeout=30)).json()
        if "error" in answer:
            return answer["error"]["data"][0]["reason"], answer["error"]["message"]
        return answer["result"]

    yield host, call
    await host.drain()
    await host.close()


@pytest.mark.slow
async def test_only_who_may_decide_decides(calling):
    host, call = calling
    assert await call(VIEWER, "SendMessage", {"message": told("x", "m0")}) == (
        "UNSUPPORTED_OPERATION",
        "this needs the right 'runs:start'",
    )
    task = (await call(STARTER, "SendMessage", {"message": told("x", "m1")}))["task"]
    assert state(task) == "AUTH_REQUIRED"
    assert state(await call(VIEWER, "GetTask", {"id": task["id"]})) == "AUTH_REQUIRED"
    gate = next(part["data"] for part in task["status"]["message"]["parts"] if "data" in part)
    decision = {"gate": gate["gate"], "shown": gate["shown"], "choice": "send"}
    said = {
        "messageId": "m2",
        "role": "ROLE_USER",
        "taskId": task["id"],
        "extensions": [EXTENSION],
        "metadata": {"approved": True, "principal": "ada"},
        "parts": [{"data": decision}],
    }
    for caller in (VIEWER, STARTER):
        reason, _ = await call(caller, "SendMessage", {"message": said})
        assert reason == "UNSUPPORTED_OPERATION"
    assert [entry.outcome for entry in host.journal.audit.list(AuditFilter(act="gate.decide"))] == ["denied"]
    assert state(await call(STARTER, "GetTask", {"id": task["id"]})) == "AUTH_REQUIRED"
    assert (await call(VIEWER, "CancelTask", {"id": task["id"]}))[0] == "UNSUPPORTED_OPERATION"
    done = (await call(APPROVER, "SendMessage", {"message": said}))["task"]
    assert state(done) == "COMPLETED"
    assert host.journal.gates.of(task["id"])[0].decision["by"] == "ada"


@pytest.mark.slow
async def test_the_context_of_somebody_else_is_not_gone_on_with(calling):
    _, call = calling
    first = (await call(STARTER, "SendMessage", {"message": told("x", "m1", contextId="ours")}))["task"]
    assert first["contextId"] == "ours"
    other = Caller(Owner(principal="eve"), frozenset({"runs:read", "runs:start"}))
    reason, message = await call(other, "SendMessage", {"message": told("x", "m1", contextId="ours")})
    assert reason == "INVALID_PARAMS"
    assert "context" in message
