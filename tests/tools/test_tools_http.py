"""HTTP executors against a real server on loopback."""

import asyncio
import json

import pytest

from weft.core.errors import InputError, PolicyError, SpecError, ToolError
from weft.core.masking import MASK
from weft.net.egress import EgressPolicy
from weft.testing.loopback import LoopbackServer, Reply
from weft.tools.registry import build_tools
from weft.tools.runner import run_tool

LOCAL = EgressPolicy(allow_loopback=True)


def tool(base_url, policy=LOCAL, **fields):
    return build_tools({"api": {"kind": "http", "base_url": base_url, **fields}}, policy=policy)["api"]


def echo(got):
    body = json.dumps({"method": got.method, "target": got.target, "headers": dict(got.headers)}).encode()
    return Reply(headers={"content-type": "application/json; charset=utf-8"}, body=body)


async def test_a_get_returns_status_headers_and_parsed_body(context):
    async with LoopbackServer(echo) as server:
        result = await run_tool(tool(f"{server.url}/v1/"), {"path": "/items?a=b c"}, context)
    assert result["status"] == 200
    assert result["headers"]["content-type"].startswith("application/json")
    assert result["body"]["method"] == "GET"
    assert result["body"]["target"] == "/v1/items?a=b%20c"
    assert "idempotency-key" not in result["body"]["headers"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_methods_that_change_something_carry_the_key(method, context):
    async with LoopbackServer(echo) as server:
        args = {"method": method, "path": "x", "json_data": {"a": 1}, "headers_override": {"Idempotency-Key": "mine"}}
        await run_tool(tool(server.url), args, context)
    [got] = server.requests
    assert got.headers["idempotency-key"] == "key-1"
    assert (got.method, got.body) == (method, b'{"a":1}')


async def test_a_failing_status_is_a_result_like_any_other(context):
    async with LoopbackServer(lambda _: Reply(status=404, body=b"no such item")) as server:
        result = await run_tool(tool(server.url), {"path": "x"}, context)
    assert (result["status"], result["body"]) == (404, "no such item")


async def test_secrets_fill_headers_and_never_come_back(context):
    async with LoopbackServer(echo) as server:
        built = tool(server.url, headers={"Authorization": "Bearer ${TOKEN}", "X-Plain": "p"})
        result = await run_tool(built, {"path": "x"}, context)
    assert server.requests[0].headers["authorization"] == "Bearer tok-very-secret"
    assert server.requests[0].headers["x-plain"] == "p"
    assert result["body"]["headers"]["authorization"] == f"Bearer {MASK}"
    assert "tok-very-secret" not in str(built.spec)


async def test_an_agent_cannot_ask_for_secrets(context):
    async with LoopbackServer(echo) as server:
        args = {"path": "/${TOKEN}", "headers_override": {"X": "${TOKEN}"}, "json_data": "${TOKEN}"}
        await run_tool(tool(server.url), args, context)
    assert "tok-very-secret" not in str(server.requests)


async def test_a_missing_secret_is_named(context):
    async with LoopbackServer(echo) as server:
        with pytest.raises(ToolError, match="MISSING") as caught:
            await run_tool(tool(server.url, headers={"A": "${MISSING}"}), {"path": "x"}, context)
    assert caught.value.ids["cause"] == "auth"
    assert server.requests == []


async def test_headers_can_be_overridden_but_not_those_that_frame_the_request(context):
    async with LoopbackServer(echo) as server:
        built = tool(server.url, headers={"Accept": "text/plain"})
        await run_tool(built, {"path": "x", "headers_override": {"accept": "text/html"}}, context)
        assert server.requests[0].headers["accept"] == "text/html"
        for name in ("Host", "Content-Length", "Transfer-Encoding"):
            with pytest.raises(ToolError, match="cannot be set"):
                await run_tool(built, {"path": "x", "headers_override": {name: "1"}}, context)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "path",
    [
        "https://example.com/x",
        "http:example.com",
        "//example.com/x",
        "\\\\example.com",
        "javascript:x",
        "../admin",
        "/a/../../admin",
        "%2e%2e/admin",
        "a/%2E./b",
        "..%2fadmin",
        "%252e%252e/admin",
        "..;/admin",
        "..%5cadmin",
        "a\\..\\b",
        "a\r\nX: y",
    ],
)
async def test_a_path_cannot_leave_the_base_url(path, context):
    async with LoopbackServer(echo) as server:
        with pytest.raises(ToolError):
            await run_tool(tool(f"{server.url}/v1"), {"path": path}, context)
    assert server.requests == []


