"""``kill -9`` of the command line at random moments, again and again: nothing that is recorded happens a second time."""

import random
import re
import time
from collections import Counter

import pytest

from tests.journeys.conftest import Desk, flow
from weft.store.journal import Journal
from weft.testing.providers import FakeProvider, call, say

pytestmark = pytest.mark.slow

BRANCHES = [f"b{number}" for number in range(6)]
TOOL = '''\
import os

def mark(name: str) -> str:
    """Leave a mark in the world."""
    handle = os.open("world.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, f"{name}\\n".encode())
    os.close(handle)
    return f"marked {name}"
'''
FLOW = flow(
    """\
  max_parallel: 3
tools: {python: [{callable: 'marking:mark', id: mark, effect: idempotent}]}
agents:
  worker: {prompt: You leave marks.}
  judge: {prompt: You judge., tools: []}
pattern:
  type: parallel
  config:
    branches:
"""
    + "".join(f"      - {{id: {name}, steps: [{{agent: worker, input: Branch {name}.}}]}}\n" for name in BRANCHES)
    + """\
    reduce: {agent: judge, input: '{% for id in branches | sort %}{{ branches[id].response }} {% endfor %}'}
outputs: {artifacts: [{path: verdict.md, from: '{{ last_response }}'}]}
"""
)
LIVES = 4


class World:
    """The provider's side, and the marks that tools left; both outlive every process."""

    def __init__(self, desk: Desk) -> None:
        self._log = desk.folder / "world.log"
        self.asked: Counter[str] = Counter()

    def brain(self, request):
        """Two tool calls and an answer for each branch, then a verdict that holds everything that it was told."""
        found = re.search(r"Branch (b\d)\.", request.text)
        if found is None:
            self.asked["judge"] += 1
            return say(f"verdict on {request.prompt}", delay_s=0.05, input_tokens=50, output_tokens=5)
        turn = sum(message["role"] == "tool" for message in request.body["messages"])
        name = f"{found[1]}-{turn}"
        self.asked[name] += 1
        given = {"delay_s": 0.05, "input_tokens": 100, "output_tokens": 10}
        return call("mark", {"name": name}, **given) if turn < 2 else say(f"{found[1]} is done", **given)

    def marks(self) -> Counter[str]:
        return Counter(self._log.read_text().split() if self._log.exists() else ())

    def clear(self) -> None:
        self._log.unlink()
        self.asked.clear()


def recorded(desk: Desk) -> tuple[set[str], set[str]]:
    """The model requests and the tool calls that the journal holds the ends of, by name."""
    file = desk.home / "weft" / "journal.db"
    if not file.exists():
        return set(), set()
    journal = Journal(file)
    newest = journal.runs.list(limit=1)[0]
    done = [event.path for event in journal.events(newest.id) if event.kind == "step.completed"]
    journal.close()
    models, tools = set(), set()
    for path in done:
        if found := re.fullmatch(r"/branches/(b\d)/step\[0\]/agent/model\[(\d)\](/tool\[0\])?", path):
            (tools if found[3] else models).add(f"{found[1]}-{found[2]}")
        elif path == "/reduce/agent/model[0]":
            models.add("judge")
    return models, tools


def kill_somewhere(desk: Desk, process, fake: FakeProvider, draw: random.Random) -> None:
    """Let the process make a few requests and kill it before the last of them is answered.

    It takes 19 requests to the end, so that three lives of six never reach it.
    """
    enough, deadline = len(fake.requests) + draw.randint(4, 6), time.monotonic() + 60
    while len(fake.requests) < enough:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.002)
    time.sleep(draw.uniform(0, 0.02))
    process.kill()
    process.wait()


@pytest.mark.parametrize("seed", range(2))
def test_killed_again_and_again_it_ends_as_if_nothing_had_happened(desk, seed):
    draw = random.Random(seed)
    desk.environ |= {"WEFT_TOOLS__ALLOWED_MODULES": "marking"}
    desk.write("marking.py", TOOL)
    desk.write("flow.yaml", FLOW)
    world = World(desk)
    with FakeProvider("openai", world.brain) as fake:
        desk.reach(fake)
        calm = desk("run", "flow.yaml", "--json", "--out", "calm").json
        assert calm["status"] == "completed"
        assert set(world.asked.values()) == set(world.marks().values()) == {1}
        world.clear()

        kill_somewhere(desk, desk.start("run", "flow.yaml", "--out", "stormy"), fake, draw)
        run, _ = desk("runs", "list", "--json").json["runs"]
        partly = 0
        for _ in range(LIVES - 2):
            models, tools = recorded(desk)
            partly += 0 < len(tools) < 12
            asked, marks = world.asked.copy(), world.marks()
            kill_somewhere(desk, desk.start("resume", run["run_id"]), fake, draw)
            unchanged(world, models, tools, asked, marks)
        models, tools = recorded(desk)
        asked, marks = world.asked.copy(), world.marks()
        final = desk("resume", run["run_id"])
        unchanged(world, models, tools, asked, marks)

    assert partly, "every kill came too early or too late to prove anything"
    assert final.code == 0, final.all
    assert final.out == calm["outputs"]["response"] + "\n"
    assert "2,035 tokens, $0." in final.all
    shown = desk("show", run["run_id"], "--json").json
    assert shown["usage"] == calm["usage"], "each request is charged once"
    assert desk.read("stormy/verdict.md") == desk.read("calm/verdict.md")
    assert desk("verify", run["run_id"]).code == 0
    assert max(world.asked.values()) <= LIVES
    assert max(world.marks().values()) <= LIVES
    assert desk("resume", run["run_id"]).code == 17, "it is final"


def unchanged(world: World, models: set[str], tools: set[str], asked: Counter[str], marks: Counter[str]) -> None:
    """What was recorded before a life was not done again in it."""
    assert {name: world.asked[name] for name in models} == {name: asked[name] for name in models}
    now = world.marks()
    assert {name: now[name] for name in tools} == {name: marks[name] for name in tools}
