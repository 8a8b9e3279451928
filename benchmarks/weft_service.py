"""The service: what it adds to the words of a model that it streams, and to the first of them.

The model is a server on this machine that writes the time into each word, so that a word's way through the service is measured by itself.
"""

import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

import httpx

from report import publish
from weft.testing.loopback import LoopbackServer, Received, Reply

MODEL = "openai/bench"
WORDS, PAUSE_S = 100, 0.02
ROUNDS = 12
AGENT = """
version: 1
name: helper
runtime: {provider: openai, model_id: bench}
agents: {helper: {prompt: You help., tools: []}}
pattern: {type: chain, config: {steps: [{agent: helper, input: "{{ message }}"}]}}
inputs: {required: {message: string}}
"""


async def words() -> AsyncIterator[bytes]:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "bench"}

    def chunk(delta: dict, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return f"data: {json.dumps({**head, 'choices': [choice]})}\n\n".encode()

    yield chunk({"role": "assistant", "content": ""})
    for _ in range(WORDS):
        await asyncio.sleep(PAUSE_S)
        yield chunk({"content": f"{time.perf_counter_ns()} "})
    yield chunk({}, "stop")
    yield b"data: [DONE]\n\n"


def answer(_: Received) -> Reply:
    return Reply(headers={"content-type": "text/event-stream"}, body=words())


@asynccontextmanager
async def service(folder: Path, provider: str, flows: dict[str, str] | None = None) -> AsyncIterator[tuple[str, int]]:
    """`weft up` over these workflows, and its process."""
    (folder / "flows").mkdir()
    for name, text in (flows or {"helper": AGENT}).items():
        (folder / "flows" / f"{name}.yaml").write_text(text, encoding="utf-8")
    environment = os.environ | {
        "WEFT_HOME": str(folder / "home"),
        "WEFT_SERVER__MODELS": MODEL,
        "WEFT_NET__ALLOW_LOOPBACK": "true",
        "OPENAI_BASE_URL": provider,
        "OPENAI_API_KEY": "unused",
    }
    command = [str(Path(sys.executable).parent / "weft"), "up", str(folder / "flows"), "--port", "0", "--json"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        line = await asyncio.to_thread(process.stdout.readline)
        yield json.loads(line)["url"], process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait)


async def stream(client: httpx.AsyncClient, url: str, model: str, number: int) -> tuple[float, list[float]]:
    """Milliseconds to the first word, and from each word's making to its coming."""
    body = {"model": model, "stream": True, "messages": [{"role": "user", "content": f"Go {number}."}]}
    began, first, late = time.perf_counter_ns(), 0.0, []
    async with client.stream("POST", f"{url}/chat/completions", json=body) as response:
        async for line in response.aiter_lines():
            now = time.perf_counter_ns()
            if not line.startswith("data: {"):
                continue
            choices = json.loads(line[6:])["choices"]
            content = choices[0]["delta"].get("content") if choices else None
            for made in (content or "").split():
                first = first or (now - began) / 1e6
                late.append((now - int(made)) / 1e6)
    assert len(late) == WORDS, late
    return first, late


async def chat_stream() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        async with LoopbackServer(answer) as model, httpx.AsyncClient(timeout=60) as client:
            own = [await stream(client, f"{model.url}/v1", "bench", number) for number in range(ROUNDS)]
            metrics = summary("direct", own)
            async with service(Path(folder), f"{model.url}/v1") as (url, _):
                for name, asked in (("model", MODEL), ("agent", "helper")):
                    await stream(client, f"{url}/v1", asked, -1)
                    through = [await stream(client, f"{url}/v1", asked, number) for number in range(ROUNDS)]
                    metrics |= summary(name, through)
                    for metric in ("first_word_ms", "word_p50_ms", "word_p95_ms"):
                        metrics[f"{name}_added_{metric}"] = metrics[f"{name}_{metric}"] - metrics[f"direct_{metric}"]
    return metrics


def summary(name: str, streams: list[tuple[float, list[float]]]) -> dict[str, float]:
    late = sorted(one for _, words in streams for one in words)
    return {
        f"{name}_first_word_ms": statistics.median(first for first, _ in streams),
        f"{name}_word_p50_ms": statistics.median(late),
        f"{name}_word_p95_ms": late[int(len(late) * 0.95)],
    }


if __name__ == "__main__":
    publish("weft", version("weft"), {"chat_stream": lambda: asyncio.run(chat_stream())})
