"""Servers at an address: the rules of requests, faults, and authorization."""

import asyncio
import stat
import time

import httpx2
import pytest
from mcp_bench import Bench
from tests.mcp_web import WebServer, served
from tests.waiting import promised

from weft.core.errors import AuthError, InputError, PolicyError, ToolError, WeftError
from weft.net.egress import EgressPolicy
from weft.tools.mcp.desk import McpDesk
from weft.tools.mcp.pool import McpPool, Surroundings

pytestmark = pytest.mark.slow


@pytest.fixture
async def web():
    async with served(WebServer()) as one:
        yield one


@pytest.fixture
async def guarded():
    async with served(WebServer(guarded=True)) as one:
        yield one


async def test_tools_of_a_service_are_listed_and_called(bench, web):
    tools = await bench.tools(web={"url": web.url, "headers": {"X-Key": "${MCP_SECRET}"}})
    assert await bench.call(tools["shout"], text="hey") == {"result": "HEY"}
    assert {headers.get("x-key") for headers in web.seen} == {"canary-mcp-5c1d77"}
    assert bench.noted("mcp.connected")[0]["protocol"] == "2026-07-28"
    assert "canary" not in str(bench.notes)


async def test_an_address_of_this_machine_is_denied_unless_allowed(tmp_path, web):
    bench = Bench(tmp_path)
    bench.pool = McpPool(Surroundings(home=tmp_path, policy=EgressPolicy()))
    with pytest.raises(PolicyError, match="loopback"):
        bench.pool.check({"web": {"url": web.url}})
    with pytest.raises(PolicyError, match="loopback"):
        await bench.tools(web={"url": web.url})
    assert web.seen == []


async def test_a_name_that_leads_to_a_denied_address_is_denied(tmp_path, web):
    """The name is resolved by the same transport as all other requests; nothing is sent."""
    bench = Bench(tmp_path)
    bench.pool = McpPool(Surroundings(home=tmp_path, policy=EgressPolicy(allow_loopback=False)))
    with pytest.raises(WeftError) as caught:
        await bench.tools(web={"url": f"http://localhost:{web.port}/mcp"})
    assert caught.value.code == "policy"
    assert web.seen == []


async def test_a_redirect_to_another_origin_is_not_followed(bench, web):
    async with served(WebServer()) as other:
        web.location = other.url
        with pytest.raises(ToolError, match="did not start"):
            await bench.tools(web={"url": web.url, "headers": {"X-Key": "${MCP_SECRET}"}, "startup_timeout_s": 5})
        assert other.seen == []


@pytest.mark.parametrize("status", [404, 500])
async def test_a_service_that_refuses_is_a_clear_error(bench, web, status):
    web.refuse = status
    with pytest.raises(ToolError, match="did not start") as caught:
        await bench.tools(web={"url": web.url, "startup_timeout_s": 5})
    assert "Traceback" not in caught.value.message


async def test_nobody_at_the_address_is_a_clear_error(bench):
    with pytest.raises(ToolError, match="did not start"):
        await bench.tools(web={"url": "http://127.0.0.1:9/mcp", "startup_timeout_s": 5})


async def test_an_answer_that_is_too_large_is_refused(tmp_path, web):
    bench = Bench(tmp_path)
    policy = EgressPolicy(allow_loopback=True, max_response_bytes=20_000)
    bench.pool = McpPool(Surroundings(home=tmp_path, policy=policy))
    tools = await bench.tools(web={"url": web.url})
    with pytest.raises(ToolError, match="larger than 20000 bytes"):
        await bench.call(tools["long"], size=1_000_000)
    await bench.pool.aclose()


async def test_a_service_that_went_away_is_reached_again(bench, web):
    tools = await bench.tools(web={"url": web.url, "timeout_s": 5})
    web.refuse = 503
    with pytest.raises(ToolError):
        await bench.call(tools["shout"], text="a")
    web.refuse = 0
    assert await bench.call(tools["shout"], text="b") == {"result": "B"}


