"""Limits on starting runs: exact, told in the head of every answer, and in each protocol's own form."""

import asyncio
import json
import threading

import httpx2
import pytest

from weft.app.hosting import Host
from weft.app.limits import Limits
from weft.app.serving.turns import Turn
from weft.core.clock import SystemClock
from weft.core.errors import RateLimitError
from weft.core.owner import LOCAL, Owner
from weft.core.settings import Settings
from weft.core.settings_model import Rates, Server
from weft.server.application import build
from weft.store.journal import Journal
from weft.store.rates import Rate, standing, take

URL = "http://127.0.0.1"
ECHO = """\
version: 1
name: echo
description: Says what it is told.
runtime: {provider: offline, model_id: extract}
inputs: {required: {text: string}}
agents: {reader: {prompt: Say it.}}
pattern: {type: chain, config: {steps: [{agent: reader, input: "{{ text }}"}]}}
"""


@pytest.fixture
async def asking(tmp_path):
    """A service with small limits, and a client in the name of a user of it."""
    flows = tmp_path / "flows"
    flows.mkdir()
    (flows / "echo.yaml").write_text(ECHO)
    rates = Rates(user_minute=2, key_hour=0, requests_minute=40)
    host = Host(Settings(home=tmp_path / "home", server=Server(folders=(flows,)), rates=rates))
    app = build(host, url=URL)
    clients = []

    async def make(user):
        await host.identity.add_user(user, "", "developer")
        _, shown = await host.identity.new_key(user, "k", "developer")
        client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app), base_url=URL, headers={"Authorization": f"Bearer {shown}"}
        )
        clients.append(client)
        return client

    yield host, make
    for client in clients:
        await client.aclose()
    await host.drain()
    await host.close()


async def start(client, key=None):
    headers = {"Idempotency-Key": key} if key else {}
    body = {"workflow": "echo", "inputs": {"text": "t"}}
    return await client.post("/api/v1/runs", json=body, headers=headers)


async def test_a_user_who_starts_too_often_is_told_when_to_come_back(asking):
    host, make = asking
    client = await make("ann")
    first, second = await start(client, "one"), await start(client)
    assert (first.status_code, first.headers["ratelimit-limit"], first.headers["ratelimit-remaining"]) == (
        202,
        "2",
        "1",
    )
    assert second.headers["ratelimit-remaining"] == "0"
    # A repeat under its key begins nothing, and costs nothing.
    assert (await start(client, "one")).status_code == 200
    refused = await start(client)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate-limited")
    assert 0 < int(refused.headers["retry-after"]) <= 60
    assert refused.headers["ratelimit-remaining"] == "0"
    # Looking is limited far higher; others have their own; the user of this machine has none.
    assert (await client.get("/api/v1/runs")).status_code == 200
    assert (await start(await make("bob"))).status_code == 202
    for _ in range(4):
        await host.begin(Turn(target=host.library.get("echo"), inputs={"text": "t"}, owner=LOCAL))


async def test_each_protocol_has_its_own_form_of_it(asking):
    _, make = asking
    client = await make("ann")
    await start(client)
    await start(client)
    chat = {"model": "echo", "messages": [{"role": "user", "content": "t"}]}
    for path, body in (("/v1/chat/completions", chat), ("/v1/responses", {"model": "echo", "input": "t"})):
        refused = await client.post(path, json=body)
        assert refused.status_code == 429
        assert refused.json()["error"]["type"] == "rate_limit_error"
        assert int(refused.headers["retry-after"]) > 0
    agui = {"threadId": "t", "runId": "r", "state": {}, "tools": [], "context": [], "forwardedProps": {}}
    refused = await client.post("/ag-ui/echo", json={**agui, "messages": [{"id": "m", "role": "user", "content": "t"}]})
    assert (refused.status_code, refused.json()["code"]) == (429, "rate-limited")
    message = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "t"}]}
    version = {"A2A-Version": "1.0"}
    rest = await client.post("/a2a/rest/echo/message:send", json={"message": message}, headers=version)
    assert rest.status_code == 429, rest.text
    assert "ratelimit-reset" in rest.headers
    call = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": message}}
    rpc = await client.post("/a2a", json=call, headers=version)
    assert "rate-limited" in json.dumps(rpc.json()["error"]), rpc.text
    assert int(rpc.headers["retry-after"]) > 0


async def test_looking_has_a_bound_too(asking):
    _, make = asking
    client = await make("ann")
    found = {(await client.get("/api/v1/flags")).status_code for _ in range(45)}
    assert found == {200, 429}


def test_a_bucket_fills_with_time():
    rate = Rate(name="r", count=10, seconds=60)
    full_at, now = 0, 1_000_000_000
    left = []
    for _ in range(10):
        found, full_at = standing(rate, full_at, now)
        left.append(found.left)
    assert left == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    refused, same = standing(rate, full_at, now)
    assert (refused.wait_s, same) == (6.0, full_at)
    assert standing(rate, full_at, now + 6_000_000)[0].wait_s == 0
    assert standing(rate, full_at, now + 600_000_000)[0].left == 9


def test_whoever_races_gets_exactly_what_there_is(tmp_path):
    rates = [Rate(name="user", count=20, seconds=3_600), Rate(name="tenant", count=50, seconds=3_600)]
    got = []

    def race():
        journal = Journal(tmp_path / "journal.db", durability="fast")
        for _ in range(10):
            found = journal.writer.call(take(rates, 1_000_000))
            got.append(all(not one.wait_s for one in found))
        journal.close()

    Journal(tmp_path / "journal.db").close()
    racers = [threading.Thread(target=race) for _ in range(6)]
    for one in racers:
        one.start()
    for one in racers:
        one.join()
    assert got.count(True) == 20


async def test_a_tenant_and_a_session_have_limits_too(tmp_path):
    journal = Journal(tmp_path / "journal.db", durability="fast")
    limits = Limits(Rates(user_minute=0, user_hour=0, tenant_hour=3, session_hour=2), journal, SystemClock())
    await limits.start(Owner("north", "ann", "s"))
    await limits.start(Owner("north", "ann", "s"))
    with pytest.raises(RateLimitError, match="for a session"):
        await limits.start(Owner("north", "ann", "s"))
    await limits.start(Owner("north", "bob"))
    with pytest.raises(RateLimitError, match="for a tenant") as refused:
        await limits.start(Owner("north", "eve"))
    assert refused.value.ids["retry_after_s"] > 0
    await limits.start(Owner("south", "ann"))
    await asyncio.sleep(0)
    journal.close()
