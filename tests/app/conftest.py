"""A host over a real journal, with workflows in a folder; what agents say comes from a provider on loopback that streams."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from weft.app.hosting import Host
from weft.app.service import ModelChoice
from weft.core.settings_model import Net, Server, Settings
from weft.testing.providers import FakeProvider, Request, Turn, say

TWO = """
version: 0
name: two
description: Reads and writes.
runtime: {provider: openai, model_id: gpt-4o-mini}
inputs: {required: {topic: string}}
agents:
  reader: {prompt: "Quote what matters about {{ topic }}.", tools: []}
  writer: {prompt: Write., tools: []}
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
inputs: {optional: {topic: {type: string, default: looms}}}
agents: {writer: {prompt: Write., tools: []}}
pattern:
  type: chain
  config:
    steps:
      - {agent: writer, input: "{{ topic }}"}
      - {type: hitl, prompt: "Send it?", choices: [send, reject]}
      - {agent: writer, input: "It was {{ hitl_response }}."}
"""
PARENT = """
version: 1
name: parent
runtime: {provider: openai, model_id: gpt-4o-mini}
inputs: {required: {message: string}}
agents: {writer: {prompt: Write., tools: []}}
pattern:
  type: chain
  config:
    steps:
      - {workflow: two.yaml, inputs: {topic: "{{ message }}"}}
"""


def answer(request: Request) -> Turn:
    return say(f"Of {request.prompt[:60]}: all is well.", pause_s=0.002)


@pytest.fixture
def flows(tmp_path: Path) -> Path:
    folder = tmp_path / "flows"
    folder.mkdir()
    for name, text in {"two": TWO, "asks": ASKS, "parent": PARENT}.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
async def host(tmp_path: Path, flows: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Host]:
    with FakeProvider("openai", answer) as fake:
        for name, value in fake.environ.items():
            monkeypatch.setenv(name, value)
        settings = Settings(
            home=tmp_path / "home", server=Server(folders=(flows,), drain_s=5), net=Net(allow_loopback=True)
        )
        made = Host(settings, choice=ModelChoice())
        await made.open()
        try:
            yield made
        finally:
            await made.drain()
            await made.close()