def desk_of(bench, definition):
    return McpDesk({"web": definition}, bench.around, bench.context())


async def browse(address):
    async with httpx2.AsyncClient(follow_redirects=True) as browser:
        assert (await browser.get(address)).status_code == 200


async def test_a_login_in_a_browser_gives_tokens_that_runs_use_and_refresh(tmp_path):
    async with served(WebServer(guarded=True, expires_in=1)) as web:
        bench = Bench(tmp_path)
        definition = {"url": web.url, "oauth": {"grant": "authorization_code", "scope": "read"}}
        with pytest.raises(AuthError, match="log in"):
            await bench.tools(web=definition)

        tried = await desk_of(bench, definition).login("web", browse)
        assert [tool["name"] for tool in tried.tools] == ["shout", "long"]
        grant = web.grants[0]
        assert grant["resource"] == web.url
        assert grant["code_verifier"]
        (path,) = (bench.around.home / "tokens").iterdir()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert any("canary-token" in told for told in bench.told)

        await asyncio.sleep(1.2)
        tools = await bench.tools(web=definition)
        assert await bench.call(tools["shout"], text="hey") == {"result": "HEY"}
        assert web.grants[-1]["grant_type"] == "refresh_token"
        assert web.grants[-1]["resource"] == web.url
        await bench.pool.aclose()


async def test_a_machine_gets_its_token_with_its_own_credentials(bench, guarded):
    oauth = {
        "grant": "client_credentials",
        "client_id": "weft",
        "client_secret": "${MCP_SECRET}",
        "issuer": f"{guarded.origin}/",
    }
    tools = await bench.tools(web={"url": guarded.url, "oauth": oauth})
    assert await bench.call(tools["shout"], text="hey") == {"result": "HEY"}
    assert guarded.grants[0]["grant_type"] == "client_credentials"
    assert guarded.grants[0]["basic"].startswith("Basic ")


async def test_credentials_go_to_their_issuer_only(bench, guarded):
    oauth = {
        "grant": "client_credentials",
        "client_id": "weft",
        "client_secret": "${MCP_SECRET}",
        "issuer": "https://login.example.com/",
    }
    with pytest.raises(WeftError):
        await bench.tools(web={"url": guarded.url, "oauth": oauth, "startup_timeout_s": 5})
    assert guarded.grants == []


async def test_credentials_without_an_issuer_are_refused(bench, guarded):
    oauth = {"grant": "client_credentials", "client_id": "weft", "client_secret": "${MCP_SECRET}"}
    with pytest.raises(InputError, match="not complete"):
        await bench.tools(web={"url": guarded.url, "oauth": oauth})


async def test_an_answer_with_another_state_is_refused(bench, guarded):
    async def forge(address):
        port = httpx2.URL(httpx2.URL(address).params["redirect_uri"]).port
        async with httpx2.AsyncClient() as browser:
            await browser.get(f"http://127.0.0.1:{port}/callback?code=stolen&state=other")

    with pytest.raises(WeftError, match=r"did not start|State"):
        await desk_of(bench, {"url": guarded.url, "oauth": {}}).login("web", forge)
    assert guarded.grants == []


async def test_a_refused_login_says_so(bench, guarded):
    async def refuse(address):
        port = httpx2.URL(httpx2.URL(address).params["redirect_uri"]).port
        async with httpx2.AsyncClient() as browser:
            await browser.get(f"http://127.0.0.1:{port}/callback?error=access_denied")

    began = time.monotonic()
    with pytest.raises(AuthError, match="access_denied"):
        await desk_of(bench, {"url": guarded.url, "oauth": {}}).login("web", refuse)
    assert time.monotonic() - began < promised(10)


async def test_a_server_without_oauth_has_no_login(bench, web):
    with pytest.raises(InputError, match="has no login"):
        await desk_of(bench, {"url": web.url}).login("web", browse)
