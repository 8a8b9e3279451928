"""Rights, and the wall between tenants: what is another's is answered exactly like what is not there."""

import httpx2
import pytest

from tests.server.control.service import FLOWS
from weft.app.hosting import Host
from weft.app.serving.turns import Turn
from weft.core.owner import Owner
from weft.core.settings import Settings
from weft.core.settings_model import Server
from weft.server.application import build
from weft.server.caller import Caller, Doorkeeper

OTHER = Caller(Owner(tenant="other", principal="eve"))


@pytest.fixture
async def host(tmp_path):
    flows = tmp_path / "flows"
    flows.mkdir()
    for name, text in FLOWS.items():
        (flows / f"{name}.yaml").write_text(text)
    made = Host(Settings(home=tmp_path / "home", server=Server(folders=(flows,))))
    yield made
    await made.drain()
    await made.close()


@pytest.fixture
def calling(host, monkeypatch):
    """Requests to the application, each with a caller of its own."""
    app = build(host, url="http://127.0.0.1")

    def client(caller):
        monkeypatch.setattr(Doorkeeper, "admit", lambda self, headers: caller)
        return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://127.0.0.1/api/v1")

    return client


async def waiting(host):
    """A run that waits at a gate, and the gate."""
    begun = await host.begin(Turn(target=host.library.get("letter"), inputs={"note": "It rained."}))
    async for frame in host.tails.follow(begun.run_id):
        if frame.type == "run.waiting":
            break
    (gate,) = host.journal.gates.of(begun.run_id)
    return begun.run_id, gate.id


@pytest.mark.slow
async def test_what_is_anothers_is_not_there(host, calling):
    run, gate = await waiting(host)
    nothing = "01a228ef-7d43-7131-b584-c92df5576c90"
    async with calling(OTHER) as client:
        for method, path, body in (
            ("GET", "/runs/{}", None),
            ("GET", "/runs/{}/events", None),
            ("GET", "/runs/{}/stream", None),
            ("GET", "/runs/{}/trace", None),
            ("GET", "/runs/{}/artifacts", None),
            ("GET", "/runs/{}/artifacts/page.html", None),
            ("GET", "/gates?run={}", None),
            ("POST", "/runs/{}/cancel", None),
            ("POST", "/runs/{}/resume", None),
            ("POST", "/runs/{}/fork", None),
            ("POST", "/runs/{}/rerun", {"step": "/step[0]"}),
            ("POST", "/runs/{}/signal", {"name": "x"}),
            ("POST", "/runs/{}/discard", None),
            ("DELETE", "/runs/{}", None),
            ("GET", "/gates/{}", None),
            ("POST", "/gates/{}/decide", {"choice": "send", "by": "local"}),
        ):
            known = gate if "/gates/" in path else run
            real = await client.request(method, path.format(known), json=body)
            made_up = await client.request(method, path.format(nothing), json=body)
            assert real.status_code == made_up.status_code == 404, path
            assert real.text.replace(known, nothing) == made_up.text
        for path in ("/runs", "/gates", "/gates?status=any", "/audit?act=gate.*", "/schedules", "/plans"):
            assert (await client.get(path)).json()["items"] == [], path
        assert (await client.get("/usage")).json()["total"]["requests"] == 0
    assert host.journal.runs.get(run).status == "waiting"


async def test_a_right_that_lacks_is_a_403_and_stands_in_the_audit_log(host, calling):
    async with calling(Caller(rights=frozenset({"runs:read"}))) as client:
        assert (await client.get("/runs")).status_code == 200
        for method, path, body in (
            ("POST", "/runs", {"workflow": "nap"}),
            ("GET", "/gates", None),
            ("POST", "/workflows", {"source": "x"}),
            ("GET", "/settings", None),
            ("GET", "/audit", None),
            ("POST", "/plans/invalidate", {"all": True}),
            ("POST", "/schedules", {"workflow": "nap", "every_s": 60}),
        ):
            answer = await client.request(method, path, json=body)
            assert answer.status_code == 403, path
            assert answer.json()["code"] == "policy"
    denied = host.journal.audit.list()
    assert {entry.outcome for entry in denied} == {"denied"}
    assert [entry.act for entry in denied][-1] == "runs:start"
    assert host.journal.runs.list() == []


@pytest.mark.slow
async def test_only_whoever_may_answers_for_others(host, calling):
    begun = await host.begin(Turn(target=host.library.get("booking")))
    async for frame in host.tails.follow(begun.run_id):
        if frame.type == "run.waiting":
            break
    (gate,) = host.journal.gates.of(begun.run_id)
    body = {"values": {"people": 2}, "by": "maitre"}
    async with calling(Caller(Owner(principal="bob"), frozenset({"gates:decide"}))) as client:
        answer = await client.post(f"/gates/{gate.id}/decide", json=body)
        assert (answer.status_code, answer.json()["code"]) == (403, "policy")
        answer = await client.post(f"/gates/{gate.id}/decide", json={"values": {"people": 2}})
        assert (answer.status_code, answer.json()["code"]) == (403, "policy")
    async with calling(Caller(Owner(principal="boss"), frozenset({"gates:decide", "gates:any"}))) as client:
        answer = await client.post(f"/gates/{gate.id}/decide", json=body)
        assert answer.json()["decision"]["by"] == "maitre"
    entry = host.journal.audit.list(limit=1)[0]
    assert (entry.principal, entry.act, entry.data["for"]) == ("boss", "gate.decide", "maitre")
