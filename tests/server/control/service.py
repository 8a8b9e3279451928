"""`weft up` as a process of its own over a folder of small workflows, and a client that says what it got."""

import contextlib
import os
import signal
import socket
import time

import httpx2

from tests.processes import start

BRIEF = """\
version: 1
name: brief
description: Says what a text says.
runtime: {provider: offline, model_id: extract}
inputs: {required: {text: string}}
agents: {reader: {prompt: Summarise the text.}}
pattern: {type: chain, config: {steps: [{agent: reader, input: "{{ text }}"}]}}
outputs: {artifacts: [{path: "notes/said.md", from: "{{ last_response }}"}, {path: page.html, from: "<script>1</script>"}]}
"""
LETTER = """\
version: 1
name: letter
description: Writes a letter and asks whether to send it.
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
BOOKING = """\
version: 1
name: booking
description: Books a table.
runtime: {provider: offline, model_id: extract}
agents: {clerk: {prompt: Confirm it.}}
pattern:
  type: chain
  config:
    steps:
      - {type: hitl, prompt: How many?, form: {people: {type: integer, minimum: 1}}, assignees: [maitre]}
      - {agent: clerk, input: A table is booked.}
"""
NAP = """\
version: 1
name: nap
description: Waits for a signal.
runtime: {provider: offline, model_id: extract}
agents: {reader: {prompt: Say it.}}
pattern:
  type: chain
  config: {steps: [{wait: {signal: wake}}, {agent: reader, input: "It is over."}]}
"""
FLOWS = {"brief": BRIEF, "letter": LETTER, "booking": BOOKING, "nap": NAP}
ENDED = {"completed", "failed", "cancelled"}


class Served:
    """A service that can be killed and started again on the same port and home."""

    def __init__(self, folder, **environ):
        self.folder = folder
        self.home, self.flows = folder / "home", folder / "flows"
        self.flows.mkdir(parents=True)
        for name, text in FLOWS.items():
            (self.flows / f"{name}.yaml").write_text(text)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("WEFT_")}
        self.environ = {**kept, "WEFT_HOME": str(self.home), **environ}
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None

    def start(self):
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
    def log(self):
        return (self.folder / "up.log").read_text()

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def restart(self):
        self.kill()
        self.start()


class Api:
    """Calls the control API of a service."""

    def __init__(self, url, **headers):
        self.client = httpx2.Client(base_url=f"{url}/api/v1", headers=headers, timeout=30)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()

    def __call__(self, method, path, *, expect=200, **rest):
        answer = self.client.request(method, path, **rest)
        assert answer.status_code == expect, (answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def get(self, path, *, expect=200, **params):
        return self("GET", path, expect=expect, params=params)

    def post(self, path, json=None, *, expect=200, **rest):
        return self("POST", path, expect=expect, json=json, **rest)

    def delete(self, path, *, expect=200):
        return self("DELETE", path, expect=expect)

    def run(self, workflow, session="", **inputs):
        """Start a run and wait for its end, or for what it waits for."""
        made = self.post("/runs", {"workflow": workflow, "inputs": inputs, "session": session}, expect=202)
        return self.settled(made["id"])

    def settled(self, run_id):
        until = time.monotonic() + 30
        while time.monotonic() < until:
            run = self.get(f"/runs/{run_id}")
            if run["status"] in ENDED or (run["status"] in {"waiting", "stalled"} and not run["driven"]):
                return run
            time.sleep(0.03)
        raise AssertionError(run)
