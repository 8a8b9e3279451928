"""A shelf of files as people have written them for years, in every pattern: each is valid, runs, waits for people and ends."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from weft.testing.providers import FakeProvider, call, say

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parent / "corpus"
PROVIDERS = {
    "single-anthropic": "anthropic",
    "single-bedrock": "bedrock",
    "single-gemini": "google",
    "single-ollama": "ollama",
}


@dataclass(frozen=True)
class Asked:
    """The gates that a file opens, each by what it shows and what is answered."""

    answers: tuple[str, ...]
    shown: tuple[str, ...] = ()


ASKED = {
    "chain-hitl": Asked(("looks good",), ("answer 1",)),
    "chain-hitl-validated": Asked(("Ab Cd",)),
    "workflow-hitl": Asked(("fine",), ("answer 1",)),
    "parallel-hitl": Asked(("hello",)),
    "parallel-reduce-hitl": Asked(("the first",), ("1: answer",)),
    "routing-review": Asked(("route:HUMAN", "We are sorry."), ("faq",)),
    "evaluator-gate": Asked(("continue", "stop"), ("1: 60", "2: 85")),
    "orchestrator-reviews": Asked(("good", "enough"), ("2: dig fill", "2: answer")),
    "graph-hitl": Asked(("shorter", "Approve"), ("answer 1", "answer 2")),
    "preset-interactive": Asked(("hi there",)),
}
HOLDS = {
    "chain-vars": ("artifacts/artifacts/ferries.md", "answer 3"),
    "routing-support": ("artifacts/billing.md", '{"route": "billing"} answer 3 2 router'),
    "evaluator-essay": ("artifacts/essay.md", "85 2 80 3 2 85"),
    "orchestrator-research": ("artifacts/research.md", "dig completed 1"),
    "graph-loop": ("artifacts/graph.md", "release 5 2"),
    "parallel-three": ("artifacts/all.md", "answer"),
    "workflow-diamond": ("artifacts/report.md", "answer 4"),
    "single-openai": ("artifacts/greeting.md", "answer 1"),
}
FILES = sorted(FOLDER.glob("*.yaml"))


def brain():
    """A model that does what the request says: it routes, scores and splits, and numbers all its other answers."""
    scored = 0

    def answer(request):
        nonlocal scored
        if '"final_result"' in request.text:
            return call("final_result", {"summary": "done"})
        if offered := re.search(r"<name> is one of: ([\w-]+)", request.prompt):
            return say(f'{{"route": "{offered[1]}"}}')
        if "Score the draft" in request.prompt:
            scored += 1
            points = 60 if scored == 1 else 85
            return say(f'I think {{"score": {points}, "issues": ["dull"], "fixes": ["liven up"]}}')
        if "JSON list" in request.prompt:
            return say("[]" if "Done so far" in request.prompt else '```json\n[{"task": "dig"}, {"task": "fill"}]\n```')
        return say(f"answer {request.number}")

    return answer


def test_the_shelf_is_full():
    assert len(FILES) >= 30
    kinds = {
        re.search(r"type: (chain|workflow|parallel|routing|evaluator\w*|orchestr\w*|graph)", f.read_text())[1]
        for f in FILES
    }
    assert len(kinds) == 7


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_of_the_shelf_is_valid_runs_and_ends(near_desk, file):
    shutil.copytree(FOLDER, near_desk.folder, dirs_exist_ok=True)
    assert near_desk("validate", file.name).code == 0
    with FakeProvider(PROVIDERS.get(file.stem, "openai"), brain()) as fake:
        near_desk.reach(fake)
        flags = ["--base-url", fake.base_url] if file.stem == "single-ollama" else []
        said = near_desk("run", file.name, *flags)
        asked = ASKED.get(file.stem, Asked(()))
        for place, text in enumerate(asked.answers):
            assert said.code == 19, said.all
            opened = near_desk.events("gate.opened")[-1]["data"]
            if place < len(asked.shown):
                assert asked.shown[place] in opened["show"]
            said = near_desk("approve", "last", "--answer", text)
        assert said.code == 0, said.all
    assert said.out.strip()
    if file.stem in HOLDS:
        path, content = HOLDS[file.stem]
        assert content in near_desk.read(path)
