"""A service whose models are played by a provider on this machine, and the official client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass

import pytest
from openai import AsyncOpenAI, OpenAI

from tests.server.served import Served
from weft.testing.providers import FakeProvider, Request, Turn, say

DESK = """
version: 1
name: desk
description: Reads and writes.
runtime: {provider: openai, model_id: gpt-4o-mini}
inputs: {required: {topic: string}}
agents:
  reader:
    prompt: You read.
    tools: []
    card: {description: Finds facts., capabilities: [research, find sources]}
  writer:
    prompt: You write.
    tools: []
    card: {description: Writes articles., capabilities: [write articles]}
pattern:
  type: chain
  config:
    steps:
      - {agent: reader, input: "{{ topic }}"}
      - {agent: writer, input: "Write of {{ last_response }}"}
"""
ASKS = """
version: 1
name: asks
runtime: {provider: openai, model_id: gpt-4o-mini}
inputs: {optional: {message: {type: string, default: looms}}}
agents: {clerk: {prompt: You are a clerk., tools: []}}
pattern:
  type: chain
  config:
    steps:
      - {agent: clerk, input: "{{ message }}"}
      - {type: hitl, prompt: "Send it?", choices: [send, reject]}
      - {agent: clerk, input: "It was {{ hitl_response }}."}
"""
SUMS = """
version: 1
name: sums
runtime: {provider: openai, model_id: gpt-4o-mini}
inputs: {required: {message: string}}
agents: {adder: {prompt: You add., tools: [calculator]}}
pattern:
  type: chain
  config:
    steps: [{agent: adder, input: "{{ message }}"}]
"""
FLOWS = {"desk": DESK, "asks": ASKS, "sums": SUMS}


@dataclass
class Brain:
    """What the provider answers: what `reply` says, whatever that is at the moment."""

    reply: Callable[[Request], Turn]

    def __call__(self, request: Request) -> Turn:
        return self.reply(request)


def echo(request: Request) -> Turn:
    return say(f"Of {request.prompt[:80]}: all is well.", pause_s=0.002)


@pytest.fixture(scope="module")
def mind() -> Brain:
    return Brain(echo)


@pytest.fixture(scope="module")
def played(mind: Brain) -> Iterator[FakeProvider]:
    with FakeProvider("openai", mind) as fake:
        yield fake


@pytest.fixture
def brain(mind: Brain) -> Iterator[Brain]:
    """Set its `reply` to have the provider answer otherwise in one test."""
    yield mind
    mind.reply = echo


@pytest.fixture
def provider(played: FakeProvider) -> FakeProvider:
    played.requests.clear()
    return played


@pytest.fixture(scope="module")
def service(serve: Callable[..., Served], played: FakeProvider) -> Served:
    return serve(FLOWS, **played.environ, WEFT_SERVER__MODELS="openai/gpt-4o-mini,offline/*")


@pytest.fixture
def client(service: Served) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{service.url}/v1", api_key="unused") as made:
        yield made


@pytest.fixture
async def aclient(service: Served) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{service.url}/v1", api_key="unused") as made:
        yield made


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Served]]:
    """Starts services: ``serve({"name": "text of a workflow"}, NAME=value, …)``; they last as long as their module."""
    made: list[Served] = []
    tmp_path = tmp_path_factory.mktemp("served")

    def start(flows: Mapping[str, str], *options: str, **environ: str) -> Served:
        folder = tmp_path / f"service{len(made)}"
        made.append(Served(folder, *options, flows=flows, **{"WEFT_NET__ALLOW_LOOPBACK": "true", **environ}))
        return made[-1].start()

    yield start
    for one in made:
        one.kill()
