"""The service under load: the control API at 32 connections, the way to the first event, a gate's answer, and a crowd of readers."""

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from report import publish
from weft_service import service

CONNECTIONS, SECONDS = 32, 4.0
READERS = 1_000
QUICK = """
version: 1
name: quick
runtime: {provider: offline, model_id: extract}
inputs: {optional: {message: {type: string, default: The loom is warped.}}}
agents: {reader: {prompt: Say what the text says., tools: []}}
pattern: {type: chain, config: {steps: [{agent: reader, input: "{{ message }}"}]}}
"""
ASKS = """
version: 1
name: asks
runtime: {provider: offline, model_id: extract}
agents: {reader: {prompt: Say it., tools: []}}
pattern:
  type: chain
  config:
    steps:
      - {type: hitl, prompt: "Go on?", choices: [send, reject]}
      - {agent: reader, input: "It was {{ hitl_response }}."}
"""
NOOP = """
version: 1
name: noop
runtime: {provider: offline, model_id: extract}
agents: {reader: {prompt: Say it., tools: []}}
pattern: {type: chain, config: {steps: [{set: {done: true}}]}}
"""
WAITS = """
version: 1
name: waits
runtime: {provider: offline, model_id: extract}
agents: {reader: {prompt: Say it., tools: []}}
pattern: {type: chain, config: {steps: [{wait: {signal: go}}, {agent: reader, input: "It is over."}]}}
"""
FLOWS = {"quick": QUICK, "asks": ASKS, "waits": WAITS, "noop": NOOP}


async def load(api: str, pid: int, request: bytes) -> dict[str, float]:
    """Requests a second and their times at `CONNECTIONS` at once, asked by a process of its own; and what one costs the service."""
    script = str(Path(__file__).parent / "closed_loop.py")
    port = str(urlsplit(api).port)
    pipe = asyncio.subprocess.PIPE
    command = [sys.executable, script, port, str(CONNECTIONS), str(SECONDS)]
    client = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    before = processor(pid)
    found, _ = await client.communicate(request)
    assert client.returncode == 0
    metrics = json.loads(found)
    return metrics | {"cpu_ms": (processor(pid) - before) / (metrics["per_s"] * SECONDS) * 1_000}


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def post(path: str, body: dict) -> bytes:
    text = json.dumps(body)
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(text)}"
    return f"{head}\r\n\r\n{text}".encode()


def processor(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def first_event(client: httpx.AsyncClient, api: str) -> float:
    """Milliseconds from the request for a run to the first event in its stream."""
    begun = time.perf_counter()
    made = (await client.post(f"{api}/runs", json={"workflow": "quick"})).json()
    async with client.stream("GET", f"{api}/runs/{made['id']}/stream") as events:
        async for line in events.aiter_lines():
            if line.startswith("data:"):
                return (time.perf_counter() - begun) * 1_000
    raise AssertionError("no event")


async def decided(client: httpx.AsyncClient, api: str) -> float:
    """Milliseconds from the answer to a gate to the beginning of the next step, as the stream tells it."""
    made = (await client.post(f"{api}/runs", json={"workflow": "asks"})).json()
    async with client.stream("GET", f"{api}/runs/{made['id']}/stream") as events:
        begun = 0.0
        async for line in events.aiter_lines():
            if line.startswith("event: run.waiting"):
                [gate] = (await client.get(f"{api}/gates", params={"run": made["id"]})).json()["items"]
                begun = time.perf_counter()
                await client.post(f"{api}/gates/{gate['id']}/decide", json={"choice": "send"})
            elif begun and line.startswith("event: step.started"):
                return (time.perf_counter() - begun) * 1_000
    raise AssertionError("the run did not go on")


async def control() -> dict[str, float]:
    metrics: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        async with serving(Path(folder)) as (api, pid), httpx.AsyncClient(timeout=60) as client:
            run = (await client.post(f"{api}/runs", json={"workflow": "quick"})).json()["id"]
            read, start = get(f"/api/v1/runs/{run}"), post("/api/v1/runs", {"workflow": "noop"})
            for warmed in (read, start):
                await load(api, pid, warmed)
            for name, request in (("read", read), ("start", start)):
                metrics |= {f"{name}_{key}": value for key, value in (await load(api, pid, request)).items()}
            metrics["first_event_ms"] = statistics.median([await first_event(client, api) for _ in range(20)])
            metrics["gate_ms"] = statistics.median([await decided(client, api) for _ in range(20)])
    return metrics


async def readers() -> dict[str, float]:
    """A thousand readers of one run that waits: what each costs the service, and when the last of them has heard of its end."""
    with tempfile.TemporaryDirectory() as folder:
        async with serving(Path(folder)) as (api, pid), httpx.AsyncClient(timeout=120) as client:
            made = (await client.post(f"{api}/runs", json={"workflow": "waits"})).json()["id"]
            await asyncio.sleep(1)
            before, heard, ended = resident(pid), asyncio.Event(), []
            ready = 0

            async def read(own: httpx.AsyncClient) -> None:
                nonlocal ready
                async with own.stream("GET", f"{api}/runs/{made}/stream") as events:
                    async for line in events.aiter_lines():
                        if line.startswith("event: run.waiting"):
                            ready += 1
                            if ready == READERS:
                                heard.set()
                        if line.startswith("event: run.completed"):
                            ended.append(time.perf_counter())

            crowd = httpx.AsyncClient(timeout=120, limits=httpx.Limits(max_connections=READERS))
            async with crowd:
                tasks = [asyncio.ensure_future(read(crowd)) for _ in range(READERS)]
                await heard.wait()
                each = (resident(pid) - before) / READERS
                begun = time.perf_counter()
                await client.post(f"{api}/runs/{made}/signal", json={"name": "go"})
                await asyncio.gather(*tasks)
    assert len(ended) == READERS
    return {"kib_each": each / 1_024, "last_heard_ms": (max(ended) - begun) * 1_000}


def resident(pid: int) -> int:
    """Bytes of memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class serving:  # noqa: N801 -- used like a function
    """The service over the workflows of this page; gives the address of its control API and its process."""

    def __init__(self, folder: Path) -> None:
        self._service = service(folder, "http://127.0.0.1:9/v1", FLOWS)

    async def __aenter__(self) -> tuple[str, int]:
        url, pid = await self._service.__aenter__()
        return f"{url}/api/v1", pid

    async def __aexit__(self, *raised: object) -> None:
        await self._service.__aexit__(*raised)


if __name__ == "__main__":
    cases = {"control": lambda: asyncio.run(control()), "readers": lambda: asyncio.run(readers())}
    publish("weft", version("weft"), cases)
