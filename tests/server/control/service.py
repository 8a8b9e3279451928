"""A service over a folder of small workflows, and a client that says what it got."""

import time

import httpx2

from tests.server import served

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


class Served(served.Served):
    """A service over these workflows."""

    def __init__(self, folder, **environ):
        super().__init__(folder, flows=FLOWS, **environ)


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
        """The run once it has ended or waits; just after an answer it may still be seen to wait for that."""
        return self._until(run_id, lambda run: run["status"] in {"waiting", "stalled"} and not run["driven"])

    def ended(self, run_id):
        """The run once it has ended."""
        return self._until(run_id, lambda run: False)

    def _until(self, run_id, fits):
        until = time.monotonic() + 30
        while time.monotonic() < until:
            run = self.get(f"/runs/{run_id}")
            if run["status"] in ENDED or fits(run):
                return run
            time.sleep(0.03)
        raise AssertionError(run)
