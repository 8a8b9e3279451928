"""Clients whose service is killed in the middle and comes back, and clients that go away: what they have begun is not lost."""

import asyncio
import json

import grpc.aio
import httpx
import httpx2
import pytest
from a2a.client import ClientConfig, create_client
from a2a.helpers import new_text_message
from a2a.types import a2a_pb2
from a2a.utils.constants import TransportProtocol
from langchain_openai import ChatOpenAI

from tests.server.served import Served

pytestmark = pytest.mark.slow
NAP = """\
version: 1
name: nap
description: Waits for a signal.
runtime: {provider: offline, model_id: extract}
inputs: {optional: {message: string}}
agents: {reader: {prompt: Say it.}}
pattern:
  type: chain
  config: {steps: [{wait: {signal: wake}}, {agent: reader, input: "It is over."}]}
"""
TRANSPORTS = [one.value for one in TransportProtocol]


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    one = Served(tmp_path_factory.mktemp("lasting"), WEFT_SERVER__GRPC_PORT="0")
    one.add("nap", NAP)
    yield one.start()
    one.kill()


async def agent(http: httpx.AsyncClient, url: str, transport: str):
    """The official client; its requests name the workflow that naps as their tenant."""
    config = ClientConfig(
        streaming=True,
        httpx_client=http,
        grpc_channel_factory=grpc.aio.insecure_channel,
        supported_protocol_bindings=[transport],
    )
    return await create_client(url, config)


def chat(service: Served, http: httpx.AsyncClient) -> ChatOpenAI:
    """LangChain's client, which asks again as often as it takes for a service to start."""
    base = f"{service.url}/v1"
    return ChatOpenAI(base_url=base, api_key="unused", model="nap", max_retries=9, http_async_client=http)


def wake(service: Served, run_id: str) -> None:
    service.wait_for(run_id, "waiting")
    assert service.api("POST", f"/runs/{run_id}/signal", json={"name": "wake"}).status_code == 202


async def napping(service: Served, known: set[str]) -> str:
    """The run that has begun to nap since those that are known."""
    for _ in range(1_200):
        found = [one["id"] for one in service.api("GET", "/runs").json()["items"] if one["status"] == "waiting"]
        if new := set(found) - known:
            return new.pop()
        await asyncio.sleep(0.05)
    raise AssertionError("no run naps")


async def read(url: str, run_id: str, seen: list[int], last: str = "") -> str:
    """Follow a run as a plain reader does, to the end of the stream; the id to go on with."""
    headers = {"Last-Event-ID": last} if last else {}
    try:
        async with (
            httpx2.AsyncClient(timeout=60) as http,
            http.stream("GET", f"{url}/api/v1/runs/{run_id}/stream", headers=headers) as response,
        ):
            async for line in response.aiter_lines():
                if line.startswith("id: "):
                    last = line[4:]
                    seen.append(int(last))
    except httpx2.TransportError:
        pass
    return last


async def test_what_clients_have_begun_outlives_the_service(service):
    made: dict[str, str] = {}
    async with httpx.AsyncClient(timeout=60) as http:
        for transport in TRANSPORTS:
            client = await agent(http, service.url, transport)
            message = new_text_message("go", role=a2a_pb2.ROLE_USER)
            stream = client.send_message(a2a_pb2.SendMessageRequest(tenant="nap", message=message))
            # Whoever sent it goes away after the first word of the answer.
            made[transport] = (await anext(stream)).task.id
            await stream.aclose()
            await client.close()
    run_id = service.api("POST", "/runs", json={"workflow": "nap"}).json()["id"]
    for one in (*made.values(), run_id):
        await asyncio.to_thread(service.wait_for, one, "waiting")
    seen: list[int] = []
    reader = asyncio.create_task(read(service.url, run_id, seen))
    own = httpx.AsyncClient(timeout=60)
    asked = asyncio.create_task(chat(service, own).ainvoke("go"))
    chatted = await napping(service, {*made.values(), run_id})

    await asyncio.to_thread(service.restart)

    last = await reader
    assert seen
    rest = asyncio.create_task(read(service.url, run_id, seen, last))
    wake(service, chatted)
    answer = await asked
    await own.aclose()
    assert "over" in str(answer.content)
    assert service.run(chatted)["status"] == "completed"
    async with httpx.AsyncClient(timeout=60) as http:
        for transport, task_id in made.items():
            client = await agent(http, service.url, transport)
            task = await client.get_task(a2a_pb2.GetTaskRequest(tenant="nap", id=task_id))
            assert task.status.state == a2a_pb2.TASK_STATE_WORKING
            stream = client.subscribe(a2a_pb2.SubscribeToTaskRequest(tenant="nap", id=task_id))
            assert (await anext(stream)).task.id == task_id
            wake(service, task_id)
            states = [event.status_update.status.state async for event in stream if event.HasField("status_update")]
            assert states[-1] == a2a_pb2.TASK_STATE_COMPLETED
            await client.close()
    wake(service, run_id)
    await rest
    assert seen == list(range(1, service.run(run_id)["events"] + 1))
    assert len(service.api("GET", "/runs").json()["items"]) == len(made) + 2


async def test_a_langchain_client_that_goes_away_cancels_its_run(service):
    known = {one["id"] for one in service.api("GET", "/runs").json()["items"]}
    async with httpx.AsyncClient(timeout=60) as own:
        asked = asyncio.create_task(chat(service, own).ainvoke("go away"))
        run_id = await napping(service, known)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
    await asyncio.to_thread(service.wait_for, run_id, "cancelled")


async def test_a_reader_that_goes_away_takes_nothing_with_it(service):
    run_id = service.api("POST", "/runs", json={"workflow": "nap"}).json()["id"]
    async with (
        httpx2.AsyncClient(timeout=60) as http,
        http.stream("GET", f"{service.url}/api/v1/runs/{run_id}/stream") as response,
    ):
        first = await anext(line async for line in response.aiter_lines() if line.startswith("data: "))
    assert json.loads(first[6:])["type"] == "run.created"
    wake(service, run_id)
    assert (await asyncio.to_thread(service.wait_for, run_id, "completed"))["status"] == "completed"
