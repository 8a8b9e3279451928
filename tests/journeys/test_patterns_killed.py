"""``kill -9`` in the middle of a pattern: `weft resume` goes on, and no request whose answer is recorded is sent again."""

import json
import re
import time
from collections import Counter

import pytest

from tests.journeys.conftest import flow
from weft.testing.providers import FakeProvider, say

pytestmark = pytest.mark.slow

ORCHESTRATED = flow(
    """\
  max_parallel: 2
agents:
  lead: {prompt: You split.}
  hand: {prompt: You work.}
  editor: {prompt: You edit.}
pattern:
  type: orchestrator_workers
  config:
    orchestrator: {agent: lead, limits: {max_workers: 2, max_rounds: 2}}
    worker_template: {agent: hand}
    reduce: {agent: editor, input: "{% for w in workers %}{{ w.response }} {% endfor %}"}
"""
)
WALKED = flow(
    """\
agents: {a: {prompt: You write.}}
pattern:
  type: graph
  config:
    max_iterations: 6
    nodes:
      one: {agent: a, input: "One {{ nodes.one.iteration }}"}
      two: {agent: a, input: "Two {{ nodes.one.iteration }}"}
      join: {agent: a, input: "Join {{ nodes.one.iteration }} {{ nodes.two.response }}"}
    edges:
      - {from: one, to: [two, join]}
      - {from: two, to: [join]}
      - {from: join, choose: [{when: "nodes.one.iteration < 4", to: one}]}
"""
)


def brain(asked):
    def answer(request):
        asked[request.prompt] += 1
        if "JSON list" in request.prompt:
            subtasks = [] if "Done so far" in request.prompt else [{"task": f"part {n}"} for n in range(5)]
            return say(json.dumps(subtasks), delay_s=0.2)
        words = re.sub(r"\s+", " ", request.prompt)
        return say(f"<{words[:40]}>", delay_s=0.2)

    return answer


@pytest.mark.parametrize(("text", "kills"), [(ORCHESTRATED, (3, 6)), (WALKED, (2, 7))], ids=["orchestrator", "graph"])
def test_a_pattern_survives_being_killed(desk, text, kills):
    desk.write("flow.yaml", text)
    asked = Counter()
    with FakeProvider("openai", brain(asked)) as fake:
        desk.reach(fake)
        whole = desk("run", "flow.yaml")
        assert whole.code == 0, whole.all
        requests, expected = sum(asked.values()), whole.out
        asked.clear()
        process = desk.start("run", "flow.yaml")
        for place, at in enumerate(kills):
            until = time.monotonic() + 30
            while sum(asked.values()) < at + place and time.monotonic() < until:
                time.sleep(0.02)
            process.kill()
            desk.finish(process)
            process = desk.start("resume", "last")
        said = desk.finish(process)
        assert (said.code, said.out) == (0, expected), said.all
        # Only what was under way when the process died is asked again: at most two requests each time.
        assert requests <= sum(asked.values()) <= requests + 2 * len(kills)
    assert desk("verify", "last").code == 0
