"""Who may do little tries to write into the audit log what they like, to keep out of it, or to read another tenant's."""

import asyncio
import json
from urllib.parse import quote

import pytest

from tests.cli.test_canaries import echo  # noqa: F401 -- a fixture
from tests.server.test_audited_acts import world  # noqa: F401 -- a fixture
from weft.app.auditing.proof import verify
from weft.core.settings_model import Rates
from weft.server import caller

pytestmark = pytest.mark.slow
FORGED = 'x\n{"seq":1,"principal":"admin","act":"user.create"}\u2028\u202eeve\x1b[2K'
DENIED = """\
version: 1
name: reaches
runtime: {provider: ollama, model_id: any, host: "http://169.254.169.254"}
agents: {writer: {prompt: Write.}}
pattern: {type: chain, config: {steps: [{agent: writer, input: go}]}}
"""


async def newest(host, tenant="north", limit=1):
    await host.trail.finish()
    host.journal.writer.drain()
    found = host.journal.audit.list(tenant=tenant, limit=limit)
    return [(one.principal, one.act, one.outcome, one.target, dict(one.data)) for one in found]


async def test_names_of_things_that_there_are_not_forge_no_line(world):  # noqa: F811 -- a fixture
    host, call, _ = world
    host.limits._settings = Rates(user_minute=0)
    name = quote(FORGED, safe="")
    for who, method, path, body in (
        ("admin", "PUT", f"/flags/{name}", {"value": True}),
        ("admin", "DELETE", f"/keys/{name}", None),
        ("admin", "DELETE", f"/workflows/{name}", None),
        ("viewer", "DELETE", f"/schedules/{name}", None),
        ("viewer", "PUT", f"/flags/{name}", {"value": True}),
        ("viewer", "POST", f"/runs/{name}/cancel", None),
        ("viewer", "GET", f"/audit?act={name}", None),
    ):
        answer = await call(who, method, path, body)
        assert 400 <= answer.status_code < 500, (path, answer.text)
    found = await newest(host, limit=200)
    acts = {one[1]: one[2] for one in found}
    assert [acts[one] for one in ("flag.set", "key.revoke")] == ["failed"] * 2
    assert {one[1] for one in found if one[2] == "denied"} == {
        "automations:write",
        "flags:write",
        "runs:write",
        "audit:read",
    }
    text = (await call("admin", "GET", "/audit/export", expect=200)).text
    lines = text.splitlines()
    assert [json.loads(line).get("seq") for line in lines[:-1]] == list(range(1, len(lines)))
    assert not {"\u2028", "\u202e", "\x1b"} & set(text)
    assert all(one.bad is None for one in verify(host.journal.audit, host.trail._sealer.public))


async def test_a_tenants_log_is_its_own(world):  # noqa: F811 -- a fixture
    host, call, _ = world
    await host.identity.add_user("eve", "", "admin", tenant="south")
    eve = (await host.identity.new_key("eve", "k", "admin", tenant="south"))[1]
    await call("admin", "GET", "/audit", expect=200)
    await call("viewer", "GET", "/audit/export", expect=403)
    for more in ("", "?tenant=north", "?after=0&tenant=north"):
        text = (await call(eve, "GET", f"/audit/export{more}", expect=200, **{"X-Tenant": "north"})).text
        assert {json.loads(line)["tenant"] for line in text.splitlines()[:-1]} == {"south"}
        assert json.loads(text.splitlines()[-1])["head"]["tenant"] == "south"
        assert "viewer" not in text
    # A number of somebody else's is one that there is not, and asking for it is noted.
    for _ in range(20):
        host.trail.later(host.trail.entry("admin", "run.start", "run/x", tenant="north"))
    await host.trail.finish()
    host.journal.writer.drain()
    answer = await call(eve, "GET", "/audit/export?after=20", expect=404)
    assert "there is no entry 20" in answer.text
    assert (await newest(host, "south"))[0][:3] == ("eve", "audit.export", "failed")


async def test_nobody_is_called_like_those_who_act_of_their_own_accord(world):  # noqa: F811 -- a fixture
    host, call, _ = world
    for name in ("weft", "hook", "local"):
        await call("admin", "POST", "/users", {"id": name, "role": "viewer"}, expect=422)
        assert (await newest(host))[0][:4] == ("admin", "user.create", "failed", f"user/{name}")


async def test_what_the_rules_for_egress_deny_is_noted_also_where_it_never_began(world):  # noqa: F811 -- a fixture
    host, call, _ = world
    host.limits._settings = Rates(user_minute=0)
    await call("admin", "POST", "/webhooks", {"url": "http://169.254.169.254/x", "topics": ["runs"]}, expect=403)
    (entry,) = await newest(host)
    assert entry[:3] == ("admin", "webhook.add", "denied")
    assert "/x" not in json.dumps(entry[4])
    await call("admin", "POST", "/workflows", {"source": DENIED}, expect=201)
    await call("admin", "POST", "/runs", {"workflow": "reaches"}, expect=403)
    assert ("admin", "run.start", "denied") in [one[:3] for one in await newest(host, limit=3)]


async def test_a_flood_of_refusals_hides_none_but_in_a_number(world, monkeypatch):  # noqa: F811 -- a fixture
    host, call, _ = world
    monkeypatch.setattr(caller, "_REFUSALS", 5)
    monkeypatch.setattr(caller, "_REFUSALS_S", 1.0)
    before = len(await newest(host, "local", 200))
    for number in range(12):
        await call(f"weft_wrong{number}", "GET", "/runs", expect=401)
    answer = await call("admin", "POST", "/../../hooks/north/nothing")
    assert answer.status_code in {401, 404}

    async def seen():
        found = (await newest(host, "local", 200))[: -before or None]
        return [one[4] for one in found if one[1:3] == ("sign-in", "denied")]

    async with asyncio.timeout(60):
        while not any("more" in one for one in await seen()):
            await asyncio.sleep(0.05)
    told = await seen()
    assert sum(one.get("more", 1) for one in told) >= 12
    assert len(told) <= 12