@pytest.mark.parametrize("path", ["@evil.example/", ":81/", ".evil.example", "a..b/c...d", "?q=../x", "/a/./b", ""])
async def test_odd_paths_stay_below_the_base_url(path, context):
    async with LoopbackServer(echo) as server:
        await run_tool(tool(f"{server.url}/v1"), {"path": path}, context)
    [got] = server.requests
    assert got.target.startswith("/v1/")
    assert got.headers["host"] == f"127.0.0.1:{server.port}"


@pytest.mark.parametrize(
    ("base_url", "error"),
    [
        ("http://localhost:9", PolicyError),
        ("http://127.0.0.1", PolicyError),
        ("http://10.0.0.1", PolicyError),
        ("http://169.254.169.254", PolicyError),
        ("https://u:p@example.com", PolicyError),
        ("ftp://example.com", PolicyError),
        ("https://example.com/?a=b", InputError),
        ("example.com", PolicyError),
    ],
)
def test_a_base_url_that_leads_inside_is_refused_when_tools_are_built(base_url, error):
    with pytest.raises(error) as caught:
        tool(base_url, policy=EgressPolicy())
    assert caught.value.place.pointer == "/tools/api"


async def test_the_time_limit_of_the_document_holds(context):
    async def never(_):
        await asyncio.sleep(60)

    async with LoopbackServer(never) as server:
        built = tool(server.url, timeout_ms=100)
        assert built.spec.timeout_s == 0.1
        with pytest.raises(ToolError) as caught:
            await run_tool(built, {"path": "x"}, context)
    assert caught.value.ids["cause"] == "timeout"


async def test_a_long_body_is_cut_and_the_status_kept(context):
    async with LoopbackServer(lambda _: Reply(body=b"x" * 10_000)) as server:
        result = await run_tool(tool(server.url, max_bytes=2000), {"path": "x"}, context)
    assert result["status"] == 200
    assert "[cut here: " in result["body"]


@pytest.mark.parametrize(
    ("kind", "body", "shown"),
    [
        ("application/json", b'{"a": NaN}', '{"a": NaN}'),
        ("application/json", b"{broken", "{broken"),
        ("application/problem+json", b'{"a": 1}', {"a": 1}),
        ("text/plain; charset=latin-1", b"\xfc", "ü"),
        ("image/png", b"\x89PNG\0\0", "[6 bytes of image/png]"),
        ("application/json", b"[" * 50_000, None),
    ],
)
async def test_whatever_a_server_answers_becomes_json(kind, body, shown, context):
    async with LoopbackServer(lambda _: Reply(headers={"content-type": kind}, body=body)) as server:
        result = await run_tool(tool(server.url), {"path": "x"}, context)
    assert shown is None or result["body"] == shown


async def test_a_cut_connection_is_an_observation(context):
    async with LoopbackServer(lambda _: Reply(cut=True)) as server:
        with pytest.raises(ToolError, match="connection") as caught:
            await run_tool(tool(server.url), {"path": "x"}, context)
    assert caught.value.ids["cause"] == "transient"


def test_the_effect_is_that_of_the_method_unless_it_is_declared():
    built = tool("https://api.example.com")
    effects = {method: built.effect_of({"method": method}) for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE")}
    assert set(effects.values()) == {"idempotent"}
    assert built.effect_of({}) == "idempotent"
    assert built.effect_of({"method": "POST"}) == built.effect_of({"method": "PATCH"}) == "once"
    assert tool("https://api.example.com", effect="idempotent").effect_of({"method": "POST"}) == "idempotent"
    with pytest.raises(SpecError, match="reconcile"):
        tool("https://api.example.com", effect="reconcile")


def test_the_description_tells_what_the_document_tells():
    built = tool(
        "https://api.example.com/v1",
        description="The shop.",
        response_format="json",
        authentication_info="a token",
        common_endpoints=[{"path": "/items", "description": "all items"}],
        examples=[{"description": "one", "method": "POST", "path": "/items", "json_data": {"a": 1}}],
    )
    text = built.spec.description
    for word in (
        "The shop.",
        "https://api.example.com/v1",
        "a token",
        "GET /items: all items",
        '"json_data": {"a": 1}',
    ):
        assert word in text
