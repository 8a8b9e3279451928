"""Rights that change while a stream is open: it ends with its protocol's own error, within about a second."""

import asyncio
import json
import threading
import time
from dataclasses import replace

import grpc
import httpx2
import pytest
import uvicorn
from a2a.types import a2a_pb2
from a2a.types.a2a_pb2_grpc import A2AServiceStub
from pydantic import SecretStr

from tests.waiting import promised
from weft.app.admission.cookies import new_link
from weft.app.hosting import Host
from weft.core.settings import Settings
from weft.core.settings_model import Server
from weft.server.application import build

pytestmark = pytest.mark.slow
WAITS = """\
version: 1
name: waits
description: Waits for a long while.
runtime: {provider: offline, model_id: extract}
agents: {reader: {prompt: Say it.}}
pattern:
  type: chain
  config: {steps: [{wait: {seconds: 600}}, {agent: reader, input: "It is done."}]}
"""
TASK = {"jsonrpc": "2.0", "id": 1, "method": "SendStreamingMessage"}
SAID = {"message": {"messageId": "m1", "role": "ROLE_USER", "parts": [{"text": "go"}]}}
ASKED = {"model": "waits", "messages": [{"role": "user", "content": "go"}], "stream": True}
AGUI = {
    "threadId": "t",
    "runId": "r",
    "state": {},
    "tools": [],
    "context": [],
    "forwardedProps": {},
    "messages": [{"id": "1", "role": "user", "content": "go"}],
}
ROADS = {
    "control": ("GET", "/api/v1/stream", None),
    "chat": ("POST", "/v1/chat/completions", ASKED),
    "responses": ("POST", "/v1/responses", {"model": "waits", "input": "go", "stream": True}),
    "ag-ui": ("POST", "/ag-ui/waits", AGUI),
    "a2a": ("POST", "/a2a", {**TASK, "params": SAID}),
    "a2a rest": ("POST", "/a2a/rest/message:stream", SAID),
}


@pytest.fixture
def service(tmp_path):
    """A real service in a thread, its host and its address."""
    folder = tmp_path / "flows"
    folder.mkdir()
    (folder / "waits.yaml").write_text(WAITS)
    server = Server(folders=(folder,), agent="waits", grpc_port=0, token=SecretStr("t" * 40))
    made = []

    async def serve():
        # On the loop that is to serve: gRPC wants it so.
        host = Host(Settings(home=folder / "home", server=server))
        made.extend(
            (host, uvicorn.Server(uvicorn.Config(build(host, url="http://127.0.0.1"), port=0, log_level="error")))
        )
        await made[1].serve()
        await host.drain()
        await host.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    until = time.monotonic() + 30
    while len(made) < 2 or not made[1].started:
        assert time.monotonic() < until
        time.sleep(0.02)
    host, uv = made
    port = uv.servers[0].sockets[0].getsockname()[1]
    yield host, f"http://127.0.0.1:{port}"
    uv.should_exit = uv.force_exit = True
    thread.join(20)


def elsewhere(host, work):
    """Do that as another process would: who reads here is told by the bell."""

    async def done():
        other = Host(host.settings)
        try:
            return await work(other.identity)
        finally:
            await other.close()

    return asyncio.run(done())


def read(url, road, shown, change):
    """What a stream says after `change`, and how long it goes on."""
    method, path, body = ROADS[road]
    headers = {"Authorization": f"Bearer {shown}", "A2A-Version": "1.0"}
    with httpx2.stream(method, f"{url}{path}", json=body, headers=headers, timeout=60) as answer:
        assert answer.status_code == 200, answer.read()
        lines = answer.iter_lines()
        first = [next(lines)]
        change()
        began = time.monotonic()
        return [*first, *lines], time.monotonic() - began


def last(lines):
    """The last event."""
    event = next((line[7:] for line in reversed(lines) if line.startswith("event: ")), "")
    return event, json.loads(next(line[6:] for line in reversed(lines) if line.startswith("data: ")))


def tells_of_a_new_run(url, lines, headers):
    """A stream that goes on tells of what comes."""
    made = httpx2.post(f"{url}/api/v1/runs", json={"workflow": "waits"}, headers=headers, timeout=60)
    assert made.status_code == 202, made.text
    assert any(made.json()["id"] in line for line in lines)


def new(host, name):
    async def work(identity):
        await identity.add_user(name, "", "operator")
        return await identity.new_key(name, "k", "operator")

    return elsewhere(host, work)


