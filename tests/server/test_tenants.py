"""Two tenants on every road into the service: what is the other's looks exactly like what is not there."""

import asyncio
import json
import re
import time
from contextlib import asynccontextmanager

import grpc
import httpx2
import pytest
import pytest_asyncio
from a2a.server.routes.jsonrpc_dispatcher import JsonRpcDispatcher
from a2a.types import a2a_pb2
from a2a.types.a2a_pb2_grpc import A2AServiceStub
from pydantic import SecretStr
from sqlalchemy import event
from starlette.routing import Mount

from weft.app.hosting import Host
from weft.app.telling import signing
from weft.core.owner import Owner
from weft.core.settings import Settings
from weft.core.settings_model import Rates, Server
from weft.server.application import build
from weft.server.hooks import trigger_secret
from weft.store.service_tables import metadata

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]
URL = "http://127.0.0.1"
NOBODY = "01a228ef-7d43-7131-b584-c92df5576c90"
LETTER = """\
version: 1
name: NAME
description: Writes a letter and asks whether to send it.
runtime: {provider: offline, model_id: extract}
inputs: {required: {note: string}}
agents: {writer: {prompt: Write one line.}}
pattern:
  type: chain
  config:
    steps:
      - {agent: writer, input: "{{ note }}"}
      - {type: hitl, prompt: Send it?, choices: [send, reject]}
      - {agent: writer, input: "It was {{ hitl_response }}."}
"""
BODIES = {
    "runs_rerun": {"step": "/step[0]"},
    "runs_signal": {"name": "wake"},
    "gates_decide": {"choice": "send"},
    "sessions_change": {"title": "mine"},
    "sessions_say": {"message": "hello"},
    "webhooks_change": {"paused": True},
    "users_change": {"role": "viewer"},
    "workflows_preview": {"request": "do it"},
}
NAMING = {
    "runs_start": {"workflow": "{name}", "inputs": {"note": "t"}},
    "schedules_add": {"workflow": "{name}", "every_s": 60},
    "triggers_add": {"workflow": "{name}", "on_webhook": {}},
    "sessions_create": {"target": "{name}"},
    "plans_invalidate": {"key": "{plan}"},
    "keys_create": {"user": "{user_id}", "name": "k", "role": "viewer"},
}
"""What is asked for with the name of a thing in the body."""
NAMES_NOTHING = {"workflows_register", "workflows_validate", "webhooks_create", "users_create"}
OPENAI = (
    ("GET", "/v1/models/{}", None),
    ("POST", "/v1/chat/completions", {"model": "{}", "messages": [{"role": "user", "content": "t"}]}),
    ("POST", "/v1/responses", {"model": "{}", "input": "t"}),
    ("POST", "/v1/embeddings", {"model": "{}", "input": "t"}),
)
RESPONSES = (
    ("GET", "/v1/responses/{}", None),
    ("GET", "/v1/responses/{}/input_items", None),
    ("POST", "/v1/responses/{}/cancel", None),
    ("DELETE", "/v1/responses/{}", None),
    ("POST", "/v1/responses", {"model": "letter", "input": "t", "previous_response_id": "{}"}),
)
MESSAGE = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "send"}]}
PUSH = {"url": "https://example.org/hook"}
REST = (
    ("GET", "/tasks/{}", None),
    ("POST", "/tasks/{}:cancel", {}),
    ("POST", "/tasks/{}:subscribe", {}),
    ("GET", "/tasks/{}:subscribe", None),
    ("GET", "/tasks/{}/pushNotificationConfigs", None),
    ("POST", "/tasks/{}/pushNotificationConfigs", PUSH),
    ("GET", "/tasks/{}/pushNotificationConfigs/x", None),
    ("DELETE", "/tasks/{}/pushNotificationConfigs/x", None),
    ("POST", "/message:send", {"message": {**MESSAGE, "taskId": "{}"}}),
    ("POST", "/message:stream", {"message": {**MESSAGE, "taskId": "{}"}}),
)
SAID = {"message": {**MESSAGE, "taskId": "{}"}}
RPC = (
    ("GetTask", {"id": "{}"}),
    ("CancelTask", {"id": "{}"}),
    ("SubscribeToTask", {"id": "{}"}),
    ("ListTaskPushNotificationConfigs", {"taskId": "{}"}),
    ("GetTaskPushNotificationConfig", {"taskId": "{}", "id": "x"}),
    ("DeleteTaskPushNotificationConfig", {"taskId": "{}", "id": "x"}),
    ("CreateTaskPushNotificationConfig", {"taskId": "{}", **PUSH}),
    ("SendMessage", SAID),
    ("SendMessage", {**SAID, "tenant": "north"}),
    ("SendStreamingMessage", SAID),
)
LISTS = {"ListTasks", "GetExtendedAgentCard"}
"""Operations of A2A that name no task."""
GRPC = {
    "GetTask": lambda one: a2a_pb2.GetTaskRequest(id=one),
    "CancelTask": lambda one: a2a_pb2.CancelTaskRequest(id=one),
    "SubscribeToTask": lambda one: a2a_pb2.SubscribeToTaskRequest(id=one),
    "SendMessage": lambda one: a2a_pb2.SendMessageRequest(message=_said(one)),
    "SendStreamingMessage": lambda one: a2a_pb2.SendMessageRequest(message=_said(one)),
    "ListTaskPushNotificationConfigs": lambda one: a2a_pb2.ListTaskPushNotificationConfigsRequest(task_id=one),
    "GetTaskPushNotificationConfig": lambda one: a2a_pb2.GetTaskPushNotificationConfigRequest(task_id=one, id="x"),
    "DeleteTaskPushNotificationConfig": lambda one: a2a_pb2.DeleteTaskPushNotificationConfigRequest(
        task_id=one, id="x"
    ),
    "CreateTaskPushNotificationConfig": lambda one: a2a_pb2.TaskPushNotificationConfig(task_id=one, **PUSH),
}
PARTS = ("resources/list", "resources/templates/list", "prompts/list")
"""Of MCP, what lists things beside tools."""
OTHERS = {
    *("GET /health/live", "GET /health/ready", "GET /health/deep", "GET /openapi.json"),
    *("GET /auth/login", "GET /auth/callback", "GET /auth/link", "GET /auth/me", "POST /auth/logout"),
    # Lists, cards and doors whose own tests are below.
    *("GET /v1/models", "GET /.well-known/agent-card.json", "GET /a2a/{tenant}/.well-known/agent-card.json"),
    *("GET /a2a/rest/tasks", "GET /a2a/rest/{tenant}/tasks", "POST /a2a", "POST /a2a/", "* /mcp"),
    *("GET /a2a/rest/extendedAgentCard", "GET /a2a/rest/{tenant}/extendedAgentCard"),
    *("POST /hooks/{name}", "POST /hooks/{tenant}/{name}", "POST /ag-ui/{target:path}"),
}
"""Roads that say nothing of what a tenant has, or that have a test of their own here."""
QUERIES = {"runs_diff": "?other={other}", "workflows_diff": "?first=1&second=1"}
SHARED = {"flags_set"}
"""What has the same names for everybody."""
UNSCOPED = {"tenants", "plans", "rates"}
"""Tables without a tenant: themselves, plans by their hash, buckets whose names say whose they are."""
BY_RUN = {"events", "inbox", "signals", "lines"}


