"""A replay asks nobody: it is made where there is no network, of runs that used it, and the kernel has seen no attempt."""

from __future__ import annotations

import socket
import threading

import pytest

from tests.faults.alone import alone
from tests.processes import PIPE, start
from weft.testing.providers import FakeProvider, call, say

pytestmark = pytest.mark.slow
FLOW = """\
version: 1
name: outside
runtime: {provider: openai, model_id: gpt-4o-mini, failure_policy: {retries: 0}}
tools: {python: [http_request]}
agents: {scout: {prompt: Look what is there., tools: [http_request]}}
pattern:
  type: chain
  config: {steps: [{agent: scout, input: Look.}, {agent: scout, input: "Look again: {{ last_response }}"}]}
"""
CODE = '''\
import socket
import weft


@weft.tool(effect="idempotent")
async def knock(name: str) -> str:
    """Knock at a door."""
    with socket.create_connection(("127.0.0.1", PORT), timeout=5) as door:
        door.sendall(b"GET / HTTP/1.1\\r\\n\\r\\n")
        return door.recv(8).decode()


@weft.workflow
async def code():
    return [await knock("a"), await knock("b")]
'''


class Door:
    """Counts who comes over the network, and answers in HTTP."""

    def __init__(self):
        self.knocks = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _serve(self):
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            self.knocks += 1
            with client:
                client.recv(65_536)
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\nwelcome")


@pytest.fixture
def door():
    made = Door()
    yield made
    made.close()


@pytest.fixture
def provider(door):
    def brain(request):
        answered = request.body["messages"][-1]["role"] == "tool"
        return say("All is well.") if answered else call("http_request", {"url": f"http://127.0.0.1:{door.port}/"})

    with FakeProvider("openai", brain) as fake:
        yield fake


@pytest.mark.parametrize(("what", "knocks", "requests"), [("flow.yaml", 2, 4), ("flow.py:code", 2, 0)])
def test_a_replay_is_made_without_a_network_and_does_not_look_for_one(
    tmp_path, journal, postgres, door, provider, what, knocks, requests
):
    (tmp_path / "flow.yaml").write_text(FLOW)
    (tmp_path / "flow.py").write_text(CODE.replace("PORT", str(door.port)))
    env = {
        "WEFT_HOME": str(tmp_path / "home"),
        "WEFT_STORE__URL": postgres,
        "WEFT_NET__ALLOW_LOOPBACK": "true",
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        **provider.environ,
    }
    process = start(["run", what], env=env, cwd=tmp_path, stdout=PIPE, stderr=PIPE)
    said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    (first,) = journal.runs.list()
    assert (first.status, door.knocks, len(provider.requests)) == ("completed", knocks, requests)
    replayed = alone("replay", first.id, env=env, cwd=tmp_path)
    assert replayed.code == 0, replayed.out
    assert "all the same" in replayed.out
    assert replayed.tried in {0, None}
    assert (door.knocks, len(provider.requests)) == (knocks, requests)
    # There, whoever does look for a network is seen.
    again = alone("run", what, env=env, cwd=tmp_path)
    assert again.tried or (door.knocks, len(provider.requests)) > (knocks, requests)
    assert (again.code == 0) == (again.tried is None), again.out
    assert journal.verify(first.id).intact
