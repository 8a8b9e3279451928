"""Services for the tests of what they serve, with small workflows on the offline model."""

import pytest

from tests.server.served import Served

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


@pytest.fixture
def make_served(tmp_path):
    made = []

    def make(flows: dict[str, str], **environ: str) -> Served:
        made.append(Served(tmp_path, flows=flows, **environ))
        return made[-1].start()

    yield make
    for one in made:
        one.kill()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One service for a whole module, for tests that leave nothing behind that others could stumble over."""
    one = Served(tmp_path_factory.mktemp("served"), flows=SMALL)
    yield one.start()
    one.kill()


@pytest.fixture
def served(make_served):
    """A service with small workflows, on the offline model."""
    return make_served(SMALL)
