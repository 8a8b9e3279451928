"""Schedules and triggers of several tenants in one service: each has its own, and what they start is theirs."""

import asyncio
import json
import time

import pytest

from tests.server.control.test_rights import OTHER, calling, host  # noqa: F401 -- fixtures
from weft.app.telling.signing import headers
from weft.server.caller import Caller

pytestmark = pytest.mark.slow


async def ended(client, **params):
    """The one run of a caller, when it has ended."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        for run in (await client.get("/runs", params=params)).json()["items"]:
            if run["status"] == "completed":
                return run
        await asyncio.sleep(0.05)
    raise AssertionError("no run has ended")


async def test_what_a_tenant_has_started_by_itself_is_theirs(host, calling):  # noqa: F811
    await host.open()
    body = {"workflow": "brief", "inputs": {"text": "Rain fell."}, "name": "daily", "every_s": 1}
    async with calling(OTHER) as client:
        made = await client.post("/schedules", json=body)
        assert made.status_code == 201, made.text
        run = await ended(client)
        assert run["workflow"] == "brief"
        shown = (await client.get("/schedules/daily")).json()
        assert "started" in {one["status"] for one in shown["firings"]}
        assert (await client.post("/schedules/daily/pause")).json()["paused"] is True
        assert len((await client.get("/schedules/daily/next")).json()["times"]) == 10
        folder = {"workflow": "brief", "name": "drop", "on_file": {"folder": str(host.settings.home)}}
        refused = await client.post("/triggers", json=folder)
        assert (refused.status_code, refused.json()["code"]) == (403, "policy")
    assert host.journal.runs.get(run["id"]).principal == "eve"
    async with calling(Caller()) as client:
        assert (await client.get("/runs")).json()["items"] == []
        assert (await client.get("/schedules/daily")).status_code == 404
        # The same name is free for another tenant.
        assert (await client.post("/schedules", json=body | {"every_s": 3_600})).status_code == 201
    async with calling(OTHER) as client:
        assert (await client.delete("/schedules/daily")).json() == {"removed": "daily"}
    async with calling(Caller()) as client:
        assert (await client.get("/schedules/daily")).json()["paused"] is False


async def test_messages_start_runs_of_the_tenant_they_are_for(host, calling):  # noqa: F811
    await host.open()
    body = {"workflow": "brief", "name": "inbox", "on_webhook": {"variable": "text"}}
    secrets = {}
    for caller in (OTHER, Caller()):
        async with calling(caller) as client:
            made = await client.post("/triggers", json=body)
            assert made.status_code == 201, made.text
            secrets[caller.tenant] = made.json()["secret"]
    assert secrets["other"] != secrets["local"]
    text = json.dumps({"text": "Rain fell."}).encode()
    async with calling(OTHER) as client:
        door = str(client.base_url).removesuffix("/api/v1/")
        for path, secret, status in (
            ("/hooks/other/inbox", secrets["local"], 401),
            ("/hooks/nobody/inbox", secrets["other"], 401),
            ("/hooks/other/inbox", secrets["other"], 202),
        ):
            signed = headers(secret, "msg_1", host.clock.micros() // 1_000_000, text)
            answer = await client.post(f"{door}{path}", content=text, headers=signed)
            assert answer.status_code == status, answer.text
        assert (await ended(client))["id"] == answer.json()["run"]
    async with calling(Caller()) as client:
        assert (await client.get("/runs")).json()["items"] == []
