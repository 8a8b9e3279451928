"""Rights on ``/v1``, and the wall between tenants: what is another's is answered exactly like what is not there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx2
import pytest

from weft.app.hosting import Host
from weft.app.service import ModelChoice
from weft.core.owner import Owner
from weft.core.settings import Settings
from weft.core.settings_model import Server
from weft.server.application import build
from weft.server.caller import Caller, Doorkeeper

HELPER = """
version: 1
name: helper
runtime: {provider: offline}
inputs: {required: {message: string}}
agents: {helper: {prompt: You help., tools: []}}
pattern:
  type: chain
  config:
    steps: [{agent: helper, input: "{{ message }}"}]
"""
ASKED = {"model": "helper", "input": "Looms weave. What do looms do?"}
OTHER = Caller(Owner(tenant="other", principal="eve"))
VIEWER = Caller(Owner(principal="vera"), frozenset({"runs:read", "workflows:read"}))


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[Host]:
    (tmp_path / "helper.yaml").write_text(HELPER, encoding="utf-8")
    settings = Settings(home=tmp_path / "home", server=Server(folders=(tmp_path,), models=("offline/*",)))
    made = Host(settings, choice=ModelChoice())
    yield made
    await made.drain()
    await made.close()


@pytest.fixture
def calling(host: Host, monkeypatch: pytest.MonkeyPatch) -> Callable[[Caller], httpx2.AsyncClient]:
    app = build(host, url="http://127.0.0.1")

    def client(caller: Caller) -> httpx2.AsyncClient:
        monkeypatch.setattr(Doorkeeper, "admit", lambda self, headers: caller)
        return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://127.0.0.1/v1")

    return client


@pytest.mark.slow
async def test_what_is_anothers_is_not_there(calling: Callable[[Caller], httpx2.AsyncClient]) -> None:
    async with calling(Caller()) as client:
        made = (await client.post("/responses", json={**ASKED, "background": True})).json()
    nothing = f"resp_{'0' * 32}"
    async with calling(OTHER) as client:
        for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/input_items")):
            theirs, none = [await client.request(method, f"/responses/{id_}{path}") for id_ in (made["id"], nothing)]
            assert theirs.status_code == none.status_code == 404
            assert theirs.text.replace(made["id"], "ID") == none.text.replace(nothing, "ID")
        followed = await client.post("/responses", json={**ASKED, "previous_response_id": made["id"]})
        assert followed.status_code == 404


@pytest.mark.slow
async def test_who_may_only_read_starts_nothing(calling: Callable[[Caller], httpx2.AsyncClient]) -> None:
    async with calling(Caller()) as client:
        made = (await client.post("/responses", json={**ASKED, "background": True})).json()
    async with calling(VIEWER) as client:
        assert (await client.get("/models")).status_code == 200
        assert (await client.get(f"/responses/{made['id']}")).status_code == 200
        approval = [{"type": "mcp_approval_response", "approval_request_id": "mcpr_x", "approve": True}]
        refused = [
            await client.post("/responses", json=ASKED),
            await client.post("/responses", json={**ASKED, "input": approval, "previous_response_id": made["id"]}),
            await client.post("/responses/" + made["id"] + "/cancel"),
            await client.delete("/responses/" + made["id"]),
            await client.post(
                "/chat/completions", json={"model": "helper", "messages": [{"role": "user", "content": "x"}]}
            ),
            await client.post("/embeddings", json={"model": "offline/embed", "input": "x"}),
        ]
        assert [(one.status_code, one.json()["error"]["code"]) for one in refused] == [(403, "policy")] * 6