CHECKS = {
    "control": lambda event, data: (event, data["status"], data["code"]) == ("error", 401, "auth"),
    "chat": lambda event, data: data["error"]["code"] == "auth",
    "responses": lambda event, data: (event, data["type"], data["code"]) == ("error", "error", "auth"),
    "ag-ui": lambda event, data: (data["type"], data["code"]) == ("RUN_ERROR", "auth"),
    "a2a": lambda event, data: data["error"]["code"] == -32004 and "auth" in json.dumps(data["error"]),
    "a2a rest": lambda event, data: event == "error" and "auth" in json.dumps(data["error"]),
}


@pytest.mark.parametrize("road", ROADS)
def test_a_stream_ends_when_its_key_is_taken_back(service, road):
    host, url = service
    key, shown = new(host, f"one of {road}")
    lines, took = read(url, road, shown, lambda: elsewhere(host, lambda identity: identity.revoke(key.id)))
    assert took < promised(1.5)
    assert CHECKS[road](*last(lines)), lines
    assert httpx2.get(f"{url}/api/v1/runs", headers={"Authorization": f"Bearer {shown}"}, timeout=60).status_code == 401


def test_a_stream_over_grpc_ends_too(service):
    host, url = service
    card = httpx2.get(f"{url}/.well-known/agent-card.json", timeout=60).json()
    address = next(one["url"] for one in card["supportedInterfaces"] if one["protocolBinding"] == "GRPC")
    key, shown = new(host, "one of grpc")
    said = a2a_pb2.Message(message_id="m2", role="ROLE_USER", parts=[a2a_pb2.Part(text="go")])
    metadata = (("authorization", f"Bearer {shown}"), ("a2a-version", "1.0"))
    with grpc.insecure_channel(address) as channel:
        request = a2a_pb2.SendMessageRequest(message=said)
        told = A2AServiceStub(channel).SendStreamingMessage(request, metadata=metadata, timeout=60)
        next(told)
        elsewhere(host, lambda identity: identity.revoke(key.id))
        began = time.monotonic()
        with pytest.raises(grpc.RpcError) as caught:
            list(told)
    assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert time.monotonic() - began < promised(1.5)


@pytest.mark.parametrize("change", [{"disabled": True}, {"role": "viewer"}])
def test_a_stream_ends_when_its_user_may_do_less(service, change):
    host, url = service
    name = f"with {change}"
    _, shown = new(host, name)

    def less():
        elsewhere(host, lambda identity: identity.change_user(replace(identity.user(name), **change)))

    lines, took = read(url, "control", shown, less)
    assert took < promised(1.5)
    assert CHECKS["control"](*last(lines))


@pytest.mark.parametrize("how", ["ended elsewhere", "signed out"])
def test_a_stream_ends_with_the_session_of_its_browser(service, how):
    host, url = service
    cookies = []
    for _ in range(2):
        with httpx2.Client(timeout=60) as browser:
            browser.get(f"{url}/auth/link", params={"code": new_link(host.sealed)})
            cookies.append(f"weft_session={browser.cookies['weft_session']}")
    with (
        httpx2.stream("GET", f"{url}/api/v1/stream", headers={"Cookie": cookies[0]}, timeout=60) as mine,
        httpx2.stream("GET", f"{url}/api/v1/stream", headers={"Cookie": cookies[1]}, timeout=60) as other,
    ):
        said, others = mine.iter_lines(), other.iter_lines()
        lines = [next(said)]
        next(others)
        if how == "signed out":
            done = httpx2.post(f"{url}/auth/logout", headers={"Cookie": cookies[0], "Origin": url}, timeout=60)
            assert done.status_code == 204
        else:
            found = httpx2.get(f"{url}/api/v1/signins", headers={"Cookie": cookies[0]}, timeout=60).json()
            [own] = [one["id"] for one in found if one["current"]]
            assert elsewhere(host, lambda identity: identity.end_signin(own)) == "local"
        began = time.monotonic()
        lines += said
        assert time.monotonic() - began < promised(1.5)
        assert CHECKS["control"](*last(lines))
        tells_of_a_new_run(url, others, {"Cookie": cookies[1], "Origin": url})
    assert httpx2.get(f"{url}/api/v1/runs", headers={"Cookie": cookies[0]}, timeout=60).status_code == 401


def test_other_streams_go_on(service):
    host, url = service
    _, shown = new(host, "who stays")
    key, leaves = new(host, "who goes")
    method, path, _ = ROADS["control"]
    headers = {"Authorization": f"Bearer {shown}"}
    with (
        httpx2.stream(method, f"{url}{path}", headers={"Authorization": f"Bearer {leaves}"}, timeout=60) as theirs,
        httpx2.stream(method, f"{url}{path}", headers=headers, timeout=60) as answer,
    ):
        gone, lines = theirs.iter_lines(), answer.iter_lines()
        next(gone), next(lines)
        elsewhere(host, lambda identity: identity.revoke(key.id))
        list(gone)
        tells_of_a_new_run(url, lines, headers)
