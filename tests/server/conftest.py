"""A running service: `weft up` as a process of its own, on a free port, with a home and a folder of workflows."""

import contextlib
import os
import signal
import socket
import time
from pathlib import Path

import httpx2
import pytest

from tests.processes import start

RELEASE = """\
version: 1
name: release
description: Writes a note, asks whether to send it, and reports.
runtime: {provider: offline, model_id: extract}
inputs: {required: {note: string}}
agents: {writer: {prompt: Write one line.}}
pattern:
  type: chain
  config:
    steps:
      - {agent: writer, input: "{{ note }}"}
      - {type: hitl, prompt: Send it?, context_display: "{{ last_response }}", choices: [send, reject]}
      - {agent: writer, input: "The answer was {{ hitl_response }}."}
"""
BRIEF = """\
version: 1
name: brief
description: Says what a text says.
runtime: {provider: offline, model_id: extract}
inputs: {required: {text: string}}
agents: {reader: {prompt: Say what the text says.}}
pattern: {type: chain, config: {steps: [{agent: reader, input: "{{ text }}"}]}}
"""
SLOW = """\
version: 1
name: slow
description: Waits for a while.
runtime: {provider: offline, model_id: extract}
inputs: {values: {word: done}}
agents: {reader: {prompt: Say it.}}
pattern:
  type: chain
  config: {steps: [{wait: {seconds: SECONDS}}, {agent: reader, input: "It is {{ word }}."}]}
"""
FORM = """\
version: 1
name: booking
description: Books a table.
runtime: {provider: offline, model_id: extract}
agents: {clerk: {prompt: Confirm it.}}
pattern:
  type: chain
  config:
    steps:
      - type: hitl
        prompt: How many, and when?
        form: {people: {type: integer, minimum: 1}, day: {type: string}}
      - {agent: clerk, input: "A table is booked."}
"""

SMALL = {"release": RELEASE, "brief": BRIEF, "booking": FORM, "slow": SLOW.replace("SECONDS", "7")}


class Served:
    """A `weft up` that can be killed and started again on the same port and home."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.flows = folder / "flows"
        self.flows.mkdir(exist_ok=True)
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("WEFT_")},
            "WEFT_HOME": str(self.home),
            "PYTHONPATH": str(folder),
            **environ,
        }
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.process = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def add(self, name: str, text: str) -> None:
        (self.flows / f"{name}.yaml").write_text(text)

    def start(self) -> "Served":
        command = ["up", self.flows, "--port", self.port, "--json"]
        with (self.folder / "up.log").open("ab") as log:
            self.process = start(command, env=self.environ, cwd=self.folder, stdout=log, stderr=log)
        until = time.monotonic() + 60
        while time.monotonic() < until:
            assert self.process.poll() is None, self.log
            with contextlib.suppress(httpx2.TransportError):
                if httpx2.get(f"{self.url}/health/live", timeout=5).status_code == 200:
                    return self
            time.sleep(0.05)
        raise AssertionError(self.log)

    @property
    def log(self) -> str:
        return (self.folder / "up.log").read_text()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def api(self, method: str, path: str, **rest) -> httpx2.Response:
        return httpx2.request(method, f"{self.url}/api/v1{path}", timeout=30, **rest)

    def run(self, run_id: str) -> dict:
        return self.api("GET", f"/runs/{run_id}").json()

    def wait_for(self, run_id: str, *statuses: str, seconds: float = 30) -> dict:
        until = time.monotonic() + seconds
        while (run := self.run(run_id))["status"] not in statuses:
            assert time.monotonic() < until, run
            time.sleep(0.05)
        return run

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def restart(self) -> None:
        self.kill()
        self.start()


@pytest.fixture
def make_served(tmp_path):
    made = []

    def make(flows: dict[str, str], **environ: str) -> Served:
        one = Served(tmp_path, **environ)
        for name, text in flows.items():
            one.add(name, text)
        made.append(one)
        return one.start()

    yield make
    for one in made:
        if one.process is not None and one.process.poll() is None:
            one.kill()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One service for a whole module, for tests that leave nothing behind that others could stumble over."""
    one = Served(tmp_path_factory.mktemp("served"))
    for name, text in SMALL.items():
        one.add(name, text)
    yield one.start()
    one.kill()


@pytest.fixture
def served(make_served):
    """A service with small workflows, on the offline model."""
    return make_served(SMALL)