class Tenant:
    """An admin of a tenant, and what they have."""

    def __init__(self, app, tenant, shown):
        self.tenant = tenant
        self.headers = {"Authorization": f"Bearer {shown}"}
        self.client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app), base_url=URL, headers=self.headers, timeout=30
        )

    async def __call__(self, method, path, body=None, *, expect=None, **headers):
        async with asyncio.timeout(60):
            answer = await self.client.request(method, path, json=body, headers=headers)
        assert expect is None or answer.status_code == expect, answer.text
        return answer

    async def say(self, path, body, **headers):
        return (await self("POST", path, body, **headers)).json()


def _said(task):
    return a2a_pb2.Message(message_id="m", task_id=task, role="ROLE_USER", parts=[a2a_pb2.Part(text="send")])


def roads(routes, prefix=""):
    """Every method and path that an application answers, with those of what is mounted in it."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            yield from roads(included.routes, prefix + route.include_context.prefix)
        elif isinstance(route, Mount):
            inner = route.app
            while not hasattr(inner, "routes"):
                inner = inner._app
            yield from roads(inner.routes, prefix + route.path)
        else:
            yield from (f"{method} {prefix}{route.path}" for method in (route.methods or {"*"}) - {"HEAD"})


def leads(road, method, path):
    """Whether a request goes along a road."""
    wanted, _, template = road.partition(" ")
    pattern = re.sub(r"\\{\w+:path\\}", ".+", re.sub(r"\\{\w+\\}", "[^/:]+", re.escape(template)))
    return wanted == method and re.fullmatch(pattern, path) is not None


async def admin(host, app, tenant):
    await host.identity.add_user("boss", "", "admin", tenant=tenant)
    _, shown = await host.identity.new_key("boss", "k", "admin", tenant=tenant)
    return Tenant(app, tenant, shown)


@asynccontextmanager
async def running(app):
    """The application as a server has it: begun and ended by one task."""
    ready, over = asyncio.Event(), asyncio.Event()

    async def serve():
        async with app.router.lifespan_context(app):
            ready.set()
            await over.wait()

    serving = asyncio.ensure_future(serve())
    await ready.wait()
    try:
        yield
    finally:
        over.set()
        await serving


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def world(tmp_path_factory):
    """A service, and two tenants; the first has something of every kind."""
    tmp_path = tmp_path_factory.mktemp("tenants")
    flows = tmp_path / "flows"
    flows.mkdir()
    (flows / "letter.yaml").write_text(LETTER.replace("NAME", "letter"))
    rates = Rates(user_minute=0, user_hour=0, key_hour=0, tenant_hour=0, session_hour=0)
    host = Host(
        Settings(
            home=tmp_path / "home", server=Server(folders=(flows,), grpc_port=0, token=SecretStr("t" * 40)), rates=rates
        )
    )
    app = build(host, url=URL)
    async with running(app):
        north, south = await admin(host, app, "north"), await admin(host, app, "south")
        await north("POST", "/api/v1/workflows", {"source": LETTER.replace("NAME", "hidden")}, expect=201)
        inputs = {"inputs": {"note": "It rained."}}
        run = (await north("POST", "/api/v1/runs", {"workflow": "hidden", **inputs}, expect=202)).json()["id"]
        async for frame in host.tails.follow(run):
            if frame.type == "run.waiting":
                break
        [gate] = host.journal.gates.of(run)
        hook = {"url": "https://example.org/hook", "topics": ["runs"]}
        session = (await north("POST", "/api/v1/sessions", {"target": "letter"}, expect=201)).json()["id"]
        user = (await north("POST", "/api/v1/users", {"id": "nina", "role": "viewer"}, expect=201)).json()["id"]
        key = {"user": "nina", "name": "k", "role": "viewer"}
        await host.cookies.enter(host.identity.person(Owner("north", "boss"), "admin"), "login", "Browser/1")
        await north(
            "POST",
            "/api/v1/schedules",
            {"workflow": "hidden", "name": "hidden", "every_s": 9_000, **inputs},
            expect=201,
        )
        for name, scheme in (("bell", "standard"), ("gong", "github")):
            hooked = {"workflow": "hidden", "name": name, "on_webhook": {"variable": "note", "scheme": scheme}}
            await north("POST", "/api/v1/triggers", hooked, expect=201)
        ids = {
            "run_id": run,
            "gate_id": gate.id,
            "session_id": session,
            "webhook_id": (await north("POST", "/api/v1/webhooks", hook, expect=201)).json()["id"],
            "user_id": user,
            "key_id": (await north("POST", "/api/v1/keys", key, expect=201)).json()["id"],
            "name": "hidden",
            "path": "letter.md",
            "plan": "01a228ef7d437131",
            "signin_id": host.identity.signins(tenant="north")[0].id,
        }
        yield host, app, north, south, ids
        await north.client.aclose()
        await south.client.aclose()
        await host.drain()
    await host.close()


def shape(answer, *ids):
    """An answer without what tells one request from the other."""
    text = re.sub(r"(?m)^id: \d+", "id: N", answer.text)
    for one in ids:
        text = text.replace(one, "ID")
    kept = {name: value for name, value in answer.headers.items() if name in {"content-type", "www-authenticate"}}
    return answer.status_code, re.sub(r"resp_[\w-]+|msg_[\w-]+", "ID", text), kept


def swapped(value, ids, others):
    if not value:
        return value
    text = json.dumps(value)
    for known, other in zip(ids, others, strict=True):
        text = text.replace(known, other)
    return json.loads(text)


def filled(value, ids):
    text = json.dumps(value)
    for name, known in ids.items():
        text = text.replace(f"{{{name}}}", known)
    return json.loads(text)


async def test_no_road_is_left_out(world):
    """What is added to the service has to be walked by two tenants, or to be named here."""
    _, app, _, south, _ = world
    document = (await south("GET", "/openapi.json", expect=200)).json()
    control = {
        f"{method.upper()} {path}": operation["operationId"]
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    walked = [(method, path.format("x")) for method, path, _ in (*OPENAI, *RESPONSES)]
    walked += [
        (method, f"/a2a/rest{tenant}{path.format('x')}") for method, path, _ in REST for tenant in ("", "/north")
    ]

    def known(road):
        plain = re.sub(r":\w+}", "}", road)
        return road in OTHERS or plain in control or any(leads(road, *one) for one in walked)

    assert [road for road in roads(app.routes) if not known(road)] == []
    assert [name for road, name in control.items() if "{" not in road and not _listed(road, name)] == []
    methods = JsonRpcDispatcher.METHOD_TO_MODEL.keys()
    assert methods == {name for name, _ in RPC} | LISTS
    service = a2a_pb2.DESCRIPTOR.services_by_name["A2AService"]
    assert set(service.methods_by_name) == GRPC.keys() | LISTS


def _listed(road, name):
    return road.startswith("GET ") or name in NAMING or name in NAMES_NOTHING


async def test_every_route_of_the_control_api(world):
    host, app, north, south, ids = world
    document = (await south("GET", "/openapi.json", expect=200)).json()
    walked = 0
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            name, params = operation["operationId"], re.findall(r"{(\w+)}", path)
            if not params and method == "get" and name != "live_stream":
                seen = await south("GET", path + ("?words=note" if name == "sessions_search" else ""))
                assert not [one for one in ids.values() if f'"{one}"' in seen.text], path
            if not params and method != "get" and name not in NAMES_NOTHING:
                pair = [
                    await south(method, path, filled(NAMING[name], one)) for one in (ids, dict.fromkeys(ids, NOBODY))
                ]
                assert shape(pair[0], *ids.values()) == shape(pair[1], NOBODY), (name, pair[0].text)
                assert pair[0].status_code in ({404, 422} if name != "plans_invalidate" else {200}), pair[0].text
            if not params or name in SHARED:
                continue
            own = {**ids, "name": "bell"} if path.startswith("/api/v1/triggers/") else ids
            real = path.format(**own) + QUERIES.get(name, "").format(other=ids["run_id"])
            made_up = path.format(**dict.fromkeys(ids, NOBODY)) + QUERIES.get(name, "").format(other=NOBODY)
            body = BODIES.get(name)
            theirs, nobodys = await south(method, real, body), await south(method, made_up, body)
            assert theirs.status_code == 404, (name, theirs.text)
            assert shape(theirs, *own.values()) == shape(nobodys, NOBODY), name
            walked += 1
    assert walked > 40
    # Nothing of it has happened to the owner's things.
    assert (await north("GET", f"/api/v1/runs/{ids['run_id']}")).json()["status"] == "waiting"
    assert (await north("GET", f"/api/v1/webhooks/{ids['webhook_id']}")).json()["paused"] is False


async def test_live_streams(world):
    _, _, _, south, ids = world
    for of in (ids["run_id"], NOBODY):
        assert (await south("GET", f"/api/v1/stream?topics=run/{of}")).status_code == 404
    theirs, nobodys = [await south("GET", f"/api/v1/stream?topics=run/{of}") for of in (ids["run_id"], NOBODY)]
    assert shape(theirs, ids["run_id"]) == shape(nobodys, NOBODY)


async def test_the_openai_api(world):
    _, _, north, south, ids = world
    assert "hidden" in (await north("GET", "/v1/models")).text
    assert "hidden" not in (await south("GET", "/v1/models")).text
    made = await north.say("/v1/responses", {"model": "hidden", "input": "It rained."})
    other = re.sub(r"[0-9a-f]{12}(?=\D*$|$)", "c92df5576c90", made["id"])
    assert other != made["id"]
    for method, path, body in OPENAI:
        pair = [await south(method, path.format(name), swapped(body, ["{}"], [name])) for name in ("hidden", "absent")]
        assert pair[0].status_code == 404
        assert shape(pair[0], "hidden") == shape(pair[1], "absent"), path
    for method, path, body in RESPONSES:
        pair = [await south(method, path.format(one), swapped(body, ["{}"], [one])) for one in (made["id"], other)]
        assert pair[0].status_code == 404, (path, pair[0].text)
        assert shape(pair[0]) == shape(pair[1]), path


async def test_a2a_over_rest_and_json_rpc(world):
    _, _, _, south, ids = world
    version = {"A2A-Version": "1.0"}
    for tenant in ("", "/north", "/south", "/nowhere"):
        for method, path, body in REST:
            pair = [
                await south(method, f"/a2a/rest{tenant}{path.format(one)}", swapped(body, ["{}"], [one]), **version)
                for one in (ids["run_id"], NOBODY)
            ]
            assert shape(pair[0], ids["run_id"]) == shape(pair[1], NOBODY), path
            assert pair[0].status_code >= 400 or "error" in pair[0].text.lower(), (path, pair[0].text)
        assert ids["run_id"] not in (await south("GET", f"/a2a/rest{tenant}/tasks", **version)).text
        card = await south("GET", f"/a2a/rest{tenant}/extendedAgentCard", **version)
        assert "hidden" not in card.text
    for name, params in RPC:
        call = {"jsonrpc": "2.0", "id": 1, "method": name, "params": params}
        pair = [await south("POST", "/a2a", swapped(call, ["{}"], [one]), **version) for one in (ids["run_id"], NOBODY)]
        assert shape(pair[0], ids["run_id"]) == shape(pair[1], NOBODY), name
        assert "error" in pair[0].text, (name, pair[0].text)
    for name in LISTS:
        call = {"jsonrpc": "2.0", "id": 1, "method": name, "params": {"tenant": "north"}}
        told = (await south("POST", "/a2a/", call, **version)).text
        assert ids["run_id"] not in told
        assert "hidden" not in told
    cards = [await south("GET", f"/a2a/{one}/.well-known/agent-card.json") for one in ("hidden", "absent")]
    assert shape(cards[0], "hidden") == shape(cards[1], "absent")


async def test_a2a_over_grpc(world):
    _, _, _, south, ids = world
    card = (await south("GET", "/.well-known/agent-card.json", expect=200)).json()
    [address] = [one["url"] for one in card["supportedInterfaces"] if one["protocolBinding"] == "GRPC"]
    head = [("authorization", south.headers["Authorization"]), ("a2a-version", "1.0")]
    async with grpc.aio.insecure_channel(address.removeprefix("http://").removeprefix("grpc://")) as channel:
        stub = A2AServiceStub(channel)
        for name, made in GRPC.items():
            for tenant in ("", "north"):
                told = []
                for one in (ids["run_id"], NOBODY):
                    request = made(one)
                    request.tenant = tenant
                    with pytest.raises(grpc.aio.AioRpcError) as refused:
                        answer = getattr(stub, name)(request, metadata=head)
                        if hasattr(answer, "__aiter__"):
                            async for _ in answer:
                                pass
                        else:
                            await answer
                    told.append((refused.value.code(), refused.value.details().replace(one, "ID")))
                assert told[0] == told[1], name
        listed = await stub.ListTasks(a2a_pb2.ListTasksRequest(), metadata=head)
        assert ids["run_id"] not in str(listed)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.ListTasks(a2a_pb2.ListTasksRequest(), metadata=head[1:])
        # Without a credential the caller is the user of this machine only as long as identity is off.
        assert refused.value.code() in {grpc.StatusCode.UNAUTHENTICATED}


async def test_mcp(world):
    _, _, north, south, ids = world
    head = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-11-25"}

    async def opened(who):
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        call = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello}
        answer = await who("POST", "/mcp", call, expect=200, **head)
        session = {**head, "Mcp-Session-Id": answer.headers["mcp-session-id"]}
        await who("POST", "/mcp", {"jsonrpc": "2.0", "method": "notifications/initialized"}, **session)
        return session

    mine, theirs = await opened(south), await opened(north)
    listing = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    assert "hidden" in (await north("POST", "/mcp", listing, **theirs)).text
    listed = (await south("POST", "/mcp", listing, **mine)).text
    assert "hidden" not in listed
    # Another tenant's session of the protocol is no way in.
    assert (await south("POST", "/mcp", listing, **theirs)).status_code == 404
    for part in PARTS:
        told = await south("POST", "/mcp", {"jsonrpc": "2.0", "id": 4, "method": part, "params": {}}, **mine)
        assert "hidden" not in told.text
        assert ids["run_id"] not in told.text
    names = sorted(set(re.findall(r"weft_\w+", listed)))
    assert len(names) > 3
    arguments = {"run": "{}", "run_id": "{}", "id": "{}", "gate": ids["gate_id"], "target": "{}", "workflow": "{}"}
    for tool in names:
        told = []
        for one, gate in ((ids["run_id"], ids["gate_id"]), (NOBODY, NOBODY)):
            spec = next(
                each for each in json.loads(re.search(r"{.*}", listed)[0])["result"]["tools"] if each["name"] == tool
            )
            known = spec["inputSchema"].get("properties", {})
            given = swapped({k: v for k, v in arguments.items() if k in known}, ["{}", ids["gate_id"]], [one, gate])
            call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": tool, "arguments": given}}
            told.append(await south("POST", "/mcp", call, **mine))
        assert ids["run_id"] not in told[0].text.replace(json.dumps(ids["run_id"]), "") or "isError" in told[0].text
        assert shape(told[0], ids["run_id"], ids["gate_id"]) == shape(told[1], NOBODY), (tool, told[0].text)
    pair = []
    for tool in ("hidden", "absent"):
        call = {"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": tool, "arguments": {"note": "t"}}}
        pair.append(await south("POST", "/mcp", call, **mine))
    assert shape(pair[0], "hidden") == shape(pair[1], "absent")


async def test_ag_ui(world):
    _, _, _, south, ids = world
    asked = {
        "threadId": "t",
        "runId": "r",
        "state": {},
        "tools": [],
        "context": [],
        "forwardedProps": {},
        "messages": [],
    }
    said = {**asked, "messages": [{"id": "m", "role": "user", "content": "t"}]}
    pair = [await south("POST", f"/ag-ui/{one}", said) for one in ("hidden", "absent")]
    assert pair[0].status_code == 404
    assert shape(pair[0], "hidden") == shape(pair[1], "absent")
    answers = []
    for gate in (ids["gate_id"], NOBODY):
        resume = [{"interruptId": gate, "status": "resolved", "payload": {"choice": "send"}}]
        answers.append(await south("POST", "/ag-ui/letter", {**asked, "resume": resume}))
    assert answers[0].status_code >= 400
    assert shape(answers[0], ids["gate_id"]) == shape(answers[1], NOBODY)


@pytest.mark.parametrize(
    "path",
    ["/runs/{run_id}", "/runs/{run_id}/events", "/gates/{gate_id}", "/sessions/{session_id}", "/webhooks/{webhook_id}"],
)
async def test_what_is_anothers_costs_what_nothing_costs(world, path):
    """How long an answer takes tells no more than its words: the same is looked up, and nothing after that."""
    host, _, _, south, ids = world
    reader, engine = host.journal.database._reader, host.journal.database.engine

    async def looked_up(one):
        seen = []

        def hear(connection, cursor, statement, *_):
            seen.append(statement)

        reader.set_trace_callback(seen.append)
        event.listen(engine, "before_cursor_execute", hear)
        try:
            assert (await south("GET", f"/api/v1{one}")).status_code == 404
        finally:
            event.remove(engine, "before_cursor_execute", hear)
            reader.set_trace_callback(None)
        return [re.sub("'[^']*'", "?", text) for text in seen]

    # The service has other things to look up, too: they come in between now and then.
    for _ in range(50):
        theirs = await looked_up(path.format(**ids))
        if theirs == await looked_up(path.format(**dict.fromkeys(ids, NOBODY))):
            break
    else:
        pytest.fail(f"what is looked up tells that it is there: {theirs}")
    assert theirs


async def test_hooks(world):
    """A message from outside has no caller: what it may do, its signature alone says."""
    host, _, north, south, _ = world
    anybody = httpx2.AsyncClient(transport=south.client._transport, base_url=URL)
    now, body = int(time.time()), b'{"order": 1}'

    def signed(secret, message):
        return signing.headers(secret, message, now, body)

    async def told(path, headers):
        return await anybody.post(path, content=body, headers=headers)

    github = {"X-Hub-Signature-256": "sha256=" + "0" * 64, "X-GitHub-Delivery": "d"}
    forged = signed(signing.PREFIX + "QUFBQQ==", "forged")
    for shown in ({}, forged, github):
        answers = [shape(await told(f"/hooks/{one}", shown)) for one in ("north/absent", "north/bell", "north/gong")]
        answers += [shape(await told(f"/hooks/{one}", shown)) for one in ("nowhere/bell", "south/bell", "bell")]
        assert answers[0][0] == 401
        assert all(
            json.loads(one[1]) | {"instance": ""} == json.loads(answers[0][1]) | {"instance": ""} for one in answers
        )
    good = signed(trigger_secret(host, "north", "bell", 1), "one")
    for path in ("south/bell", "bell", "nowhere/bell", "north/gong", "north/absent"):
        assert (await told(f"/hooks/{path}", good)).status_code == 401
    # A key of another tenant beside it changes nothing, in either direction.
    first = await told("/hooks/north/bell", good | south.headers)
    assert first.status_code == 202, first.text
    assert (await told("/hooks/north/bell", good)).json() == first.json()
    run = first.json()["run"]
    async with asyncio.timeout(60):
        while (await north("GET", f"/api/v1/runs/{run}")).status_code != 200:
            await asyncio.sleep(0.05)
    assert (await south("GET", f"/api/v1/runs/{run}")).status_code == 404
    await anybody.aclose()


async def test_a_tenant_in_a_header_or_a_path_gives_nothing(world):
    _, _, _, south, ids = world
    for name in ("X-Tenant", "X-Weft-Tenant", "Tenant", "X-Forwarded-User"):
        assert (await south("GET", f"/api/v1/runs/{ids['run_id']}", **{name: "north"})).status_code == 404
    seen = await south("GET", "/a2a/rest/north/tasks", **{"A2A-Version": "1.0"})
    assert ids["run_id"] not in seen.text


async def test_every_table_has_a_tenant():
    assert {table.name for table in metadata.tables.values() if "tenant" not in table.columns} <= UNSCOPED | BY_RUN
