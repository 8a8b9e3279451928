"""The service under load: the control API at 32 connections, the way to the first event, a gate's answer, and a crowd of readers."""

import asyncio
import os
import statistics
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

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
WAITS = """
version: 1
name: waits
runtime: {provider: offline, model_id: extract}
agents: {reader: {prompt: Say it., tools: []}}
pattern: {type: chain, config: {steps: [{wait: {signal: go}}, {agent: reader, input: "It is over."}]}}
"""


async def load(client: httpx.AsyncClient, ask) -> dict[str, float]:
    """Requests a second and their times at `CONNECTIONS` at once; `ask` makes one."""
    took, until = [], time.perf_counter() + SECONDS

    async def one() -> None:
        while time.perf_counter() < until:
            begun = time.perf_counter()
            (await ask(client)).raise_for_status()
            took.append((time.perf_counter() - begun) * 1_000)

    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
    took.sort()
    return {"per_s": len(took) / SECONDS, "p50_ms": statistics.median(took), "p95_ms": took[int(len(took) * 0.95)]}


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
    limits = httpx.Limits(max_connections=CONNECTIONS)
    with tempfile.TemporaryDirectory() as folder:
        async with serving(Path(folder)) as (api, _), httpx.AsyncClient(timeout=60, limits=limits) as client:
            run = (await client.post(f"{api}/runs", json={"workflow": "quick"})).json()["id"]
            await load(client, lambda client: client.get(f"{api}/runs/{run}"))
            for name, ask in (
                ("read", lambda client: client.get(f"{api}/runs/{run}")),
                ("start", lambda client: client.post(f"{api}/runs", json={"workflow": "waits"})),
            ):
                metrics |= {f"{name}_{key}": value for key, value in (await load(client, ask)).items()}
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
        self._service = service(folder, "http://127.0.0.1:9/v1", {"quick": QUICK, "asks": ASKS, "waits": WAITS})

    async def __aenter__(self) -> tuple[str, int]:
        url, pid = await self._service.__aenter__()
        return f"{url}/api/v1", pid

    async def __aexit__(self, *raised: object) -> None:
        await self._service.__aexit__(*raised)


if __name__ == "__main__":
    cases = {"control": lambda: asyncio.run(control()), "readers": lambda: asyncio.run(readers())}
    publish("weft", version("weft"), cases)
